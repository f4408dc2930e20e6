//! The `http` target against real servers.

mod answers;
mod auth;
mod deferral;
mod redirect;
mod server;
mod site;

use punctual::engine::Ending;
use punctual::job::{Backoff, NewJob, State};
use punctual::run::AttemptOutcome;
use punctual::target::http::{HttpCall, HttpSettings, HttpTarget};
use punctual::{JobId, milliseconds, seconds};
use serde_json::json;

use self::server::{Reply, Server};
use self::site::Site;
use crate::target_house::{House, PATIENCE, eventually, once};

async fn house() -> House {
    house_with(HttpSettings::dev()).await
}

async fn house_with(settings: HttpSettings) -> House {
    let target = HttpTarget::new(settings).expect("settings");
    House::with(|worker| worker.handle(target)).await
}

fn get(url: impl AsRef<str>) -> HttpCall {
    HttpCall::get(url.as_ref()).expect("a call")
}

#[tokio::test]
async fn a_call_carries_its_headers_its_body_and_the_name_of_its_run() {
    let server = Server::that(|_| Reply::says("200 OK", "", "")).await;
    let house = house().await;
    let call = HttpCall::post(&server.url("/a?b=c#d")).expect("a call");
    let call = call.header("X-Tenant", "7").expect("a header");
    let call = call.json(&json!({"n": 1})).expect("JSON");
    let id = JobId::named("travels");
    let ending = house.ending(once(&call).id(id)).await;

    let request = server.requests().remove(0);
    assert_eq!(request.head.lines().next(), Some("POST /a?b=c HTTP/1.1"));
    assert_eq!(request.body, r#"{"n":1}"#);
    let run = ending.job().status.run.to_string();
    let version = concat!("punctual/", env!("CARGO_PKG_VERSION"));
    let (id, host) = (id.to_string(), server.address.to_string());
    for (name, value) in [
        ("host", host.as_str()),
        ("x-tenant", "7"),
        ("content-type", "application/json"),
        ("content-length", "7"),
        ("user-agent", version),
        ("punctual-job-id", &id),
        ("idempotency-key", &id),
        ("punctual-attempt", "1"),
        ("punctual-run", &run),
    ] {
        assert_eq!(request.header(name).as_deref(), Some(value), "{name}");
    }
}

#[tokio::test]
async fn a_call_of_a_schedule_tells_for_which_instant_it_is() {
    let server = Server::that(|_| Reply::says("200 OK", "", "")).await;
    let house = house().await;
    let ending = house.triggered(&get(server.url("/"))).await;
    let origin = ending.job().body.origin.clone().expect("a schedule made it");
    let request = server.requests().remove(0);
    let nominal_at = origin.nominal_at.to_string();
    for (name, value) in [
        ("punctual-schedule", "nightly"),
        ("punctual-nominal-time", &nominal_at),
        ("punctual-missed", "0"),
    ] {
        assert_eq!(request.header(name).as_deref(), Some(value), "{name}");
    }
}

#[tokio::test]
async fn a_text_and_bytes_are_sent_as_what_they_are_and_a_call_may_name_its_own_type() {
    let server = Server::that(|_| Reply::says("200 OK", "", "")).await;
    let house = house().await;
    let put = || HttpCall::put(&server.url("/")).expect("a call");
    house.result(&put().text("ñ")).await;
    house.result(&put().bytes(&b"\0\xff"[..])).await;
    let xml = put()
        .text("<a/>")
        .header("content-type", "text/xml")
        .expect("a header");
    house
        .result(&xml.header("user-agent", "mine").expect("a header"))
        .await;
    house.result(&get(server.url("/"))).await;
    let sent: Vec<_> = server
        .requests()
        .iter()
        .map(|request| request.header("content-type"))
        .collect();
    let sent: Vec<_> = sent.iter().map(Option::as_deref).collect();
    let octets = Some("application/octet-stream");
    assert_eq!(
        sent,
        [Some("text/plain; charset=utf-8"), octets, Some("text/xml"), None]
    );
    assert_eq!(server.requests()[0].body, "ñ");
    assert_eq!(server.requests()[2].header("user-agent").as_deref(), Some("mine"));
}

#[tokio::test]
async fn an_accepted_answer_is_kept_with_some_of_its_headers() {
    const HEADERS: &str = "content-type: text/plain\r\netag: \"7\"\r\nset-cookie: secret=1\r\n";
    let server = Server::that(|request| match request.path() {
        "/bytes" => Reply::says("201 Created", "", &b"\0\xff"[..]),
        _ => Reply::says("200 OK", HEADERS, "hello"),
    });
    let server = server.await;
    let house = house().await;
    let answer = house.result(&get(server.url("/"))).await;
    assert_eq!(
        (answer.status, answer.text(), answer.truncated),
        (200, Some("hello"), false)
    );
    let headers: Vec<_> = answer
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(headers, [("content-type", "text/plain"), ("etag", "\"7\"")]);

    let answer = house.result(&get(server.url("/bytes"))).await;
    assert_eq!((answer.status, &answer.body[..]), (201, &b"\0\xff"[..]));
}

#[tokio::test]
async fn of_a_long_body_the_beginning_is_kept_even_if_it_never_ends() {
    let server = Server::that(|request| match request.path() {
        "/endless" => Reply::Endless,
        _ => Reply::says("200 OK", "", "ñ".repeat(500_000)),
    });
    let server = server.await;
    let house = house().await;
    for path in ["/long", "/endless"] {
        let answer = house.result(&get(server.url(path))).await;
        assert!(
            answer.truncated && answer.body.len() > 40_000,
            "{path}: {}",
            answer.body.len()
        );
        assert!(answer.text().is_some(), "it ends with a whole character");
    }
}

#[tokio::test]
async fn a_refusal_that_will_not_pass_fails_at_once_and_tells_how_the_body_begins() {
    let server = Server::that(|request| match request.path() {
        "/moved" => Reply::says("302 Found", "location: /elsewhere\r\n", ""),
        "/endless" => Reply::EndlessRefusal,
        _ => Reply::says("404 Not Found", "", format!("no such hook{}", "!".repeat(10_000))),
    });
    let server = server.await;
    let house = house().await;
    let url = server.url("/a?secret=1");
    let (said, again) = house.failure(&get(&url)).await;
    let expected = format!("GET {} answered 404 Not Found: no such hook!!!", server.url("/a"));
    assert!(
        said.starts_with(&expected) && said.len() < 1_000 && !again,
        "{said}"
    );

    let (said, again) = house.failure(&get(server.url("/moved"))).await;
    assert!(
        said.ends_with("answered 302 Found, which leads to /elsewhere; redirects are not followed"),
        "{said}"
    );
    assert!(!again);

    let (said, again) = house.failure(&get(server.url("/endless"))).await;
    assert!(said.contains("answered 400 Bad Request: xxx") && !again, "{said}");
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn a_refusal_that_may_pass_is_tried_again() {
    let server = Server::that(|request| match request.header("punctual-attempt").as_deref() {
        Some("1") => Reply::says("500 Internal Server Error", "", "oh"),
        Some("2") => Reply::says("408 Request Timeout", "", ""),
        Some("3") => Reply::says("425 Too Early", "", ""),
        Some("4") => Reply::Breaks("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"),
        Some("5") => Reply::Breaks(""),
        Some("6") => Reply::Breaks("no HTTP at all\r\n\r\n"),
        _ => Reply::says("204 No Content", "", ""),
    });
    let server = server.await;
    let house = house().await;
    let job = NewJob::task(&get(server.url("/"))).expect("JSON");
    let ending = house.ending(job.backoff(Backoff::Fixed(milliseconds(0)))).await;
    assert!(matches!(ending, Ending::Succeeded(..)), "{ending:?}");
    let job = ending.job();
    assert_eq!(job.status.attempt, 7);
    let said: Vec<_> = job
        .status
        .history
        .iter()
        .filter_map(|attempt| attempt.error.as_deref())
        .collect();
    assert!(
        said[0].ends_with("answered 500 Internal Server Error: oh"),
        "{said:?}"
    );
    assert!(said[3].contains("answered 200, and then broke off"), "{said:?}");
    assert!(said[4].contains("got no answer"), "{said:?}");
    let mut keys = server
        .requests()
        .into_iter()
        .map(|request| request.header("idempotency-key"));
    assert!(keys.all(|key| key == Some(job.id().to_string())));
}

#[tokio::test]
async fn a_server_that_is_too_busy_says_when_to_come_again() {
    let server = Server::that(|request| match request.path() {
        "/later" => Reply::says("429 Too Many Requests", "retry-after: 120\r\n", ""),
        _ => Reply::says("503 Service Unavailable", "retry-after: 31536000\r\n", ""),
    });
    let server = server.await;
    let house = house().await;
    for (path, delay) in [("/later", seconds(120)), ("/next-year", seconds(3_600))] {
        let job = house.engine.enqueue(get(server.url(path))).await.expect("a job");
        let waits = |job: &punctual::job::Job| job.status.state == State::Waiting && job.status.attempt == 1;
        let job = house.until(job.id(), waits).await;
        assert_eq!(job.status.due, job.status.history[0].ended_at + delay);
    }
}

#[tokio::test]
async fn a_job_says_which_answers_it_accepts() {
    let server = Server::that(|request| match request.path() {
        "/gone" => Reply::says("410 Gone", "", "gone"),
        _ => Reply::says("200 OK", "", ""),
    });
    let server = server.await;
    let house = house().await;
    let gone_is_fine = |path| {
        get(server.url(path))
            .accept("410")
            .and_then(|call| call.accept("3xx"))
            .expect("codes")
    };
    assert_eq!(house.result(&gone_is_fine("/gone")).await.text(), Some("gone"));
    let (said, again) = house.failure(&gone_is_fine("/")).await;
    assert!(said.contains("answered 200 OK") && !again, "{said}");
}

#[tokio::test]
async fn a_private_address_is_refused_in_all_its_spellings_unless_it_is_allowed() {
    let server = Server::that(|_| Reply::says("200 OK", "", "")).await;
    let port = server.address.port();
    let house = house_with(HttpSettings::default()).await;
    for host in [
        "127.0.0.1",
        "127.1",
        "0x7f000001",
        "0x7f.1",
        "2130706433",
        "017700000001",
        "0177.0.0.1",
        "localhost",
        "0.0.0.0",
        "0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[0:0:0:0:0:ffff:7f00:0001]",
    ] {
        let (said, again) = house.failure(&get(format!("http://{host}:{port}/"))).await;
        assert!(said.contains("targets.http.allow") && !again, "{host}: {said}");
    }
    assert!(server.requests().is_empty() && server.connections() == 0);

    let allow = vec!["127.0.0.0/8".to_owned()];
    let house = house_with(HttpSettings { allow }).await;
    for host in ["127.0.0.1", "0x7f000001", "localhost"] {
        assert_eq!(
            house.result(&get(format!("http://{host}:{port}/"))).await.status,
            200
        );
    }
    let bad = HttpSettings {
        allow: vec!["10.0.0.0/40".to_owned()],
    };
    assert!(HttpTarget::new(bad).is_err());
}

#[tokio::test]
async fn metadata_of_clouds_is_refused_whatever_is_allowed() {
    let allow = vec!["0.0.0.0/0".to_owned(), "::/0".to_owned()];
    let house = house_with(HttpSettings { allow }).await;
    for host in [
        "169.254.169.254",
        "0xa9fea9fe",
        "[::ffff:a9fe:a9fe]",
        "[fd00:ec2::254]",
        "100.100.100.200",
    ] {
        let (said, again) = house
            .failure(&get(format!("http://{host}/latest/meta-data/")))
            .await;
        assert!(said.contains("never called") && !again, "{host}: {said}");
    }
}

#[tokio::test]
async fn a_call_without_an_answer_ends_with_its_run_and_closes_its_connection() {
    let server = Server::that(|_| Reply::Never).await;
    let house = house().await;
    let ending = house
        .ending(once(&get(server.url("/"))).timeout(milliseconds(200)))
        .await;
    let attempt = &ending.job().status.history[0];
    assert_eq!(attempt.outcome, AttemptOutcome::TimedOut);
    let said = attempt.error.clone().unwrap_or_default();
    assert!(
        said.starts_with("timed out after 200ms: GET http://127.0.0.1"),
        "{said}"
    );
    eventually("the connection is closed", || server.open() == 0).await;

    let job = house.engine.enqueue(get(server.url("/"))).await.expect("a job");
    eventually("the call has arrived", || server.requests().len() == 2).await;
    job.cancel("no longer wanted").await.expect("it runs");
    let ending = job.ending(PATIENCE).await.expect("an end");
    assert!(matches!(ending, Ending::Cancelled(..)), "{ending:?}");
    eventually("the connection is closed", || server.open() == 0).await;
}

#[tokio::test]
async fn a_call_that_gets_no_connection_may_be_tried_again() {
    // It accepts the connection and never says a word of TLS.
    let server = Server::that(|_| Reply::Never).await;
    let house = house().await;
    let url = format!("https://{}/", server.address);
    let call = get(url).connect_timeout(milliseconds(200)).expect("a length");
    let (said, again) = house.failure(&call).await;
    assert!(
        said.ends_with("got no connection within 200ms") && again,
        "{said}"
    );
    eventually("the connection is closed", || server.open() == 0).await;

    let nobody = Server::nobody().await;
    let (said, again) = house.failure(&get(format!("http://{nobody}/"))).await;
    assert!(
        said.contains(&format!("no connection to {nobody}")) && again,
        "{said}"
    );

    let (said, again) = house.failure(&get("http://no-such-host.invalid/")).await;
    // Where nobody answers questions for names, the time to connect is over first.
    let is_unknown = said.contains("the host was not found") || said.contains("got no connection within");
    assert!(is_unknown && again, "{said}");
}

#[tokio::test]
async fn connections_are_used_again() {
    let server = Server::that(|_| Reply::says("200 OK", "", "hello")).await;
    let house = house().await;
    for _ in 0..5 {
        house.result(&get(server.url("/"))).await;
    }
    assert_eq!((server.requests().len(), server.connections()), (5, 1));
}

#[tokio::test]
async fn nginx_is_called_over_kept_connections_and_ones_that_it_closes() {
    let Some(site) = Site::open() else { return };
    let house = house().await;
    let large = HttpCall::post(&site.url("/"))
        .expect("a call")
        .text("x".repeat(200_000));
    let (said, again) = house.failure(&large).await;
    assert!(said.contains("answered 413") && !again, "{said}");
    for _ in 0..20 {
        let answer = house.result(&get(site.url("/file"))).await;
        assert!(answer.truncated && answer.text().is_some_and(|text| text.starts_with("a line\n")));
        assert_eq!(
            house.result(&get(site.url("/short"))).await.text(),
            Some("short\n")
        );
    }
}

#[tokio::test]
async fn a_server_whose_certificate_nobody_vouches_for_is_not_called() {
    let Some(site) = Site::open() else { return };
    let house = house().await;
    let (said, again) = house.failure(&get(site.https_url("/short"))).await;
    assert!(said.contains("invalid peer certificate") && again, "{said}");
}

/// Where a payload is wrong.
fn refused(payload: &serde_json::Value) -> Vec<String> {
    let error = HttpCall::parse(payload.to_string().as_bytes()).expect_err("it is bad");
    error.fields().iter().map(|field| field.pointer.clone()).collect()
}

/// Where a payload is wrong that has this field besides those it must have.
fn refused_with(name: &str, value: serde_json::Value) -> Vec<String> {
    let mut payload = json!({"method": "GET", "url": "http://example.com/"});
    payload[name] = value;
    refused(&payload)
}

#[test]
fn a_bad_payload_is_refused_with_pointers_to_all_that_is_wrong() {
    assert_eq!(refused(&json!([])), ["/payload"]);
    assert_eq!(refused(&json!({})), ["/payload/method", "/payload/url"]);
    let much = json!({"method": "GET", "url": "ftp:", "body": "a", "json": null, "retries": 3});
    assert_eq!(
        refused(&much),
        ["/payload/url", "/payload/json", "/payload/retries"]
    );
    for (name, values) in [
        ("method", json!(["get", "", "CONNECT", "TRACE", "G T", 1, null])),
        (
            "accept",
            json!([[], [99], [600], ["1xx"], ["2xy"], "2xx", [200.5]]),
        ),
        ("connect_timeout", json!(["0", "61s", 5, "soon"])),
        ("base64", json!(["%", 1])),
        ("headers", json!([[], {"a": "1", "A": "2"}])),
    ] {
        for value in values.as_array().expect("a list") {
            assert_eq!(
                refused_with(name, value.clone()),
                [format!("/payload/{name}")],
                "{value}"
            );
        }
    }
    let twice = br#"{"method": "GET", "url": "http://a/", "url": "http://b/"}"#;
    assert!(
        HttpCall::parse(twice)
            .expect_err("bad")
            .to_string()
            .contains("given twice")
    );
}

#[test]
fn only_urls_that_can_be_called_are_accepted() {
    for url in [
        "",
        "example.com",
        "/path",
        "ftp://example.com/",
        "http://",
        "http:///a",
        "http://a b/",
        "http://user:secret@example.com/",
        "http://example.com:0/",
        "http://example.com:99999/",
        "http://example.com/\u{0}",
        "http://exämple.com/",
        "javascript:1",
    ] {
        assert_eq!(refused_with("url", json!(url)), ["/payload/url"], "{url}");
    }
}

#[test]
fn a_job_sets_no_header_that_frames_a_message_or_names_its_run() {
    for name in [
        "host",
        "Content-Length",
        "transfer-encoding",
        "connection",
        "Upgrade",
        "punctual-run",
        "Idempotency-Key",
        "a b",
        "",
        "a\r\nb",
    ] {
        let pointer = format!("/payload/headers/{name}");
        assert_eq!(refused_with("headers", json!({name: "x"})), [pointer], "{name}");
    }
    assert_eq!(
        refused_with("headers", json!({"a": "x\r\ny: z"})),
        ["/payload/headers/a"]
    );
    assert_eq!(
        refused_with("headers", json!({"a/b~c": 1})),
        ["/payload/headers/a~1b~0c"]
    );
}

#[test]
fn a_body_of_json_stays_as_it_is_written() {
    let exact = r#"{"method":"POST","url":"http://example.com/","json":{"n":12345678901234567890123}}"#;
    let call = HttpCall::parse(exact.as_bytes()).expect("a call");
    assert_eq!(serde_json::to_string(&call).expect("JSON"), exact);
}
