//! A process that sleeps past its lease cannot change what others did meanwhile.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::json;

use super::server::{Place, until};
use super::stores::{Sort, on_each_store};

on_each_store!(a_process_that_was_stopped_past_its_lease_settles_nothing);

/// A call that has arrived at the target and is not answered yet.
struct Call {
    stream: TcpStream,
    head: String,
}

impl Call {
    fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    fn answer(mut self, body: &str) {
        let length = body.len();
        let text = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
        // Who called may have given up by now; that is for it to know.
        let _ = self.stream.write_all(text.as_bytes());
    }
}

fn a_process_that_was_stopped_past_its_lease_settles_nothing(sort: Sort) {
    let Some(store) = sort.empty() else { return };
    let settings = ["--lease", "2s", "--store", store.url()];
    let (address, calls) = target();
    let place = Place::new();
    let first = place.serve(&settings);
    let id = first.enqueue(&json!({
        "kind": "http",
        "payload": {"method": "POST", "url": format!("http://{address}/"), "body": "x"},
    }));
    let early = next(&calls);
    first.signal("STOP");

    let second = place.serve(&settings);
    let late = next(&calls);
    assert_eq!(early.header("punctual-job-id"), late.header("punctual-job-id"));
    assert_ne!(early.header("punctual-run"), late.header("punctual-run"));
    late.answer("from the second");
    let ended = second.ended(&id);
    assert_eq!(ended["state"], "succeeded", "{ended}");

    early.answer("from the first");
    first.signal("CONT");
    // Which it notices first is a race of its own: that its lease has passed, or that its outcome is refused.
    until("the first one notices that the run is no longer its own", || {
        let said = first.said();
        (said.contains("a lease was lost: ") || said.contains("an outcome came too late")).then_some(())
    });

    assert_eq!(
        second.get(&format!("/v1/jobs/{id}")).json(),
        ended,
        "nothing has changed"
    );
    assert!(ended["result"].to_string().contains("from the second"), "{ended}");
    assert!(
        calls.recv_timeout(Duration::from_millis(10)).is_err(),
        "there is no third call"
    );
}

fn target() -> (String, Receiver<Call>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    let (send, calls) = channel();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            if send.send(read(stream)).is_err() {
                return;
            }
        }
    });
    (address, calls)
}

fn read(stream: TcpStream) -> Call {
    let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).is_ok_and(|read| read > 0) {}
    let length = head
        .to_ascii_lowercase()
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).expect("the whole body");
    let head = head.to_ascii_lowercase().replace("\r\n", "\n");
    Call { stream, head }
}

fn next(calls: &Receiver<Call>) -> Call {
    calls
        .recv_timeout(Duration::from_secs(90))
        .expect("a call arrives")
}
