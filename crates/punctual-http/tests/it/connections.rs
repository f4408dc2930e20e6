//! Connections: what half-sent requests, pipelines and a stop do to them.

use std::time::Duration;

use punctual::clock::{Clock, SystemClock};
use punctual::engine::Engine;
use punctual_http::server::ServerSettings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::WriteHalf;

use crate::house::{Answer, House, within};

#[tokio::test]
async fn garbage_is_answered_or_dropped_and_the_server_lives_on() {
    let house = House::in_memory().await;
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx",
        b"\0\0\0\0\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(house.address).await.expect("it listens");
        stream.write_all(garbage).await.expect("it reads");
        stream.shutdown().await.expect("our half closes");
        let mut answer = Vec::new();
        let _ = within(stream.read_to_end(&mut answer)).await;
        let text = String::from_utf8_lossy(&answer);
        assert!(text.is_empty() || text.starts_with("HTTP/1.1 4"), "{garbage:?}: {text}");
    }
    assert_eq!(house.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn what_is_no_request_at_all_is_answered_with_a_problem_as_well() {
    let house = House::in_memory().await;
    let host = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n";
    for (request, status) in [
        ("GET\r\n\r\n".to_owned(), 400),
        (format!("{host}Content-Length: -1\r\n\r\n"), 400),
        (format!("{host}X: {}\r\n\r\n", "x".repeat(200_000)), 431),
        (format!("{host}{}\r\n", "X: y\r\n".repeat(150)), 431),
    ] {
        let mut stream = connect(&house).await;
        within(stream.write_all(request.as_bytes()))
            .await
            .expect("the server hears it out");
        let answer = within(Answer::read(&mut stream)).await;
        assert!(answer.problem(status).is_empty(), "{answer:?}");
    }
}

#[tokio::test]
async fn headers_without_end_are_cut_off() {
    let house = House::in_memory().await;
    let mut stream = TcpStream::connect(house.address).await.expect("it listens");
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n")
        .await
        .expect("it reads");
    let header = format!("X-Long: {}\r\n", "x".repeat(1000));
    for _ in 0..200 {
        if stream.write_all(header.as_bytes()).await.is_err() {
            break;
        }
    }
    let mut answer = Vec::new();
    let _ = within(stream.read_to_end(&mut answer)).await;
    let text = String::from_utf8_lossy(&answer);
    assert!(text.is_empty() || text.starts_with("HTTP/1.1 431"), "{text}");
}

#[tokio::test]
async fn several_requests_share_a_connection() {
    let house = House::in_memory().await;
    let mut stream = TcpStream::connect(house.address).await.expect("it listens");
    let request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n";
    let pipeline = format!("{request}\r\n{request}Connection: close\r\n\r\n");
    stream.write_all(pipeline.as_bytes()).await.expect("it reads");
    let mut answers = String::new();
    within(stream.read_to_string(&mut answers))
        .await
        .expect("it answers");
    assert_eq!(answers.matches("HTTP/1.1 200").count(), 2, "{answers}");
}

#[tokio::test]
async fn a_request_under_way_ends_before_the_server_stops() {
    let mut house = House::in_memory().await;
    let body = br#"{"kind": "mail"}"#;
    let head = format!(
        "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(house.address).await.expect("it listens");
    stream.write_all(head.as_bytes()).await.expect("it reads");
    // An answer to a later request proves that the server has taken this connection up.
    assert_eq!(house.get("/healthz").await.status, 200);
    house.stop();
    let engine = house.engine.clone();
    let stopped = tokio::spawn(house.stopped());
    stream.write_all(body).await.expect("it reads on");
    let answer = within(Answer::read(&mut stream)).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    engine
        .fetch(answer.id())
        .await
        .expect("what was acknowledged is stored");
    within(stopped).await.expect("the server stops");
}

/// A server that soon has enough.
async fn impatient(settings: ServerSettings) -> House {
    House::with(Engine::open("memory:").await.expect("memory opens"), settings).await
}

async fn connect(house: &House) -> TcpStream {
    TcpStream::connect(house.address).await.expect("it listens")
}

#[tokio::test]
async fn a_connection_whose_headers_do_not_come_is_ended() {
    let house = impatient(ServerSettings {
        header_deadline: Duration::from_millis(100),
        ..ServerSettings::default()
    })
    .await;
    for half in [
        "",
        "GET /healthz HTT",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-",
    ] {
        let mut stream = connect(&house).await;
        stream.write_all(half.as_bytes()).await.expect("it reads");
        let mut answer = String::new();
        let _ = within(stream.read_to_string(&mut answer)).await;
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 408"),
            "{half:?}: {answer}"
        );
    }
    assert_eq!(house.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn headers_that_come_drop_by_drop_get_no_more_time_than_others() {
    let house = impatient(ServerSettings {
        header_deadline: Duration::from_millis(100),
        ..ServerSettings::default()
    })
    .await;
    let mut stream = connect(&house).await;
    let (mut reads, mut writes) = stream.split();
    let ended = async {
        let _ = reads.read_to_end(&mut Vec::new()).await;
    };
    within(async {
        tokio::select! {
            biased;
            () = ended => {}
            () = drip_until_refused(&mut writes) => {}
        }
    })
    .await;
}

/// A server that only counted the pauses would listen for ever.
async fn drip_until_refused(writes: &mut WriteHalf<'_>) {
    let clock = SystemClock::new();
    while writes.write_all(b"X").await.is_ok() {
        clock.sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up_and_nothing_is_stored() {
    let house = impatient(ServerSettings {
        body_deadline: Duration::from_millis(100),
        ..ServerSettings::default()
    })
    .await;
    let mut stream = connect(&house).await;
    let half = "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                Content-Length: 16\r\n\r\n{\"kind\":";
    stream.write_all(half.as_bytes()).await.expect("it reads");
    within(Answer::read(&mut stream)).await.problem(408);
    assert_eq!(house.jobs().await, 0);
}

#[tokio::test]
async fn connections_beyond_the_cap_are_served_once_others_have_ended() {
    let house = impatient(ServerSettings {
        connections: 2,
        ..ServerSettings::default()
    })
    .await;
    let mut held = [connect(&house).await, connect(&house).await];
    for stream in &mut held {
        ask_alive(stream).await;
    }
    let mut third = connect(&house).await;
    third.write_all(ALIVE).await.expect("the system takes it");
    for stream in &mut held {
        ask_alive(stream).await;
    }
    let early = third.try_read(&mut [0; 1]).map_err(|error| error.kind());
    assert_eq!(
        early,
        Err(std::io::ErrorKind::WouldBlock),
        "there is no place for it"
    );
    drop(held);
    hear_alive(&mut third).await;
}

#[tokio::test]
async fn a_client_that_reads_no_answer_loses_its_connection() {
    let house = impatient(ServerSettings {
        write_deadline: Duration::from_millis(100),
        ..ServerSettings::default()
    })
    .await;
    let large = format!(r#"{{"kind": "mail", "payload": "{}"}}"#, "x".repeat(250_000));
    let id = house.post("/v1/jobs", large).await.id();
    let mut stream = connect(&house).await;
    let request = format!("GET /v1/jobs/{id} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    // More answers than the system keeps for a reader: the server must wait, and in the end give up.
    let pipelined = async { while stream.write_all(request.as_bytes()).await.is_ok() {} };
    within(pipelined).await;
    assert_eq!(house.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn a_client_that_sends_all_before_it_reads_is_told_why_it_was_refused() {
    let house = House::in_memory().await;
    let json = "Content-Type: application/json\r\n";
    let large = "x".repeat(10 * 1024 * 1024);
    let length = format!("Content-Length: {}\r\n", large.len());
    for (line, headers, status) in [
        ("POST /v1/jobs", json, 413),
        ("POST /v1/jobs", "", 415),
        ("PUT /v1/jobs", json, 405),
        ("POST /v1/nothing", json, 404),
    ] {
        let head = format!("{line} HTTP/1.1\r\nHost: localhost\r\n{headers}{length}\r\n");
        let mut stream = connect(&house).await;
        let sent = async {
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(large.as_bytes()).await
        };
        within(sent).await.expect("the server hears it out");
        within(Answer::read(&mut stream)).await.problem(status);
    }
}

#[tokio::test]
async fn a_client_that_never_ends_is_not_heard_out() {
    let house = House::in_memory().await;
    let mut stream = connect(&house).await;
    let head = "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.expect("it reads");
    let piece = vec![b'x'; 1024 * 1024];
    within(async { while stream.write_all(&piece).await.is_ok() {} }).await;
    assert_eq!(house.get("/healthz").await.status, 200);
}

const ALIVE: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

async fn ask_alive(stream: &mut TcpStream) {
    stream.write_all(ALIVE).await.expect("it reads");
    hear_alive(stream).await;
}

/// Reads one answer on a connection that stays.
async fn hear_alive(stream: &mut TcpStream) {
    let mut heard = String::new();
    while !heard.ends_with('}') {
        let mut piece = [0; 1024];
        let read = within(stream.read(&mut piece)).await.expect("it answers");
        assert!(read > 0, "the connection ended after {heard:?}");
        heard.push_str(std::str::from_utf8(&piece[..read]).expect("answers are text"));
    }
    assert!(heard.starts_with("HTTP/1.1 200"), "{heard}");
}
