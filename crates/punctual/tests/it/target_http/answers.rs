//! What a job says of answers: which mean what, and how much of them is kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use punctual::job::{NewJob, State};
use punctual::run::AttemptOutcome;
use punctual::target::Verdict;
use punctual::{milliseconds, seconds};
use serde_json::json;

use super::server::{Reply, Server};
use super::{get, house, refused, refused_with};
use crate::target_house::once;

/// A server that answers with the status that is the path.
async fn mirror() -> Server {
    Server::that(|request| {
        let status = request.path().trim_start_matches('/').to_owned();
        let again = request.header("punctual-run").unwrap_or_default();
        Reply::says(&format!("{status} Something"), "", format!("run {again}"))
    })
    .await
}

#[tokio::test]
async fn a_table_says_what_an_answer_means_and_codes_go_before_classes() {
    let server = mirror().await;
    let house = house().await;
    let call = |path: &str| {
        get(server.url(path))
            .accept("3xx")
            .and_then(|call| call.answer("404", Verdict::Done))
            .and_then(|call| call.answer("4xx", Verdict::Retry(None)))
            .and_then(|call| call.answer("5xx", Verdict::Fail))
            .and_then(|call| call.answer("503", Verdict::Retry(None)))
            .and_then(|call| call.answer("302", Verdict::Fail))
            .expect("a table")
    };
    for path in ["/404", "/304"] {
        assert_eq!(
            house.result(&call(path)).await.status.to_string(),
            path[1..],
            "{path}"
        );
    }
    for (path, again) in [
        ("/400", true),
        ("/500", false),
        ("/503", true),
        ("/302", false),
        // Who says what is accepted says so of 2xx, too.
        ("/200", false),
    ] {
        let (said, tried_again) = house.failure(&call(path)).await;
        assert!(said.contains(&format!("answered {}", &path[1..])), "{said}");
        assert_eq!(again, tried_again, "{path}");
    }
    let unset = get(server.url("/201"))
        .answer("404", Verdict::Done)
        .expect("a table");
    assert_eq!(house.result(&unset).await.status, 201);
}

#[tokio::test]
async fn a_table_says_when_to_come_again_unless_the_server_does() {
    let server = Server::that(|request| match request.path() {
        "/server" => Reply::says("409 Conflict", "retry-after: 120\r\n", ""),
        "/once"
            if request
                .header("punctual-run")
                .is_some_and(|run| run.ends_with('0')) =>
        {
            Reply::Never
        }
        _ => Reply::says("409 Conflict", "", ""),
    });
    let server = server.await;
    let house = house().await;
    for (path, verdict, delay, attempts) in [
        ("/job", Verdict::Retry(Some(seconds(60))), seconds(60), 1),
        ("/server", Verdict::Retry(Some(seconds(60))), seconds(120), 1),
        ("/job", Verdict::Snooze(seconds(60)), seconds(60), 0),
        ("/server", Verdict::Snooze(seconds(60)), seconds(120), 0),
    ] {
        let call = get(server.url(path)).answer("409", verdict).expect("a table");
        let job = house.engine.enqueue(call).await.expect("a job");
        let waits =
            |job: &punctual::job::Job| job.status.state == State::Waiting && !job.status.history.is_empty();
        let job = house.until(job.id(), waits).await;
        // The worker counts from its answer, and the store from when that is written.
        let waits = job.status.due.since(job.status.history[0].ended_at);
        assert!(waits <= delay && waits + seconds(30) > delay, "{path}: {waits:?}");
        assert_eq!(job.status.attempt, attempts, "{path}");
    }
}

#[tokio::test]
async fn a_job_that_snoozes_is_asked_for_until_its_answer_is_there() {
    let busy = Arc::new(AtomicUsize::new(0));
    let counted = busy.clone();
    let server = Server::that(move |_| match counted.fetch_add(1, Ordering::SeqCst) {
        0..3 => Reply::says("404 Not Found", "", ""),
        _ => Reply::says("200 OK", "", "ready"),
    });
    let server = server.await;
    let house = house().await;
    let call = get(server.url("/"))
        .answer("404", Verdict::Snooze(milliseconds(1)))
        .expect("a table");
    let ending = house.ending(once(&call)).await;
    let status = &ending.job().status;
    assert_eq!((status.state, status.attempt), (State::Succeeded, 1));
    let snoozed = status
        .history
        .iter()
        .filter(|run| run.outcome == AttemptOutcome::Snoozed);
    assert_eq!(snoozed.count(), 3);
}

#[tokio::test]
async fn a_job_says_which_headers_and_how_much_of_the_body_are_kept() {
    const HEADERS: &str = "x-total: 7\r\nlink: <a>\r\nlink: <b>\r\ncontent-type: text/plain\r\n";
    let server = Server::that(|_| Reply::says("200 OK", HEADERS, "a long body")).await;
    let house = house().await;
    let call = get(server.url("/"))
        .keep_header("X-Total")
        .and_then(|call| call.keep_header("link"))
        .and_then(|call| call.keep_header("x-not-there"))
        .and_then(|call| call.keep_body(6))
        .expect("a call");
    let answer = house.result(&call).await;
    let headers: Vec<_> = answer
        .headers
        .iter()
        .map(|(name, value)| (&name[..], &value[..]))
        .collect();
    assert_eq!(
        headers,
        [
            ("content-type", "text/plain"),
            ("link", "<a>, <b>"),
            ("x-total", "7")
        ]
    );
    assert_eq!((answer.text(), answer.truncated), (Some("a long"), true));
    let nothing = get(server.url("/")).keep_body(0).expect("a call");
    let answer = house.result(&nothing).await;
    assert_eq!((answer.text(), answer.truncated), (Some(""), true));
}

#[test]
fn a_call_is_written_as_it_is_read() {
    let payload = json!({
        "method": "POST",
        "url": "https://example.com/hook",
        "json": {"n": 1},
        "auth": {"basic": {"user": "u", "password": {"secret": "mail"}}},
        "sign": {"secret": "hooks"},
        "accept": [200, "3xx"],
        "answers": {"404": "done", "409": {"retry": "30s"}, "423": {"snooze": "5m"}, "5xx": "fail", "4xx": "retry"},
        "follow": 3,
        "keep_headers": ["x-total"],
        "keep_body": 0,
        "connect_timeout": "5s"
    });
    let call = punctual::target::http::HttpCall::parse(payload.to_string().as_bytes()).expect("a call");
    assert_eq!(serde_json::to_value(&call).expect("JSON"), payload);
    let job = NewJob::task(&call).expect("JSON");
    assert_eq!(job.kind, "http");
}

#[test]
fn a_bad_table_is_refused_where_it_is_wrong() {
    for (table, pointer) in [
        (json!({"99": "done"}), "/payload/answers/99"),
        (json!({"6xx": "done"}), "/payload/answers/6xx"),
        (json!({"404": "ignore"}), "/payload/answers/404"),
        (json!({"404": {"retry": "soon"}}), "/payload/answers/404"),
        (json!({"404": {"snooze": "0s"}}), "/payload/answers/404"),
        (
            json!({"404": {"retry": "1s", "snooze": "1s"}}),
            "/payload/answers/404",
        ),
        (json!({"404": null}), "/payload/answers/404"),
        (json!([]), "/payload/answers"),
    ] {
        assert_eq!(refused_with("answers", table.clone()), [pointer], "{table}");
    }
    let both = json!({"method": "GET", "url": "http://a/", "accept": [404], "answers": {"404": "fail"}});
    assert_eq!(refused(&both), ["/payload/answers/404"]);
    for (name, values) in [
        ("follow", json!([-1, 11, "3", 1.5])),
        ("keep_headers", json!([["a b"], "x", [1], vec!["x"; 17]])),
        ("keep_body", json!([-1, 45_057, "1KiB"])),
    ] {
        for value in values.as_array().expect("a list") {
            assert_eq!(
                refused_with(name, value.clone()),
                [format!("/payload/{name}")],
                "{value}"
            );
        }
    }
}
