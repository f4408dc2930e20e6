//! Clients that wait in crowds, send slowly, read slowly or leave: they get their due, and harm nobody.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;

use super::server::{Place, Server, shell, until};
use super::stores::{Sort, on_each_store};

on_each_store!(
    an_end_in_another_process_is_told_as_an_event,
    output_is_followed_through_another_server,
);

/// What half-sent requests are given at most.
const CUT_WITHIN: Duration = Duration::from_secs(15);
/// What a thousand waiting connections may cost.
const CROWD_BYTES: u64 = 64 * 1024 * 1024;

#[test]
fn a_thousand_waiters_on_one_job_cost_little_and_are_all_answered() {
    allow_many_files();
    let place = Place::new();
    let server = place.serve(&[]);
    let id = server.enqueue(&shell("until [ -e go ]; do sleep 0.05; done; echo done"));
    let idle = memory(&server);
    let path = format!("/v1/jobs/{id}/result?wait=300s");
    let crowd: Vec<TcpStream> = (0..1_000).map(|_| ask(&server, "GET", &path, "")).collect();
    until("all of them are connected", || {
        (open_files(&server).len() >= 1_000).then_some(())
    });
    // It listens to its store once, however many wait.
    let watches = open_files(&server);
    let watches = watches.iter().filter(|file| file.ends_with("inotify"));
    assert!(watches.count() <= 1);
    fs::write(place.path("go"), "").expect("the folder is there");
    for (place, stream) in crowd.into_iter().enumerate() {
        let answer = read_all(stream);
        assert!(
            answer.starts_with("HTTP/1.1 200 ") && answer.contains("\"state\":\"succeeded\""),
            "waiter {place}: {answer}"
        );
    }
    let cost = memory(&server).saturating_sub(idle);
    assert!(cost < CROWD_BYTES, "a thousand waiters took {cost} bytes");
}

#[test]
fn half_sent_requests_are_cut_while_others_are_served() {
    let place = Place::new();
    let server = place.serve(&[]);
    let job = "POST /v1/jobs HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    let halves = [
        String::new(),
        "GET /v1/jobs HTTP/1.1\r\nhost: loc".to_owned(),
        format!("{job}content-length: 40\r\n\r\n{{\"kind\": "),
        format!("{job}transfer-encoding: chunked\r\n\r\n5\r\n{{\"kin"),
    ];
    let mut held: Vec<TcpStream> = halves.iter().map(|half| send(&server, half)).collect();
    held.push(drip_until_cut(send(&server, "GET /v1/jobs HTTP/1.1\r\nx-drip: ")));
    held.push(drip_until_cut(send(
        &server,
        &format!("{job}content-length: 9000\r\n\r\n"),
    )));
    assert_eq!(server.get("/healthz").status, 200);
    let cuts = held.into_iter().enumerate().map(|(place, mut stream)| {
        thread::spawn(move || {
            stream
                .set_read_timeout(Some(CUT_WITHIN))
                .expect("the deadline is not zero");
            let mut answer = Vec::new();
            // A reset is a cut as well; only a connection that is still open runs into the deadline.
            if let Err(error) = stream.read_to_end(&mut answer) {
                let kind = error.kind();
                let open = [std::io::ErrorKind::WouldBlock, std::io::ErrorKind::TimedOut].contains(&kind);
                assert!(!open, "half {place} is still held after {CUT_WITHIN:?}");
            }
        })
    });
    let cuts: Vec<_> = cuts.collect();
    for cut in cuts {
        cut.join().expect("it is cut in time");
    }
    assert_eq!(server.list("").len(), 0, "nothing of it was stored");
}

#[test]
fn clients_that_read_nothing_or_leave_hold_up_nobody() {
    let place = Place::new();
    let server = place.serve(&[]);
    let id = server.enqueue(&shell(
        "until [ -e go ]; do head -c 100000 /dev/zero | tr '\\0' x; sleep 0.05; done; echo the end",
    ));
    let output = format!("/v1/jobs/{id}/output");
    let follow = format!("{output}?follow=true");
    let deaf: Vec<TcpStream> = (0..50).map(|_| ask(&server, "GET", &follow, "")).collect();
    let deaf_to_events: Vec<TcpStream> = (0..50).map(|_| ask(&server, "GET", "/v1/events", "")).collect();
    for _ in 0..50 {
        drop(ask(
            &server,
            "GET",
            &format!("/v1/jobs/{id}/result?wait=300s"),
            "",
        ));
        drop(ask(&server, "GET", &follow, ""));
    }
    until("more was put out than is kept", || {
        let output = server.get(&output);
        output.body.contains(" bytes left out …").then_some(())
    });
    let other = server.enqueue(&shell("echo quick"));
    assert_eq!(server.ended(&other)["state"], "succeeded");
    fs::write(place.path("go"), "").expect("the folder is there");
    assert_eq!(server.ended(&id)["state"], "succeeded");
    assert!(server.get(&output).body.ends_with("the end\n"));
    drop((deaf, deaf_to_events));
}

#[test]
fn each_request_is_logged_once_without_what_it_may_keep_secret() {
    let place = Place::new();
    let server = place.serve(&[]);
    let id = server.enqueue(&json!({"kind": "hook", "delay": "1h", "payload": {"token": "s3cret-in-body"}}));
    read_all(ask(
        &server,
        "GET",
        "/v1/jobs?tag=s3cret-in-query",
        "x-request-id: the-one\r\nauthorization: Bearer s3cret-in-header\r\n",
    ));
    server.get(&format!("/v1/jobs/{id}"));
    let line = until("it is logged", || {
        let said = server.said();
        let mut lines = said.lines().filter(|line| line.contains("the-one"));
        let line = lines.next().map(str::to_owned);
        assert!(lines.next().is_none(), "it is one line: {said}");
        line
    });
    for part in [
        "GET",
        "/v1/jobs",
        "status=200",
        "length=",
        "took_us=",
        "127.0.0.1:",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    let told = until("the other one is logged, too", || {
        let said = server.said();
        said.contains("/v1/jobs/{id}").then_some(said)
    });
    assert!(!told.contains("s3cret") && !told.contains(&id), "{told}");
}

#[test]
fn the_log_of_requests_can_be_left_out() {
    let place = Place::new();
    let quiet = place.path("quiet");
    let binary = env!("CARGO_BIN_EXE_punctual");
    let script =
        format!("#!/bin/sh\nPUNCTUAL_LOG__LEVEL=info,punctual_http::access=off exec '{binary}' \"$@\"\n");
    fs::write(&quiet, script).expect("the folder is there");
    fs::set_permissions(&quiet, fs::Permissions::from_mode(0o700)).expect("it is ours");
    let server = place.serve_by(&quiet, &[]);
    for _ in 0..3 {
        assert_eq!(server.get("/v1/jobs").status, 200);
    }
    server.signal("TERM");
    until("it says that it stops", || {
        server.said().contains("stopping").then_some(())
    });
    assert!(!server.said().contains("/v1/jobs"), "{}", server.said());
}

fn an_end_in_another_process_is_told_as_an_event(sort: Sort) {
    let Some(store) = sort.empty() else { return };
    let place = Place::new();
    let here = place.serve(&["--store", store.url(), "--queues", "nothing-here"]);
    let there = place.serve(&["--store", store.url()]);
    let mut events = ask(&here, "GET", "/v1/events?queue=command", "");
    let mut heard = String::new();
    let mut hear = |text: &str| {
        while !heard.contains(text) {
            let mut piece = [0; 4096];
            let read = events.read(&mut piece).expect("it goes on");
            let patient = heard.matches(": nothing new").count() < 4;
            assert!(read > 0 && patient, "{text} does not come: {heard}");
            heard.push_str(&String::from_utf8_lossy(&piece[..read]));
        }
    };
    hear(": watching");
    let id = there.enqueue(&shell("true"));
    hear(&format!("event: ended\ndata: {{\"id\":\"{id}\""));
}

fn output_is_followed_through_another_server(sort: Sort) {
    let Some(store) = sort.empty() else { return };
    let place = Place::new();
    let servers = [(); 2].map(|()| place.serve(&["--store", store.url()]));
    let id = servers[0].enqueue(&shell(
        "echo first; until [ -e go ]; do sleep 0.05; done; echo last",
    ));
    let follow = format!("/v1/jobs/{id}/output?follow=true");
    let mut followers = servers.each_ref().map(|server| ask(server, "GET", &follow, ""));
    for follower in &mut followers {
        let mut heard = Vec::new();
        while !heard.ends_with(b"first\n\r\n") {
            let mut piece = [0; 1024];
            let read = follower.read(&mut piece).expect("it goes on");
            assert!(read > 0, "it ended early: {}", String::from_utf8_lossy(&heard));
            heard.extend_from_slice(&piece[..read]);
        }
    }
    fs::write(place.path("go"), "").expect("the folder is there");
    for follower in followers {
        assert!(read_all(follower).contains("last\n"));
    }
}

/// Sends a whole request, and gives the connection on which the answer comes.
fn ask(server: &Server, method: &str, path: &str, headers: &str) -> TcpStream {
    let address = server.address();
    send(
        server,
        &format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{headers}\r\n"),
    )
}

fn send(server: &Server, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).expect("it listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .expect("the deadline is not zero");
    stream.write_all(text.as_bytes()).expect("it reads");
    stream
}

/// Goes on with a byte now and then, until the server has enough of it.
fn drip_until_cut(stream: TcpStream) -> TcpStream {
    let mut writes = stream.try_clone().expect("there is a descriptor left");
    thread::spawn(move || {
        while writes.write_all(b"x").is_ok() {
            // Waits for nothing: to be slow is what this client is for.
            thread::sleep(Duration::from_millis(200));
        }
        // It may be closed by now.
        let _ = writes.shutdown(Shutdown::Write);
    });
    stream
}

fn read_all(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("it answers");
    String::from_utf8_lossy(&answer).into_owned()
}

/// What a server holds in memory, in bytes.
fn memory(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kilobytes
        .and_then(|text| text.parse::<u64>().ok())
        .expect("it says so")
        * 1024
}

/// What each open file of a server leads to.
fn open_files(server: &Server) -> Vec<String> {
    let files = fs::read_dir(format!("/proc/{}/fd", server.pid())).expect("it runs");
    let leads_to = |path: PathBuf| {
        fs::read_link(path)
            .ok()
            .map(|to| to.to_string_lossy().into_owned())
    };
    files.filter_map(|file| leads_to(file.ok()?.path())).collect()
}

/// A thousand connections are more files than a process may open as a rule.
fn allow_many_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).expect("up to the hard limit, anybody may");
}
