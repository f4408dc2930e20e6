//! A page of somebody else, in a real browser on the same machine, cannot make jobs; a program can.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use super::server::Place;

/// How long a browser may take to start, show a page and run its script.
const PATIENCE: Duration = Duration::from_secs(90);

/// What the page tries, each by its name. `AT` stands for the server's port.
const PAGE: &str = r#"<!doctype html><title>evil</title><iframe name="frame"></iframe><script>
const job = JSON.stringify({kind: "command", payload: {program: "touch", args: ["owned"]}});
const jobs = "http://127.0.0.1:AT/v1/jobs", renamed = "http://evil.example:AT/v1/jobs";
const done = [];
async function attempt(name, ask) {
    try { const answer = await ask(); done.push(name + "=" + answer.type + answer.status); }
    catch (error) { done.push(name + "=refused"); }
}
function post(address, type) {
    return new Promise(resolve => {
        const frame = document.querySelector("iframe"), form = document.createElement("form");
        form.method = "POST"; form.enctype = type; form.target = "frame"; form.action = address;
        const field = document.createElement("input");
        field.name = job.slice(0, -1) + ',"x":"'; field.value = '"}';
        form.append(field); document.body.append(form);
        frame.onload = () => resolve({type: "form", status: ""});
        form.submit();
    });
}
(async () => {
    const text = {"content-type": "text/plain"}, json = {"content-type": "application/json"};
    await attempt("text", () => fetch(jobs, {method: "POST", mode: "no-cors", headers: text, body: job}));
    await attempt("beacon", async () => { navigator.sendBeacon(jobs, job); return {type: "sent", status: ""}; });
    await attempt("json", () => fetch(jobs, {method: "POST", headers: json, body: job}));
    await attempt("form", () => post(jobs, "text/plain"));
    await attempt("urlencoded", () => post(jobs, "application/x-www-form-urlencoded"));
    await attempt("read", () => fetch(jobs));
    await attempt("renamed-post", () => fetch(renamed, {method: "POST", mode: "no-cors", headers: text, body: job}));
    await attempt("renamed-get", () => fetch(renamed, {mode: "no-cors"}));
    await fetch("/done?" + encodeURIComponent(done.join(",")));
})();
</script>"#;

#[test]
fn a_page_of_another_origin_cannot_enqueue_and_curl_can() {
    let without = std::env::var("PUNCTUAL_TEST_WITHOUT").unwrap_or_default();
    if without.split_whitespace().any(|server| server == "chromium") {
        return;
    }
    let place = Place::new();
    let server = place.serve(&[]);
    let port = server.address().rsplit(':').next().expect("it has a port");
    let (address, done) = show(PAGE.replace("AT", port));
    for host in ["127.0.0.1", "evil.example"] {
        let _browser = Browser::open(&format!("http://{host}:{}/", address.port()));
        let tried = done.recv_timeout(PATIENCE).expect("the page's script has run");
        // What a page may not read looks the same to it whether or not it was done: an opaque answer. What it may read is none.
        for refused in ["json=refused", "read=refused"] {
            assert!(tried.contains(refused), "{refused}: {tried}");
        }
        assert_eq!(server.list("").len(), 0, "a page has made a job: {tried}");
    }
    let said = server.said();
    let refused = |line: &&str| line.contains("/v1/jobs") && line.contains("status=403");
    let refusals = said.lines().filter(refused).count();
    assert!(
        refusals >= 12,
        "the browser has asked, and was refused {refusals} times: {said}"
    );
    assert!(!place.path("owned").exists());

    let jobs = format!("http://{}/v1/jobs", server.address());
    let job = r#"{"kind": "command", "payload": {"program": "touch", "args": ["made"]}}"#;
    assert_eq!(curl(&jobs, job, "accept: */*"), "201");
    assert_eq!(curl(&jobs, job, "host: evil.example"), "403");
    assert_eq!(curl(&jobs, job, "origin: http://evil.example"), "403");
    assert_eq!(server.list("").len(), 1);
}

/// The status of posting a job with a further header.
fn curl(address: &str, job: &str, header: &str) -> String {
    let output = Command::new("curl")
        .args(["--silent", "--output", "/dev/null", "--write-out", "%{http_code}"])
        .args([
            "--header",
            "content-type: application/json",
            "--header",
            header,
            "--data",
            job,
        ])
        .arg(address)
        .output()
        .expect("curl is installed (scripts/needs)");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Serves a page, and hands on what its script says in the end.
fn show(page: String) -> (std::net::SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it listens");
    let (tell, told) = channel();
    thread::spawn(move || {
        for stream in listener.incoming().filter_map(Result::ok) {
            let (page, tell) = (page.clone(), tell.clone());
            // A browser opens connections that it may never use.
            thread::spawn(move || {
                if let Some(said) = answer(stream, &page).filter(|path| path.starts_with("/done?")) {
                    // Nobody listens once the test is over.
                    let _ = tell.send(said.replace("%3D", "=").replace("%2C", ","));
                }
            });
        }
    });
    (address, told)
}

/// Answers one request with the page; gives its path.
fn answer(mut stream: TcpStream, page: &str) -> Option<String> {
    let mut lines = BufReader::new(stream.try_clone().ok()?)
        .lines()
        .map_while(Result::ok);
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    lines.find(String::is_empty)?;
    let length = page.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    // It may have gone on to another page.
    let _ = stream.write_all((head + page).as_bytes());
    Some(path)
}

/// A chromium with a profile of its own, killed when dropped.
struct Browser {
    process: Child,
    #[expect(dead_code, reason = "its files go with it")]
    profile: TempDir,
}

impl Browser {
    fn open(address: &str) -> Browser {
        let profile = TempDir::new().expect("a temporary folder");
        let process = Command::new("chromium")
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ])
            .args(["--disable-dev-shm-usage", "--remote-debugging-port=0"])
            .arg("--host-resolver-rules=MAP evil.example 127.0.0.1")
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(address)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromium is installed (scripts/needs), or left out by PUNCTUAL_TEST_WITHOUT=chromium");
        Browser { process, profile }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
