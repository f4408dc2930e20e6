//! Bad input is refused with a problem document that points at the place; nothing is kept, nothing panics.

use serde_json::Value;

use crate::house::House;

/// A body, the status, and the places that the answer must point at.
const BODIES: &[(&str, u16, &[&str])] = &[
    // no JSON at all
    ("", 400, &[]),
    ("{", 400, &[]),
    ("kind=mail", 400, &[]),
    (r#"{"kind": "mail"} x"#, 400, &[]),
    // JSON of another shape
    ("[]", 422, &[""]),
    ("3", 422, &[""]),
    (r#"{"kind": 7}"#, 422, &["/kind"]),
    (r#"{"kind": "mail", "tags": ["a", 1]}"#, 422, &["/tags/1"]),
    (r#"{"kind": "mail", "priority": "high"}"#, 422, &["/priority"]),
    (r#"{"kind": "mail", "priority": 2.5}"#, 422, &["/priority"]),
    (r#"{"kind": "mail", "unique": 3}"#, 422, &["/unique"]),
    (r#"{"kind": "mail", "unique": {"key": 3}}"#, 422, &["/unique/key"]),
    (
        r#"{"kind": "mail", "unique": {"key": "k", "on_conflict": "fight"}}"#,
        422,
        &["/unique/on_conflict"],
    ),
    (r#"{"kind": "mail", "unique": []}"#, 422, &["/unique"]),
    (r#"{"kind": "mail", "unique": false}"#, 422, &["/unique"]),
    // an object that names no key is none that says what it is unique by
    (r#"{"kind": "mail", "unique": {}}"#, 422, &["/unique/key"]),
    (
        r#"{"kind": "mail", "unique": {"key": null}}"#,
        422,
        &["/unique/key"],
    ),
    (
        r#"{"kind": "mail", "unique": {"window": "5m"}}"#,
        422,
        &["/unique/key"],
    ),
    // a word is a text, and nothing that could be read as one
    (
        r#"{"kind": "mail", "on_lost": {"retry": null}}"#,
        422,
        &["/on_lost"],
    ),
    (
        r#"{"kind": "mail", "backoff": {"type": null}}"#,
        422,
        &["/backoff/type"],
    ),
    (r#"{"kind": "mail", "backoff": {}}"#, 422, &["/backoff/type"]),
    (
        r#"{"kind": "mail", "backoff": ["fixed", null, null, null, "1s"]}"#,
        422,
        &["/backoff"],
    ),
    (
        r#"{"kind": "mail", "backoff": {"type": "wild"}}"#,
        422,
        &["/backoff/type"],
    ),
    // unknown fields
    (r#"{"kind": "mail", "colour": "red"}"#, 422, &["/colour"]),
    (
        r#"{"kind": "mail", "unique": {"key": "k", "until": "5m"}}"#,
        422,
        &["/unique/until"],
    ),
    (
        r#"{"kind": "mail", "backoff": {"type": "fixed", "delay": "1s", "jitter": true}}"#,
        422,
        &["/backoff/jitter"],
    ),
    (r#"{"kind": "mail", "kind": "mail"}"#, 422, &["/kind"]),
    // missing, excluding each other
    ("{}", 422, &["/kind"]),
    (
        r#"{"kind": "mail", "run_at": "2026-12-01T09:00:00Z", "delay": "5m"}"#,
        422,
        &["/delay"],
    ),
    (
        r#"{"kind": "mail", "payload": 1, "payload_base64": "AA=="}"#,
        422,
        &["/payload_base64"],
    ),
    (
        r#"{"kind": "mail", "backoff": {"type": "fixed"}}"#,
        422,
        &["/backoff/delay"],
    ),
    (
        r#"{"kind": "mail", "backoff": {"type": "fixed", "delay": "1s", "factor": 2}}"#,
        422,
        &["/backoff/factor"],
    ),
    // values out of range
    (r#"{"kind": ""}"#, 422, &["/kind"]),
    (r#"{"kind": "mail", "priority": 99}"#, 422, &["/priority"]),
    (r#"{"kind": "mail", "priority": -1}"#, 422, &["/priority"]),
    (r#"{"kind": "mail", "priority": 300}"#, 422, &["/priority"]),
    (r#"{"kind": "mail", "max_attempts": 0}"#, 422, &["/max_attempts"]),
    (
        r#"{"kind": "mail", "max_attempts": 9000000000}"#,
        422,
        &["/max_attempts"],
    ),
    (r#"{"kind": "mail", "queue": ""}"#, 422, &["/queue"]),
    (r#"{"kind": "mail", "queue": "a b"}"#, 422, &["/queue"]),
    (
        r#"{"kind": "mail", "unique": {"key": ""}}"#,
        422,
        &["/unique/key"],
    ),
    (
        r#"{"kind": "mail", "backoff": {"type": "list", "delays": []}}"#,
        422,
        &["/backoff/delays"],
    ),
    // identifiers, instants, lengths
    (r#"{"kind": "mail", "id": "17"}"#, 422, &["/id"]),
    (
        r#"{"kind": "mail", "payload_base64": "?"}"#,
        422,
        &["/payload_base64"],
    ),
    (r#"{"kind": "mail", "run_at": "tomorrow"}"#, 422, &["/run_at"]),
    (
        r#"{"kind": "mail", "run_at": "2026-12-01T09:00:00"}"#,
        422,
        &["/run_at"],
    ),
    (
        r#"{"kind": "mail", "run_at": "2026-02-30T09:00:00Z"}"#,
        422,
        &["/run_at"],
    ),
    (
        r#"{"kind": "mail", "run_at": "99999-01-01T00:00:00Z"}"#,
        422,
        &["/run_at"],
    ),
    (r#"{"kind": "mail", "delay": "soon"}"#, 422, &["/delay"]),
    (r#"{"kind": "mail", "delay": "-5m"}"#, 422, &["/delay"]),
    (
        r#"{"kind": "mail", "delay": "99999999999999999999h"}"#,
        422,
        &["/delay"],
    ),
    (r#"{"kind": "mail", "timeout": "9999d"}"#, 422, &["/timeout"]),
    (
        r#"{"kind": "mail", "backoff": {"type": "list", "delays": ["1s", "x"]}}"#,
        422,
        &["/backoff/delays/1"],
    ),
    // NUL in text
    (r#"{"kind": "ma\u0000il"}"#, 422, &["/kind"]),
    (r#"{"kind": "mail", "queue": "q\u0000"}"#, 422, &["/queue"]),
    (r#"{"kind": "mail", "tags": ["\u0000"]}"#, 422, &["/tags/0"]),
    (
        r#"{"kind": "mail", "unique": {"key": "\u0000"}}"#,
        422,
        &["/unique/key"],
    ),
    // payloads of targets
    (r#"{"kind": "http"}"#, 422, &["/payload"]),
    (
        r#"{"kind": "http", "payload": {"method": "GET", "url": "ftp://x"}}"#,
        422,
        &["/payload/url"],
    ),
    (
        r#"{"kind": "http", "payload": {"method": "get", "url": "http://x", "colour": 1}}"#,
        422,
        &["/payload/method", "/payload/colour"],
    ),
    (
        r#"{"kind": "command", "payload": {"args": []}}"#,
        422,
        &["/payload/program"],
    ),
    (
        r#"{"kind": "command", "payload": {"program": "a\u0000"}}"#,
        422,
        &["/payload/program"],
    ),
    // several at once
    (
        r#"{"kind": "mail", "id": "x", "delay": "x", "timeout": "x", "unique": {"window": "x"}}"#,
        422,
        &["/id", "/delay", "/timeout", "/unique/window", "/unique/key"],
    ),
];

#[tokio::test]
async fn a_bad_job_is_refused_and_pointed_at() {
    let house = House::in_memory().await;
    for (body, status, places) in BODIES {
        let answer = house.post("/v1/jobs", body).await;
        let mut found = answer.problem(*status);
        let mut expected: Vec<String> = places.iter().map(|place| (*place).to_owned()).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{body}: {}", answer.body);
    }
    assert_eq!(house.jobs().await, 0);
    assert_eq!(house.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn rules_tell_every_bad_field_at_once() {
    let house = House::in_memory().await;
    let body = r#"{"kind": "", "priority": 99, "max_attempts": 0, "queue": "a b"}"#;
    let found = house.post("/v1/jobs", body).await.problem(422);
    for place in ["/kind", "/priority", "/max_attempts", "/queue"] {
        assert!(
            found.iter().any(|at| at == place),
            "{place} is missing in {found:?}"
        );
    }
}

#[tokio::test]
async fn what_is_wrong_is_told_without_words_of_rust() {
    const RUST: [&str; 10] = [
        "i64", "f64", "variant", "sequence", "map", "struct", "enum", "tuple", "string", "expected",
    ];
    let house = House::in_memory().await;
    for value in [
        "1.5",
        "1e30",
        "\"text\"",
        "true",
        "[]",
        "[[]]",
        "{}",
        "{\"a\": 1}",
        "7",
    ] {
        for field in FIELDS {
            let (front, back) = field.split_once('$').expect("a place for the value");
            let body = format!("{front}{value}{back}");
            let answer = house.post("/v1/jobs", &body).await;
            if answer.status < 400 {
                continue;
            }
            let told = answer.body["detail"].as_str().unwrap_or_default();
            let words: Vec<&str> = told.split(|c: char| !c.is_alphanumeric()).collect();
            assert!(!RUST.iter().any(|word| words.contains(word)), "{body}: {told}");
            assert!(!answer.problem(422).is_empty(), "{body}: {told}");
        }
    }
}

/// Bodies with a place (`$`) for a value of any type.
const FIELDS: &[&str] = &[
    "$",
    r#"{"kind": "mail", "id": $}"#,
    r#"{"kind": $}"#,
    r#"{"kind": "mail", "payload_base64": $}"#,
    r#"{"kind": "mail", "priority": $}"#,
    r#"{"kind": "mail", "delay": $}"#,
    r#"{"kind": "mail", "tags": $}"#,
    r#"{"kind": "mail", "tags": [$]}"#,
    r#"{"kind": "mail", "max_attempts": $}"#,
    r#"{"kind": "mail", "on_lost": $}"#,
    r#"{"kind": "mail", "colour": $}"#,
    r#"{"kind": "mail", "unique": $}"#,
    r#"{"kind": "mail", "unique": {"key": $}}"#,
    r#"{"kind": "mail", "unique": {"key": "k", "on_conflict": $}}"#,
    r#"{"kind": "mail", "backoff": $}"#,
    r#"{"kind": "mail", "backoff": {"type": $}}"#,
    r#"{"kind": "mail", "backoff": {"type": "exponential", "factor": $}}"#,
    r#"{"kind": "mail", "backoff": {"type": "list", "delays": $}}"#,
    r#"{"kind": "http", "payload": $}"#,
    r#"{"kind": "http", "payload": {"method": "GET", "url": "http://a/", "headers": $}}"#,
    r#"{"kind": "command", "payload": $}"#,
    r#"{"kind": "command", "payload": {"program": "true", "args": $}}"#,
];

#[tokio::test]
async fn a_field_that_is_null_is_as_if_it_were_not_there() {
    let house = House::in_memory().await;
    for body in [
        r#"{"kind": "mail", "id": null, "payload": null, "payload_base64": null, "queue": null, "priority": null,
            "run_at": null, "delay": null, "tags": null, "timeout": null, "max_attempts": null, "backoff": null,
            "max_elapsed": null, "start_deadline": null, "on_lost": null, "unique": null}"#,
        r#"{"kind": "mail", "unique": {"key": "k", "window": null, "on_conflict": null},
            "backoff": {"type": "fixed", "delay": "1s", "base": null, "factor": null, "max": null, "delays": null}}"#,
        r#"{"kind": "http", "payload": {"method": "GET", "url": "http://a/", "headers": null, "body": null,
            "base64": null, "accept": null, "connect_timeout": null}}"#,
        r#"{"kind": "http", "payload": {"method": "PUT", "url": "http://a/", "json": null, "body": null}}"#,
        r#"{"kind": "command", "payload": {"program": "true", "args": null, "env": null, "dir": null, "stdin": null}}"#,
    ] {
        let answer = house.post("/v1/jobs", body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
    }
    let id = house.post("/v1/jobs", r#"{"kind": "mail"}"#).await.id();
    let cancelled = house
        .post(&format!("/v1/jobs/{id}/cancel"), r#"{"reason": null}"#)
        .await;
    assert_eq!(cancelled.status, 200, "{cancelled:?}");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_whether_or_not_it_says_so() {
    let house = House::in_memory().await;
    let large = format!(
        r#"{{"kind": "mail", "payload": "{}"}}"#,
        "x".repeat(10 * 1024 * 1024)
    );
    house.post("/v1/jobs", &large).await.problem(413);
    let chunked = format!("{:x}\r\n{large}\r\n0\r\n\r\n", large.len());
    let headers = [
        ("Content-Type", "application/json"),
        ("Transfer-Encoding", "chunked"),
    ];
    house
        .ask_without_length("POST", "/v1/jobs", &headers, chunked.as_bytes())
        .await
        .problem(413);
    let announced = [
        ("Content-Type", "application/json"),
        ("Content-Length", "10485760"),
    ];
    let refused = house.ask_without_length("POST", "/v1/jobs", &announced, b"");
    refused.await.problem(413);
    let payload = format!(r#"{{"kind": "mail", "payload": "{}"}}"#, "x".repeat(300 * 1024));
    assert_eq!(house.post("/v1/jobs", payload).await.problem(422), ["/payload"]);
    assert_eq!(house.jobs().await, 0);
}

#[tokio::test]
async fn the_latest_instant_is_taken_and_told_to_who_asks_for_a_later_one() {
    let house = House::in_memory().await;
    for field in ["run_at", "start_deadline"] {
        let body = |instant: &str| format!(r#"{{"kind": "mail", "{field}": "{instant}"}}"#);
        let beyond = house.post("/v1/jobs", body("9999-12-31T00:00:00Z")).await;
        assert_eq!(beyond.problem(422), [format!("/{field}")]);
        let told = beyond.body["detail"].as_str().expect("it says why");
        let latest = told.rsplit(' ').next().expect("it names the latest");
        assert_eq!(house.post("/v1/jobs", body(latest)).await.status, 201, "{told}");
    }
}

#[tokio::test]
async fn deep_json_is_refused() {
    let house = House::in_memory().await;
    for depth in [200, 100_000] {
        let deep = "[".repeat(depth) + &"]".repeat(depth);
        let payload = house
            .post("/v1/jobs", format!(r#"{{"kind": "mail", "payload": {deep}}}"#))
            .await;
        assert_eq!(payload.problem(422), ["/payload"]);
        assert!(house.post("/v1/jobs", &deep).await.status >= 400);
        let field = house
            .post("/v1/jobs", format!(r#"{{"kind": "mail", "tags": {deep}}}"#))
            .await;
        assert_eq!(field.problem(422), ["/tags/0"]);
    }
    assert_eq!(house.jobs().await, 0);
}

#[tokio::test]
async fn text_that_is_not_utf_8_is_refused() {
    let house = House::in_memory().await;
    house
        .post("/v1/jobs", b"{\"kind\": \"\xff\xfe\"}")
        .await
        .problem(400);
    house
        .post("/v1/jobs", br#"{"kind": "\ud800"}"#)
        .await
        .problem(400);
    assert_eq!(
        house
            .post("/v1/jobs", br#"{"kind": "mail", "payload": "\ud800"}"#)
            .await
            .problem(422),
        ["/payload"]
    );
    assert_eq!(house.jobs().await, 0);
}

#[tokio::test]
async fn a_body_of_another_type_is_refused() {
    let house = House::in_memory().await;
    let body = br#"{"kind": "mail"}"#;
    house.ask("POST", "/v1/jobs", &[], body).await.problem(415);
    for other in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonp",
        "multipart/form-data; a=b",
    ] {
        house
            .ask("POST", "/v1/jobs", &[("Content-Type", other)], body)
            .await
            .problem(415);
    }
    let exact = [("Content-Type", "Application/JSON; charset=utf-8")];
    assert_eq!(house.ask("POST", "/v1/jobs", &exact, body).await.status, 201);
}

#[tokio::test]
async fn a_bad_query_is_refused_and_its_parameter_named() {
    let house = House::in_memory().await;
    let queries = [
        ("/v1/jobs?state=asleep", "state"),
        ("/v1/jobs?phase=waiting", "phase"),
        ("/v1/jobs?limit=0", "limit"),
        ("/v1/jobs?limit=1001", "limit"),
        ("/v1/jobs?limit=-1", "limit"),
        ("/v1/jobs?limit=many", "limit"),
        ("/v1/jobs?limit=1&limit=2", "limit"),
        ("/v1/jobs?cursor=AAAA", "cursor"),
        ("/v1/jobs?due_before=yesterday", "due_before"),
        ("/v1/jobs?due_after=tomorrow", "due_after"),
        ("/v1/jobs?ended_before=noon", "ended_before"),
        ("/v1/jobs?colour=red", "colour"),
        ("/v1/jobs/17", "id"),
        ("/v1/jobs/0199c1f0-5b7e-7c3e-9a0e-3f6d2f1c8a1z", "id"),
        ("/v1/jobs/%00", "id"),
        (
            "/v1/jobs/0199c1f0-5b7e-7c3e-9a0e-3f6d2f1c8a11/result?wait=soon",
            "wait",
        ),
        (
            "/v1/jobs/0199c1f0-5b7e-7c3e-9a0e-3f6d2f1c8a11/result?wait=9h",
            "wait",
        ),
        (
            "/v1/jobs/0199c1f0-5b7e-7c3e-9a0e-3f6d2f1c8a11/result?weight=1s",
            "weight",
        ),
    ];
    for (path, parameter) in queries {
        assert_eq!(house.get(path).await.problem(400), [parameter], "{path}");
    }
    house
        .post("/v1/jobs?wait=-1s", r#"{"kind": "mail"}"#)
        .await
        .problem(400);
    assert_eq!(house.jobs().await, 0);
}

#[tokio::test]
async fn a_bad_cancel_changes_nothing() {
    let house = House::in_memory().await;
    let id = house
        .post("/v1/jobs", r#"{"kind": "mail", "delay": "1h"}"#)
        .await
        .id();
    let path = format!("/v1/jobs/{id}/cancel");
    assert_eq!(
        house.post(&path, r#"{"reason": 1}"#).await.problem(422),
        ["/reason"]
    );
    assert_eq!(
        house.post(&path, r#"{"because": "x"}"#).await.problem(422),
        ["/because"]
    );
    house
        .post(&path, format!(r#"{{"reason": "{}"}}"#, "x".repeat(5_000)))
        .await
        .problem(422);
    let state: Value = house.get(&format!("/v1/jobs/{id}")).await.body["state"].clone();
    assert_eq!(state, "waiting");
}

#[tokio::test]
async fn a_path_that_is_no_text_is_a_problem_as_others_are() {
    let house = House::in_memory().await;
    for (method, path) in [
        ("GET", "/v1/jobs/%ff"),
        ("DELETE", "/v1/jobs/%ff"),
        ("POST", "/v1/jobs/%ff/cancel"),
        ("GET", "/v1/jobs/%ff/result"),
        ("GET", "/v1/jobs/%ff/attempts"),
    ] {
        assert_eq!(
            house.ask(method, path, &[], b"").await.problem(400),
            ["id"],
            "{path}"
        );
    }
}

#[tokio::test]
async fn parameters_that_nobody_reads_are_refused() {
    let house = House::in_memory().await;
    let id = house
        .post("/v1/jobs", r#"{"kind": "mail", "delay": "1h"}"#)
        .await
        .id();
    for (method, rest, name) in [
        ("GET", "?colour=red", "colour"),
        ("DELETE", "?force", "force"),
        ("POST", "/cancel?reason=x", "reason"),
        ("GET", "/attempts?limit=1", "limit"),
        ("GET", "/result?wait=1ms&wait=1ms", "wait"),
    ] {
        let path = format!("/v1/jobs/{id}{rest}");
        assert_eq!(
            house.ask(method, &path, &[], b"").await.problem(400),
            [name],
            "{path}"
        );
    }
    assert_eq!(
        house.get(&format!("/v1/jobs/{id}")).await.body["phase"],
        "scheduled"
    );
}
