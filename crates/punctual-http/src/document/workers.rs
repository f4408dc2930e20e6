//! Bodies of requests of workers, and of those whom a run was deferred to.

use punctual::limits::{CLAIM_QUEUES, FLUSH_ITEMS, HOST_BYTES};
use serde_json::{Value, json};

use super::{named, or_null, request};
use crate::limits::CLAIM_RUNS;

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    vec![
        ("Claim", claim()),
        ("Beat", beat()),
        ("Settle", settle()),
        ("Outcome", outcome()),
        ("WorkerOutcome", worker_outcome()),
        (
            "SettleDeferred",
            request(&["outcome"], json!({"outcome": named("Outcome")})),
        ),
        (
            "BeatDeferred",
            request(
                &["lease"],
                json!({"lease": named("Length"), "progress": named("Any")}),
            ),
        ),
    ]
}

fn queues() -> Value {
    json!({
        "type": ["array", "null"], "minItems": 1, "maxItems": CLAIM_QUEUES, "uniqueItems": true,
        "items": named("Name"),
    })
}

fn claim() -> Value {
    request(
        &["worker"],
        json!({
            "worker": named("WorkerName"),
            "queues": queues(),
            "max": {"type": ["integer", "null"], "minimum": 1, "maximum": CLAIM_RUNS},
            "wait": or_null(named("Length")),
            "lease": or_null(named("Length")),
        }),
    )
}

fn beat() -> Value {
    let count = json!({"type": ["integer", "null"], "minimum": 0, "maximum": u32::MAX});
    let mut run = run();
    run["progress"] = named("Any");
    request(
        &["worker"],
        json!({
            "worker": named("WorkerName"),
            "runs": runs(request(&["id", "run"], run)),
            "lease": or_null(named("Length")),
            "host": {"type": ["string", "null"], "maxLength": HOST_BYTES},
            "pid": count,
            "queues": queues(),
            "concurrency": count,
            "running": count,
            "started_at": or_null(named("Instant")),
            "stopping": {"type": ["boolean", "null"]},
            "stopped": {"type": ["boolean", "null"]},
        }),
    )
}

fn settle() -> Value {
    let mut run = run();
    run["outcome"] = named("WorkerOutcome");
    request(
        &[],
        json!({
            "worker": or_null(named("WorkerName")),
            "runs": runs(request(&["id", "run", "outcome"], run)),
        }),
    )
}

fn run() -> Value {
    json!({"id": named("Id"), "run": {"type": "integer", "minimum": 0, "maximum": u64::MAX}})
}

fn runs(run: Value) -> Value {
    json!({"type": ["array", "null"], "maxItems": FLUSH_ITEMS, "items": run})
}

/// An object with one field, which says what became of the run.
fn one(name: &str, schema: Value) -> Value {
    request(&[name], json!({name: schema}))
}

fn outcome() -> Value {
    let retry = json!({
        "error": {"type": "string"},
        "after": or_null(named("Length")),
        "cause": {"enum": ["error", "timeout", "panic", null]},
    });
    let snooze = json!({"until": or_null(named("Instant")), "for": or_null(named("Length"))});
    json!({"oneOf": [
        one("done", named("Any")),
        one("done_base64", named("Base64")),
        one("retry", request(&["error"], retry)),
        one("fail", request(&["error"], json!({"error": {"type": "string"}}))),
        one("snooze", request(&[], snooze)),
        one("cancelled", request(&[], json!({"reason": {"type": ["string", "null"]}}))),
    ]})
}

/// What a worker may say on top.
fn worker_outcome() -> Value {
    let release = json!({
        "reason": {"enum": ["unstarted", "interrupted", "unknown_kind", null]},
        "after": or_null(named("Length")),
    });
    json!({"oneOf": [
        named("Outcome"),
        one("defer", request(&["for"], json!({"for": named("Length")}))),
        one("release", request(&[], release)),
    ]})
}
