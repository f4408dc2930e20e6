//! Bad input is told by field, and nothing of it is kept.

use serde_json::{Value, json};

use super::server::{Place, Server};

#[test]
fn bad_input_is_answered_with_a_problem_that_points_at_the_field_and_nothing_is_kept() {
    let place = Place::new();
    let server = place.serve(&[]);
    for (pointer, job) in &misfits() {
        let problem = problem(&server, &job.to_string());
        let told = problem["errors"].as_array().into_iter().flatten();
        let pointers: Vec<_> = told
            .map(|error| error["pointer"].as_str().unwrap_or_default())
            .collect();
        assert!(
            pointers.contains(pointer),
            "{job} should point at {pointer}: {problem}"
        );
    }
    for body in [
        "",
        "{",
        "[]",
        "null",
        "\"text\"",
        "{\"kind\": \"k\"} trailing",
        "{\"kind\": \"k\", \"kind\": \"k\"}",
    ] {
        problem(&server, body);
    }
    problem(
        &server,
        &format!(
            "{{\"kind\": \"k\", \"payload\": {}1{}}}",
            "[".repeat(10_000),
            "]".repeat(10_000)
        ),
    );
    problem(
        &server,
        &json!({"kind": "k", "payload": "x".repeat(10 * 1024 * 1024)}).to_string(),
    );
    assert_eq!(server.get("/v1/jobs/not-a-uuid").status, 400);

    assert_eq!(server.list("").len(), 0, "nothing is kept");
    assert!(!server.said().contains("panicked"));
    assert_eq!(server.get("/healthz").status, 200);
}

fn problem(server: &Server, body: &str) -> Value {
    let reply = server.request("POST", "/v1/jobs", Some(body));
    let shown: String = body.chars().take(100).collect();
    assert!(
        (400..500).contains(&reply.status),
        "{shown}: {} {}",
        reply.status,
        reply.body
    );
    assert!(
        reply.head.contains("application/problem+json"),
        "{shown}: {}",
        reply.head
    );
    let problem = reply.json();
    assert_eq!(problem["status"], reply.status, "{shown}: {problem}");
    problem
}

/// Jobs with one wrong field each, and where that is.
fn misfits() -> Vec<(&'static str, Value)> {
    vec![
        ("/kind", json!({})),
        ("/kind", json!({"kind": 7})),
        ("/kind", json!({"kind": ""})),
        ("/kind", json!({"kind": "a\u{0}b"})),
        ("/priority", json!({"kind": "k", "priority": 99})),
        ("/priority", json!({"kind": "k", "priority": "high"})),
        ("/colour", json!({"kind": "k", "colour": "red"})),
        (
            "/delay",
            json!({"kind": "k", "run_at": "2026-12-01T09:00:00Z", "delay": "5m"}),
        ),
        ("/delay", json!({"kind": "k", "delay": "soon"})),
        ("/delay", json!({"kind": "k", "delay": "99999999999d"})),
        ("/run_at", json!({"kind": "k", "run_at": "tomorrow"})),
        ("/run_at", json!({"kind": "k", "run_at": "99999-01-01T00:00:00Z"})),
        ("/run_at", json!({"kind": "k", "run_at": "2026-02-30T00:00:00Z"})),
        ("/timeout", json!({"kind": "k", "timeout": "0s"})),
        ("/timeout", json!({"kind": "k", "timeout": -1})),
        ("/max_attempts", json!({"kind": "k", "max_attempts": 0})),
        ("/max_attempts", json!({"kind": "k", "max_attempts": 1e12})),
        (
            "/backoff/factor",
            json!({"kind": "k", "backoff": {"type": "exponential", "base": "1s", "factor": 0.1, "max": "1h"}}),
        ),
        ("/backoff/type", json!({"kind": "k", "backoff": {"type": 1}})),
        ("/on_lost", json!({"kind": "k", "on_lost": 1})),
        (
            "/unique/on_conflict",
            json!({"kind": "k", "unique": {"key": "a", "on_conflict": []}}),
        ),
        ("/id", json!({"kind": "k", "id": "1234"})),
        ("/tags/0", json!({"kind": "k", "tags": ["a\u{0}b"]})),
        ("/unique/key", json!({"kind": "k", "unique": {"key": "a\u{0}b"}})),
        ("/payload/program", json!({"kind": "command", "payload": {}})),
        (
            "/payload/url",
            json!({"kind": "http", "payload": {"method": "GET", "url": "ftp://example.com"}}),
        ),
    ]
}
