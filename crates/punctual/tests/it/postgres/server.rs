//! Real PostgreSQL servers: one that all tests share, and one of a test's own where it is to come to harm.

use std::fs::{OpenOptions, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use punctual::store::postgres::{PostgresOptions, PostgresStore};
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

/// Whether the run was asked to leave out what needs PostgreSQL.
pub(crate) fn left_out() -> bool {
    is_left_out("postgres")
}

pub(crate) fn is_left_out(what: &str) -> bool {
    let without = std::env::var("PUNCTUAL_TEST_WITHOUT").unwrap_or_default();
    without.split_whitespace().any(|server| server == what)
}

/// The URL of the server that the tests of a run share. A run that names none gets one of this process's own.
fn shared() -> &'static str {
    static URL: OnceLock<String> = OnceLock::new();
    URL.get_or_init(|| match std::env::var("PUNCTUAL_TEST_POSTGRES") {
        Ok(url) if !url.is_empty() => url,
        _ => start_for_this_process(),
    })
}

fn start_for_this_process() -> String {
    /// The server stops when this end of the pipe is closed, which the end of the process does.
    static ALIVE: OnceLock<(Child, ChildStdin)> = OnceLock::new();
    let mut child = Command::new(scripts().join("with-servers"))
        .args(["sh", "-c", "echo \"$PUNCTUAL_TEST_POSTGRES\"; exec cat"])
        .env("PUNCTUAL_TEST_WITHOUT", "redis")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("scripts/with-servers runs");
    let mut url = String::new();
    let stdout = child.stdout.take().expect("it is piped");
    BufReader::new(stdout)
        .read_line(&mut url)
        .expect("it tells the URL");
    let url = url.trim().to_owned();
    assert!(
        url.starts_with("postgres"),
        "no PostgreSQL started: scripts/needs installs it, or leave it out by PUNCTUAL_TEST_WITHOUT=postgres"
    );
    let stdin = child.stdin.take().expect("it is piped");
    ALIVE.set((child, stdin)).expect("it is started once");
    url
}

fn scripts() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../scripts")
}

/// Namespaces on one server, which go with it.
pub(crate) struct House {
    url: String,
    name: String,
    made: AtomicU32,
}

impl House {
    /// On the server that all tests share; nothing if the run was asked to leave it out.
    pub(crate) fn shared() -> Option<House> {
        (!left_out()).then(|| House::on(shared()))
    }

    pub(crate) fn on(url: &str) -> House {
        static HOUSES: AtomicU32 = AtomicU32::new(0);
        let number = HOUSES.fetch_add(1, Ordering::Relaxed);
        House {
            url: url.to_owned(),
            name: format!("test_{}_{number}", std::process::id()),
            made: AtomicU32::new(0),
        }
    }

    /// The URL of an empty namespace.
    pub(crate) fn next(&self) -> String {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let join = if self.url.contains('?') { '&' } else { '?' };
        format!("{}{join}namespace={}_{number}", self.url, self.name)
    }

    /// The URL of the server.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// A connection of the test's own.
    pub(crate) async fn client(&self) -> Client {
        connect(&self.url).await
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let (url, name) = (self.url.clone(), self.name.clone());
        let made = *self.made.get_mut();
        // A runtime cannot wait within another one.
        let sweeping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                // A server that has come to its end took them with it.
                let Ok((client, connection)) = tokio_postgres::connect(&url, NoTls).await else {
                    return;
                };
                tokio::spawn(connection);
                // A test that failed in the middle of a transaction cannot end it while it waits here.
                client.batch_execute("set lock_timeout = '2s'").await.ok();
                for number in 0..made {
                    let drop = format!("drop schema if exists {name}_{number} cascade");
                    client.batch_execute(&drop).await.ok();
                }
            });
        });
        sweeping.join().ok();
    }
}

/// A connection of the test's own.
pub(crate) async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls)
        .await
        .expect("the server is there");
    tokio::spawn(connection);
    client
}

/// A store on this URL.
pub(crate) async fn open(url: &str) -> PostgresStore {
    let store = PostgresStore::open(url, PostgresOptions::default()).await;
    store.expect("the store opens")
}

/// The name of the schema that a URL of [`House::next`] names.
pub(crate) fn schema_of(url: &str) -> &str {
    url.split_once("namespace=").expect("it names one").1
}

/// A server of a test's own.
pub(crate) struct Server {
    folder: TempDir,
    url: String,
}

impl Server {
    /// Starts one with these settings; nothing if the run was asked to leave it out.
    pub(crate) fn start(settings: &[&str]) -> Option<Server> {
        if left_out() {
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755))
            .expect("the server's user may come in");
        let url = control("postgres", "start", &folder, settings);
        Some(Server { folder, url })
    }

    /// Starts one that speaks TLS, by `certificate` and `key` of this folder.
    pub(crate) fn start_with_tls(files: &Path) -> Option<Server> {
        // Its user must own the key, so it gets a copy in a place of its own.
        let server = Server::start(&[])?;
        let data = server.folder.path().join("server/data");
        for (from, to) in [("certificate", "server.crt"), ("key", "server.key")] {
            let to = data.join(to);
            std::fs::copy(files.join(from), &to).expect("it is copied");
            std::fs::set_permissions(&to, Permissions::from_mode(0o600)).expect("it is hidden");
            let owner = std::fs::metadata(&data).expect("it is there");
            std::os::unix::fs::chown(&to, Some(owner.uid()), Some(owner.gid())).expect("it is given away");
        }
        let mut settings = OpenOptions::new()
            .append(true)
            .open(data.join("postgresql.conf"))
            .expect("it has settings");
        writeln!(settings, "ssl = on").expect("they can be written");
        server.restart();
        Some(server)
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Stops it as a crash would, and starts it again.
    pub(crate) fn restart(&self) {
        control("postgres", "restart", &self.folder, &[]);
    }

    pub(crate) fn stop(&self) {
        control("postgres", "stop", &self.folder, &[]);
    }
}

/// A pgbouncer before the server that all tests share. It hands out connections for a transaction each.
pub(crate) struct Pooler {
    folder: TempDir,
    url: String,
}

impl Pooler {
    /// Starts one; nothing if the run was asked to leave it out.
    pub(crate) fn start() -> Option<Pooler> {
        if left_out() || is_left_out("pgbouncer") {
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("its user may come in");
        let url = control("pgbouncer", "start", &folder, &[shared()]);
        Some(Pooler { folder, url })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        control("pgbouncer", "stop", &self.folder, &[]);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let script = scripts().join("servers/postgres");
        let stop = Command::new(script)
            .arg("stop")
            .arg(self.folder.path().join("server"))
            .output();
        drop(stop);
    }
}

fn control(server: &str, action: &str, folder: &TempDir, rest: &[&str]) -> String {
    let done = Command::new(scripts().join("servers").join(server))
        .arg(action)
        .arg(folder.path().join("server"))
        .args(rest)
        .output()
        .expect("the script runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).trim().to_owned()
}
