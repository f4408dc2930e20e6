//! What `punctual job add http` and `add command` say to their targets.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread::{self, JoinHandle};

use crate::house::{Beside, House, NOTHING_BESIDE};

/// Answers one call with this, and gives what it was sent.
fn answer_once(answer: &'static [u8]) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/", listener.local_addr().expect("it is bound"));
    let called = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a call");
        let lines = BufReader::new(stream.try_clone().expect("a socket")).lines();
        let head = lines.map(|line| line.expect("text"));
        let head: Vec<String> = head.take_while(|line| !line.is_empty()).collect();
        stream.write_all(answer).expect("it listens");
        head.join("\n").to_ascii_lowercase()
    });
    (url, called)
}

#[test]
fn a_call_carries_secrets_that_only_the_runner_knows() {
    let house = House::with(Beside {
        variables: &[("PUNCTUAL_SECRETS__BILLING", "s3cret-token")],
        ..NOTHING_BESIDE
    });
    for (flag, value, sent) in [
        ("--bearer-secret", "billing", "authorization: bearer s3cret-token"),
        (
            "--basic-secret",
            "ann:billing",
            "authorization: basic yw5uonmzy3jldc10b2tlbg==",
        ),
    ] {
        let (url, called) = answer_once(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        let added = house.job(&["add", "http", "GET", &url, flag, value, "--wait"]);
        assert_eq!(added.code, 0, "{added:?}");
        let head = called.join().expect("it was called");
        assert!(head.contains(sent), "{head}");
    }
    assert!(!house.job(&["list", "--json"]).stdout.contains("s3cret"));
}

#[test]
fn an_answer_means_what_the_job_says_and_keeps_the_headers_it_names() {
    let house = House::open();
    let (url, called) = answer_once(b"HTTP/1.1 409 Conflict\r\nx-shelf: 7\r\ncontent-length: 0\r\n\r\n");
    let add = [
        "add",
        "http",
        "PUT",
        &url,
        "--answer",
        "409=done",
        "--keep-header",
    ];
    let job = house.json(&[&add[..], &["x-shelf", "--wait", "--print-json"]].concat());
    called.join().expect("it was called");
    assert_eq!(job["result"]["status"], 409);
    assert_eq!(job["result"]["headers"]["x-shelf"], "7");
}

#[test]
fn bytes_that_are_no_text_come_from_a_file_or_the_input_as_they_are() {
    let house = House::open();
    std::fs::write(house.folder.path().join("bytes"), b"a\xff\n").expect("it is ours");
    let count = ["--wait", "--", "od", "-An", "-tx1"];
    let fed = house.job(&[&["add", "command", "--stdin", "@bytes"], &count[..]].concat());
    assert_eq!((fed.code, fed.stdout.trim()), (0, "61 ff 0a"), "{fed:?}");

    let bytes = std::fs::File::open(house.folder.path().join("bytes")).expect("it is there");
    let mut piped = house.command(&[&["add", "command", "--stdin", "@-"], &count[..]].concat());
    let piped = piped.stdin(bytes).output().expect("it starts");
    assert_eq!(String::from_utf8_lossy(&piped.stdout).trim(), "61 ff 0a");

    let post = [
        "add",
        "http",
        "POST",
        "http://127.0.0.1:9/",
        "--in",
        "1h",
        "--print-json",
        "--body",
    ];
    let body = |text: &str| house.json(&[&post[..], &[text]].concat())["payload"].clone();
    assert_eq!(body("@bytes")["base64"], "Yf8K");
    std::fs::write(house.folder.path().join("text"), "a\n").expect("it is ours");
    assert_eq!(
        (&body("@text")["body"], &body("hi")["body"]),
        (&"a\n".into(), &"hi".into())
    );
}

#[test]
fn an_answer_that_is_no_text_is_printed_byte_for_byte() {
    let house = House::open();
    let (url, called) = answer_once(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n\xffa\xfe");
    let read = house
        .command(&["add", "http", "GET", &url, "--wait"])
        .output()
        .expect("it starts");
    called.join().expect("it was called");
    assert_eq!(read.stdout, b"\xffa\xfe");
}

#[test]
fn whoever_reads_a_body_is_told_that_it_was_cut() {
    let house = House::open();
    for (answer, read) in [
        (
            &b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\nhello world"[..],
            "hello",
        ),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", "hello"),
    ] {
        let (url, called) = answer_once(answer);
        let got = house.job(&["add", "http", "GET", &url, "--keep-body", "5", "--wait"]);
        called.join().expect("it was called");
        assert_eq!((got.code, got.stdout.trim_end()), (0, read), "{got:?}");
        let is_cut = got.stderr.contains("cut to 5 bytes; --keep-body");
        assert_eq!(is_cut, answer.ends_with(b"world"), "{got:?}");
    }
}

#[test]
fn a_command_reads_its_input_from_a_file_and_its_end_means_what_the_job_says() {
    let house = House::open();
    std::fs::write(house.folder.path().join("words"), "b\na\n").expect("it is ours");
    let sorted = house.job(&["add", "command", "--stdin", "@words", "--wait", "--", "sort"]);
    assert_eq!((sorted.code, sorted.stdout.as_str()), (0, "a\nb\n"));

    let shell = ["add", "command", "--shell", "echo \"$1\"; exit 70", "--wait"];
    let done = house.job(&[&shell[..], &["--exit-code", "64-78=done", "--", "a; b"]].concat());
    assert_eq!((done.code, done.stdout.as_str()), (0, "a; b\n"));
    let failed = house.job(&[&shell[..], &["--exit-code", "64-78=fail"]].concat());
    assert_eq!(failed.code, 1, "{failed:?}");
    let both = house.job(&["add", "command", "--stdin", "@nowhere", "--", "sort"]);
    assert_eq!(both.code, 64, "{both:?}");
    assert_eq!(both.stderr, "punctual: --stdin: nowhere: there is no such file\n");
}
