//! Bodies of requests about jobs and queues.

use punctual::limits::{
    ATTEMPTS_MAX, BACKOFF_DELAYS, BACKOFF_FACTOR_MAX, BULK_JOBS, PRIORITY_MAX, UNIQUE_KEY_BYTES,
};
use serde_json::{Value, json};

use super::{named, or_null, request};
use crate::limits::BATCH_JOBS;

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let mut new_job = options();
    new_job["id"] = or_null(named("Id"));
    new_job["kind"] = named("Name");
    new_job["queue"] = or_null(named("Name"));
    new_job["unique"] = or_null(unique());
    let batch = json!({
        "type": "array", "maxItems": BATCH_JOBS, "items": named("NewJob"),
        "description": "A job that is not as it should be fails alone.",
    });
    let nothing = json!({"reason": or_null(named("Reason"))});
    vec![
        ("NewJob", request(&["kind"], new_job)),
        ("NewJobs", batch),
        ("JobEdit", request(&[], options())),
        ("Backoff", backoff()),
        ("Cancel", request(&[], nothing.clone())),
        ("Pause", request(&[], nothing)),
        ("Nothing", request(&[], json!({}))),
        ("Filter", filter()),
        ("CancelAll", bulk("ready", true)),
        ("RetryAll", bulk("failed", false)),
        ("DeleteAll", bulk("succeeded", false)),
        ("QueueLimits", queue_limits()),
        ("Purge", purge()),
    ]
}

/// What a new job may be given, and an edit may change.
pub(super) fn options() -> Value {
    json!({
        "payload": named("Any"),
        "payload_base64": or_null(named("Base64")),
        "priority": {
            "type": ["integer", "null"], "minimum": 0, "maximum": PRIORITY_MAX, "description": "0 is first.",
        },
        "run_at": or_null(named("Instant")),
        "delay": or_null(named("Length")),
        "tags": or_null(named("Tags")),
        "timeout": or_null(named("Length")),
        "max_attempts": {"type": ["integer", "null"], "minimum": 1, "maximum": ATTEMPTS_MAX},
        "backoff": or_null(named("Backoff")),
        "max_elapsed": or_null(named("Length")),
        "start_deadline": or_null(named("Instant")),
        "on_lost": {"enum": ["retry", "fail", null]},
    })
}

fn unique() -> Value {
    let own = request(
        &["key"],
        json!({
            "key": {"type": "string", "minLength": 1, "maxLength": UNIQUE_KEY_BYTES},
            "window": or_null(named("Length")),
            "on_conflict": {"enum": ["existing", "reject", "replace", "debounce", null]},
        }),
    );
    json!({
        "anyOf": [{"const": true}, own],
        "description": "`true`: at most one live job has this kind and payload. Or a key of one's own.",
    })
}

fn backoff() -> Value {
    let exponential = request(
        &["type"],
        json!({
            "type": {"const": "exponential"},
            "base": or_null(named("Length")),
            "factor": {"type": ["number", "null"], "minimum": 1, "maximum": BACKOFF_FACTOR_MAX},
            "max": or_null(named("Length")),
        }),
    );
    let fixed = request(
        &["type", "delay"],
        json!({"type": {"const": "fixed"}, "delay": named("Length")}),
    );
    let delays =
        json!({"type": "array", "minItems": 1, "maxItems": BACKOFF_DELAYS, "items": named("Length")});
    let list = request(
        &["type", "delays"],
        json!({"type": {"const": "list"}, "delays": delays}),
    );
    json!({"oneOf": [exponential, fixed, list], "description": "The delays between attempts."})
}

/// The filter of a bulk verb: the parameters of the list of jobs.
fn filter() -> Value {
    let text = json!({"type": ["string", "null"]});
    let mut fields = json!({
        "state": or_null(state()),
        "phase": or_null(named("Phase")),
        "due_before": or_null(named("Instant")),
        "due_after": or_null(named("Instant")),
        "ended_before": or_null(named("Instant")),
    });
    for name in ["queue", "kind", "tag", "worker", "key"] {
        fields[name] = text.clone();
    }
    request(&[], fields)
}

/// What a list or a filter takes as `state`.
pub(super) fn state() -> Value {
    json!({"anyOf": [named("State"), named("Phase"), {"const": "ended"}]})
}

/// The body of a bulk verb. Its example only counts: people paste examples.
fn bulk(state: &str, reason: bool) -> Value {
    let mut fields = json!({
        "filter": named("Filter"),
        "dry_run": {"type": ["boolean", "null"], "description": "Only count."},
        "limit": {"type": ["integer", "null"], "minimum": 1, "maximum": BULK_JOBS},
        "cursor": or_null(named("Cursor")),
    });
    if reason {
        fields["reason"] = or_null(named("Reason"));
    }
    let mut bulk = request(&["filter"], fields);
    bulk["examples"] = json!([{"filter": {"kind": "mail", "state": state}, "dry_run": true}]);
    bulk
}

fn queue_limits() -> Value {
    let rate = request(
        &["n", "per"],
        json!({
            "n": {"type": "integer", "minimum": 1, "maximum": u32::MAX},
            "per": named("Length"),
            "burst": {"type": ["integer", "null"], "minimum": 1, "maximum": u32::MAX},
        }),
    );
    let retention = request(
        &[],
        json!({
            "succeeded": or_null(named("Length")),
            "failed": or_null(named("Length")),
            "cancelled": or_null(named("Length")),
        }),
    );
    let mut limits = request(
        &[],
        json!({
            "max_running": {"type": ["integer", "null"], "minimum": 0, "maximum": u32::MAX},
            "rate": or_null(rate),
            "retention": or_null(retention),
        }),
    );
    // What is left out is unset, so an empty one would lift all limits of whoever pastes it.
    limits["examples"] = json!([{"max_running": 4, "rate": {"n": 10, "per": "1s"}}]);
    limits
}

fn purge() -> Value {
    let mut purge = request(
        &[],
        json!({
            "state": {"enum": ["waiting", "succeeded", "failed", "cancelled", null]},
            "dry_run": {"type": ["boolean", "null"], "description": "Only count."},
            "cursor": or_null(named("Cursor")),
        }),
    );
    purge["examples"] = json!([{"dry_run": true}]);
    purge
}
