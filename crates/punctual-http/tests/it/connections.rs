//! Connections: what half-sent requests, pipelines and a stop do to them.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::house::{Answer, House, within};

#[tokio::test]
async fn garbage_is_answered_or_dropped_and_the_server_lives_on() {
    let house = House::open().await;
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
async fn headers_without_end_are_cut_off() {
    let house = House::open().await;
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
    let house = House::open().await;
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
    let mut house = House::open().await;
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
