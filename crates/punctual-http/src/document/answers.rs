//! What is answered.

use punctual::run::WorkerState;
use serde_json::{Value, json};

use super::{answer, named, or_null};

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let deduplicated = answer(json!({"deduplicated": {"type": "boolean"}}), &[]);
    vec![
        ("Head", head()),
        ("Job", job()),
        ("Posted", json!({"allOf": [named("Job"), deduplicated]})),
        ("Batch", batch()),
        ("Bulked", bulked()),
        ("Ending", ending()),
        ("Attempt", attempt()),
        ("Failure", failure()),
        ("Queue", queue()),
        ("Purged", purged()),
        ("Worker", worker()),
        ("Claimed", claimed()),
        (
            "Beaten",
            answer(json!({"runs": verdicts(), "now": named("Instant")}), &[]),
        ),
        ("Settled", answer(json!({"runs": verdicts()}), &[])),
        (
            "DeferredVerdict",
            answer(json!({"verdict": {"enum": ["settled", "held", "cancel"]}}), &[]),
        ),
        (
            "Health",
            answer(json!({"status": {"const": "ok"}, "store": {}}), &["store"]),
        ),
    ]
}

fn count() -> Value {
    json!({"type": "integer", "minimum": 0})
}

fn text() -> Value {
    json!({"type": "string"})
}

fn text_or_null() -> Value {
    json!({"type": ["string", "null"]})
}

fn head() -> Value {
    let unique = answer(json!({"key": text(), "until": or_null(named("Instant"))}), &[]);
    answer(
        json!({
            "id": named("Id"),
            "kind": text(),
            "queue": text(),
            "state": named("State"),
            "phase": named("Phase"),
            "priority": count(),
            "tags": {"type": "array", "items": text()},
            "rev": count(),
            "run": count(),
            "attempt": count(),
            "created_at": named("Instant"),
            "run_at": named("Instant"),
            "started_at": or_null(named("Instant")),
            "ended_at": or_null(named("Instant")),
            "lease_until": or_null(named("Instant")),
            "worker": text_or_null(),
            "unique": or_null(unique),
            "failure": or_null(named("Failure")),
        }),
        &[],
    )
}

fn job() -> Value {
    let made_for = answer(
        json!({"name": text(), "id": named("Id"), "nominal_at": named("Instant"), "missed": count()}),
        &[],
    );
    let more = answer(
        json!({
            "schedule": or_null(made_for),
            "life": count(),
            "max_attempts": count(),
            "timeout": named("Length"),
            "backoff": named("Backoff"),
            "max_elapsed": or_null(named("Length")),
            "start_deadline": or_null(named("Instant")),
            "on_lost": {"enum": ["retry", "fail"]},
            "cancel": text_or_null(),
            "payload": named("Any"),
            "payload_base64": named("Base64"),
            "progress": named("Any"),
            "result": named("Any"),
            "result_base64": named("Base64"),
        }),
        &["payload_base64", "result_base64"],
    );
    json!({"allOf": [named("Head"), more]})
}

fn failure() -> Value {
    let reasons = ["failed", "exhausted", "expired", "lost", "interrupted"];
    answer(json!({"reason": {"enum": reasons}, "message": text()}), &[])
}

fn batch() -> Value {
    let item = answer(
        json!({
            "status": {"type": "integer", "description": "The status that the job would have had alone."},
            "id": named("Id"),
            "rev": count(),
            "deduplicated": {"type": "boolean"},
            "problem": named("Problem"),
        }),
        &["id", "rev", "deduplicated", "problem"],
    );
    answer(json!({"items": {"type": "array", "items": item}}), &[])
}

fn bulked() -> Value {
    let refusal = answer(json!({"id": named("Id"), "detail": text()}), &[]);
    answer(
        json!({
            "dry_run": {"type": "boolean"},
            "matched": count(),
            "changed": count(),
            "refused": count(),
            "refusals": {"type": "array", "items": refusal},
            "next": or_null(named("Cursor")),
        }),
        &[],
    )
}

fn ending() -> Value {
    answer(
        json!({
            "id": named("Id"),
            "state": named("State"),
            "phase": named("Phase"),
            "result": named("Any"),
            "result_base64": named("Base64"),
            "failure": or_null(named("Failure")),
            "cancel": text_or_null(),
        }),
        &["result_base64"],
    )
}

fn attempt() -> Value {
    let outcomes = json!([
        "succeeded",
        "failed",
        "timed_out",
        "panicked",
        "lost",
        "interrupted",
        "released",
        "snoozed",
        "cancelled",
        null
    ]);
    answer(
        json!({
            "number": count(),
            "life": count(),
            "run": count(),
            "worker": text_or_null(),
            "started_at": named("Instant"),
            "ended_at": or_null(named("Instant")),
            "outcome": {"enum": outcomes},
            "error": text_or_null(),
        }),
        &[],
    )
}

fn queue() -> Value {
    let paused = answer(json!({"reason": text(), "since": or_null(named("Instant"))}), &[]);
    let rate = answer(
        json!({"n": count(), "per": named("Length"), "burst": count()}),
        &[],
    );
    let kept = json!({"succeeded": named("Length"), "failed": named("Length"), "cancelled": named("Length")});
    let counts = json!({
        "waiting": count(), "running": count(), "succeeded": count(), "failed": count(), "cancelled": count(),
    });
    answer(
        json!({
            "name": named("Name"),
            "rev": count(),
            "paused": or_null(paused),
            "max_running": or_null(count()),
            "rate": or_null(rate),
            "retention": or_null(answer(kept, &[])),
            "counts": answer(counts, &[]),
            "oldest_ready": or_null(named("Length")),
        }),
        &[],
    )
}

fn purged() -> Value {
    answer(
        json!({
            "dry_run": {"type": "boolean"},
            "matched": count(),
            "changed": count(),
            "next": or_null(named("Cursor")),
        }),
        &[],
    )
}

fn worker() -> Value {
    answer(
        json!({
            "worker": text(),
            "host": text_or_null(),
            "pid": or_null(count()),
            "queues": {"type": "array", "items": text()},
            "concurrency": or_null(count()),
            "running": count(),
            "started_at": or_null(named("Instant")),
            "state": {"enum": WorkerState::ALL.map(WorkerState::as_str)},
            "beat_at": named("Instant"),
            "lease": named("Length"),
            "stopping": {"type": "boolean"},
        }),
        &[],
    )
}

fn claimed() -> Value {
    let run = answer(
        json!({
            "job": named("Job"),
            "run": count(),
            "attempt": count(),
            "lease": named("Length"),
            "token": {"type": "string", "description": "For /v1/runs/{token}, should the run be deferred."},
            "attempts": {"type": "array", "items": named("Attempt")},
        }),
        &["token"],
    );
    answer(
        json!({
            "runs": {"type": "array", "items": run},
            "next_due": or_null(named("Instant")),
            "now": named("Instant"),
        }),
        &[],
    )
}

fn verdicts() -> Value {
    let words = ["held", "cancel", "lost", "settled", "stale", "refused"];
    let verdict = answer(
        json!({"id": named("Id"), "run": count(), "verdict": {"enum": words}}),
        &[],
    );
    json!({"type": "array", "items": verdict})
}
