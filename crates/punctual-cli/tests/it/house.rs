//! A server in a folder of its own, and commands that talk to it.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::outside::server::steady_port;

/// The binary under test, in a clean environment.
pub(crate) fn punctual(folder: &Path) -> Command {
    clean(BINARY, folder)
}

const ANY_PORT: &str = "127.0.0.1:0";

/// Longer than anything here takes on a loaded machine; only a broken test waits for it.
const DEADLINE: Duration = Duration::from_secs(90);

const BINARY: &str = env!("CARGO_BIN_EXE_punctual");

fn clean(program: &str, folder: &Path) -> Command {
    let mut command = Command::new(program);
    let path = std::env::var_os("PATH").unwrap_or_default();
    command
        .env_clear()
        .env("PATH", path)
        .env("TZ", "UTC")
        .current_dir(folder)
        .stdin(Stdio::null());
    command
}

/// The binary with this soft limit of open files.
fn limited(folder: &Path, soft: u64) -> Command {
    let mut command = clean("sh", folder);
    command.args(["-c", "ulimit -Sn \"$0\"; exec \"$@\"", &soft.to_string(), BINARY]);
    command
}

/// A namespace for one test alone in a server that tests share, `redis` or `postgres`; none if the run was asked to leave
/// that one out.
pub(crate) fn namespace(server: &str) -> Option<String> {
    let without = std::env::var("PUNCTUAL_TEST_WITHOUT").unwrap_or_default();
    if without.split_whitespace().any(|one| one == server) {
        return None;
    }
    let variable = format!("PUNCTUAL_TEST_{}", server.to_uppercase());
    let url = std::env::var(&variable);
    let url =
        url.unwrap_or_else(|_| panic!("scripts/with-servers starts a {server} and names it in {variable}"));
    let between = if url.contains('?') { '&' } else { '?' };
    let name = punctual::clock::Clock::fresh_id(&punctual::clock::SystemClock::new());
    let of = if server == "redis" { "test-" } else { "test_" };
    Some(format!("{url}{between}namespace={of}{}", name.simple()))
}

/// A running `punctual serve --dev`, killed when dropped.
pub(crate) struct House {
    pub(crate) folder: TempDir,
    server: Child,
    beside: Beside,
    pub(crate) address: String,
}

/// What a server is told beside the usual.
#[derive(Clone, Copy)]
pub(crate) struct Beside {
    pub(crate) arguments: &'static [&'static str],
    pub(crate) variables: &'static [(&'static str, &'static str)],
    /// Its soft limit of open files.
    pub(crate) files: Option<u64>,
}

pub(crate) const NOTHING_BESIDE: Beside = Beside {
    arguments: &[],
    variables: &[],
    files: None,
};

/// How a command ended.
#[derive(Debug, PartialEq)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl House {
    pub(crate) fn open() -> House {
        House::with(NOTHING_BESIDE)
    }

    /// A server that is told this beside the usual.
    pub(crate) fn with(beside: Beside) -> House {
        House::at(ANY_PORT, beside)
    }

    /// A server on a port that it can have again.
    pub(crate) fn steady() -> House {
        House::at(&format!("127.0.0.1:{}", steady_port()), NOTHING_BESIDE)
    }

    fn at(bind: &str, beside: Beside) -> House {
        let folder = tempfile::tempdir().expect("a folder");
        let (server, address) = serve(folder.path(), beside, bind);
        House {
            folder,
            server,
            beside,
            address,
        }
    }

    /// Kills the server, and starts another one on the same file.
    pub(crate) fn kill_and_restart(&mut self) {
        self.server.kill().expect("it runs");
        self.restart();
    }

    /// Kills the server, and starts another one on the same file at the same address, which is to be a
    /// [`steady`](House::steady) one.
    pub(crate) fn kill_and_restart_here(&mut self) {
        self.server.kill().expect("it runs");
        self.server.wait().expect("it is gone");
        let bind = self.address.trim_start_matches("http://").to_owned();
        (self.server, self.address) = serve(self.folder.path(), self.beside, &bind);
    }

    /// Starts another server on the same file, once this one is gone.
    pub(crate) fn restart(&mut self) {
        self.server.wait().expect("it is gone");
        (self.server, self.address) = serve(self.folder.path(), self.beside, ANY_PORT);
    }

    /// Sends a signal to the server, and gives the code that it ends with.
    pub(crate) fn terminate(&mut self) -> Option<i32> {
        self.send("TERM");
        self.exit_code()
    }

    /// Sends a signal to the server, and returns once it takes no more requests.
    pub(crate) fn begin_to_terminate(&mut self) {
        self.send("TERM");
        self.wait_until_deaf();
    }

    /// Waits until the server takes no more requests.
    pub(crate) fn wait_until_deaf(&self) {
        let address = self.address.trim_start_matches("http://").to_owned();
        wait_until("the server is deaf", || TcpStream::connect(&address).is_err());
    }

    /// Sends a signal again and again until the server ends, since one that follows the first too soon does not count; gives the
    /// code that it ends with.
    pub(crate) fn insist(&mut self) -> Option<i32> {
        let mut ended = None;
        wait_until("the server heeds", || {
            self.send("TERM");
            ended = self.server.try_wait().expect("it is our child");
            ended.is_some()
        });
        ended.and_then(|status| status.code())
    }

    /// Sends the server a signal by its name.
    pub(crate) fn send(&self, signal: &str) {
        let pid = self.server.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &pid]).status();
        assert!(sent.expect("kill is there").success());
    }

    /// The code that the server ends with.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        let mut ended = None;
        wait_until("the server ends", || {
            ended = self.server.try_wait().expect("it is our child");
            ended.is_some()
        });
        ended.and_then(|status| status.code())
    }

    /// Adds a job that runs this script; gives its id.
    pub(crate) fn sh(&self, script: &str) -> String {
        let job = self.json(&["add", "command", "--json", "--", "sh", "-c", script]);
        job["id"].as_str().expect("an id").to_owned()
    }

    /// A job's stored state.
    pub(crate) fn state(&self, id: &str) -> String {
        let job = self.json(&["show", id, "--json"]);
        job["state"].as_str().expect("a state").to_owned()
    }

    /// Makes an empty file in the folder.
    pub(crate) fn write(&self, name: &str) {
        std::fs::write(self.folder.path().join(name), "").expect("the folder is there");
    }

    /// Makes a file in the folder that holds this.
    pub(crate) fn put(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).expect("the folder is there");
    }

    /// What a file in the folder holds.
    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).expect("the file is there")
    }

    /// Waits until a job has made this file in the folder.
    pub(crate) fn wait_for_file(&self, name: &str) {
        let file = self.folder.path().join(name);
        wait_until(&format!("{name} is there"), || file.exists());
    }

    /// `punctual job …` with this server.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = punctual(self.folder.path());
        command
            .env("PUNCTUAL_SERVER", &self.address)
            .arg("job")
            .args(arguments);
        command
    }

    /// `punctual …` with this server.
    pub(crate) fn punctual(&self, arguments: &[&str]) -> Ended {
        let mut command = punctual(self.folder.path());
        command.env("PUNCTUAL_SERVER", &self.address).args(arguments);
        Ended::of(command.output().expect("it starts"))
    }

    pub(crate) fn job(&self, arguments: &[&str]) -> Ended {
        Ended::of(self.command(arguments).output().expect("it starts"))
    }

    /// As [`job`](House::job), for what is to succeed and print one JSON document.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let ended = self.job(arguments);
        assert_eq!(ended.code, 0, "{ended:?}");
        serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
    }
}

impl Drop for House {
    fn drop(&mut self) {
        // It may have ended already, which is as well.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Ended {
    pub(crate) fn of(output: Output) -> Ended {
        Ended {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).expect("text"),
            stderr: String::from_utf8(output.stderr).expect("text"),
        }
    }
}

/// Starts a server, and waits until it says where it listens.
fn serve(folder: &Path, beside: Beside, bind: &str) -> (Child, String) {
    let mut server = match beside.files {
        None => punctual(folder),
        Some(soft) => limited(folder, soft),
    };
    let mut server = server
        .args(["serve", "--dev", "--bind", bind, "--lease", "5s"])
        .args(beside.arguments)
        .envs(beside.variables.iter().copied())
        .stdout(Stdio::piped())
        .stderr(unread())
        .spawn()
        .expect("it starts");
    let lines = BufReader::new(server.stdout.take().expect("it is piped")).lines();
    let address = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("listening on ").map(str::to_owned))
        .expect("it says where it listens");
    (server, address)
}

/// A pipe that nobody reads, as standard error is once its terminal has gone.
fn unread() -> std::io::PipeWriter {
    let (_, writes) = std::io::pipe().expect("a pipe");
    writes
}

/// Waits for what other processes bring about.
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < deadline, "it never came true that {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
