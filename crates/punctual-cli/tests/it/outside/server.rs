//! A `punctual serve --dev` in a process of its own, and the little HTTP that the tests speak to it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Longer than anything here takes on a loaded machine; only a broken test waits for it.
const DEADLINE: Duration = Duration::from_secs(90);

/// An empty folder: the servers in it share a store, and targets keep their own record there.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Place {
        Place(TempDir::new().expect("a temporary folder"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Starts a server here, with these further arguments, and waits until it listens.
    pub(crate) fn serve(&self, arguments: &[&str]) -> Server {
        self.serve_by(Path::new(env!("CARGO_BIN_EXE_punctual")), arguments)
    }

    /// The same, from this file.
    pub(crate) fn serve_by(&self, binary: &Path, arguments: &[&str]) -> Server {
        Server::start(self.0.path(), binary, arguments)
    }

    /// The lines that targets wrote to a file here; none while there is no file.
    pub(crate) fn lines(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.path(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

/// A running server. It is killed when it is dropped.
pub(crate) struct Server {
    child: Child,
    address: String,
    told: Arc<Mutex<String>>,
    logged: Arc<Mutex<String>>,
}

impl Server {
    fn start(folder: &Path, binary: &Path, arguments: &[&str]) -> Server {
        let mut child = Command::new(binary)
            .args(["serve", "--dev", "--bind", "127.0.0.1:0"])
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut server = Server {
            address: String::new(),
            told: record(child.stdout.take().expect("it is piped")),
            logged: record(child.stderr.take().expect("it is piped")),
            child,
        };
        server.address = until("the server says where it listens", || {
            let said = server.told();
            let from = said.find("http://127.0.0.1:")? + "http://".len();
            let address: String = said[from..]
                .chars()
                .take_while(|c| c.is_ascii_digit() || ".:".contains(*c))
                .collect();
            Some(address)
        });
        until("the server is ready", || {
            (server.get("/readyz").status == 200).then_some(())
        });
        server
    }

    /// What it has told whoever started it.
    pub(crate) fn told(&self) -> String {
        self.told.lock().expect("nobody panics with it").clone()
    }

    /// What it has told and logged.
    pub(crate) fn said(&self) -> String {
        self.told() + &self.logged.lock().expect("nobody panics with it")
    }

    /// SIGKILL, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    /// The most memory that it has needed so far, in KiB.
    pub(crate) fn peak_memory_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = peak.and_then(|line| line.split_whitespace().next());
        number
            .and_then(|number| number.parse().ok())
            .expect("a number of KiB")
    }

    /// Sends it a signal by its name, such as `STOP`.
    pub(crate) fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.request("GET", path, None)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Reply {
        self.request("POST", path, Some(&body.to_string()))
    }

    pub(crate) fn request(&self, method: &str, path: &str, body: Option<&str>) -> Reply {
        request(&self.address, method, path, body)
    }

    /// Enqueues a job and returns its id.
    pub(crate) fn enqueue(&self, job: &Value) -> String {
        let reply = self.post("/v1/jobs", job);
        assert_eq!(reply.status, 201, "{}", reply.body);
        reply.json()["id"].as_str().expect("a job has an id").to_owned()
    }

    /// Waits until a job has ended and returns it.
    pub(crate) fn ended(&self, id: &str) -> Value {
        until("the job has ended", || {
            let job = self.get(&format!("/v1/jobs/{id}")).json();
            let live = ["waiting", "running"].contains(&job["state"].as_str()?);
            (!live).then_some(job)
        })
    }

    /// Every job that a filter matches, page by page.
    pub(crate) fn list(&self, query: &str) -> Vec<Value> {
        list(&self.address, query)
    }
}

#[allow(
    clippy::print_stderr,
    reason = "what a server said explains why its test failed"
)]
impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- the server at {} said:\n{}", self.address, self.said());
        }
    }
}

/// A job that runs `script` in a shell.
pub(crate) fn shell(script: &str) -> Value {
    json!({"kind": "command", "payload": {"program": "sh", "args": ["-c", script]}})
}

/// The answer to one request.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// One request on a connection of its own. A status of 0 says that the server went away.
pub(crate) fn request(address: &str, method: &str, path: &str, body: Option<&str>) -> Reply {
    let body = body.unwrap_or_default();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    let mut answer = Vec::new();
    if let Ok(mut stream) = TcpStream::connect(address) {
        stream
            .set_read_timeout(Some(DEADLINE))
            .expect("the deadline is not zero");
        // A server that refuses a body may answer and close before it has read all of it.
        let _ = stream.write_all(head.as_bytes());
        let _ = stream.write_all(body.as_bytes());
        let _ = stream.read_to_end(&mut answer);
    }
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Reply {
        status: status.unwrap_or(0),
        head: head.to_ascii_lowercase(),
        body: body.to_owned(),
    }
}

/// Every job that a filter matches, page by page.
pub(crate) fn list(address: &str, query: &str) -> Vec<Value> {
    let mut items = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/v1/jobs?limit=500&{query}{cursor}");
        let page = request(address, "GET", &path, None).json();
        let here = page["items"].as_array().expect("a page has items");
        items.extend(here.iter().cloned());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return items,
        }
    }
}

/// Waits until a count that only grows has come to this; it is a failure only if it stands still for very long.
pub(crate) fn grown(what: &str, goal: usize, mut count: impl FnMut() -> usize) {
    let mut seen = 0;
    while seen < goal {
        seen = until(what, || Some(count()).filter(|count| *count > seen));
    }
}

/// Asks again and again until there is an answer; fails when there is none for very long.
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begun.elapsed() < DEADLINE, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// A port of 127.0.0.1 that is free, also for whoever begins there anew: the system gives it to nobody who connects.
pub(crate) fn steady_port() -> u16 {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/free-port");
    let told = Command::new(script).output().expect("the script runs").stdout;
    let told = String::from_utf8_lossy(&told).trim().to_owned();
    told.parse().expect("a port is free")
}

/// Sends a process a signal by its name.
pub(crate) fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill")
        .args([&format!("-{name}"), &pid.to_string()])
        .status();
    assert!(sent.expect("kill is there").success(), "SIG{name} to {pid}");
}

/// Whether a process is there and no zombie.
pub(crate) fn alive(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit(')')
        .next()
        .and_then(|rest| rest.trim_start().chars().next());
    state.is_some_and(|state| state != 'Z')
}

fn record(from: impl Read + Send + 'static) -> Arc<Mutex<String>> {
    let recorded = Arc::new(Mutex::new(String::new()));
    let into = Arc::clone(&recorded);
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let mut text = into.lock().expect("nobody panics with it");
            text.push_str(&line);
            text.push('\n');
        }
    });
    recorded
}
