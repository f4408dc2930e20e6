//! What fields are made of: names, instants, lengths of time, and the problem document.

use punctual::job::{Phase, State};
use punctual::limits::{NAME_BYTES, REASON_BYTES, TAG_BYTES, TAGS};
use serde_json::{Value, json};

use super::answer;

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    names().into_iter().chain(texts()).collect()
}

fn names() -> Vec<(&'static str, Value)> {
    let states: Vec<&str> = State::ALL.iter().map(|state| state.as_str()).collect();
    let phases: Vec<&str> = Phase::ALL.iter().map(|phase| phase.as_str()).collect();
    vec![
        (
            "Id",
            json!({"type": "string", "format": "uuid", "description": "The name of a job, for ever."}),
        ),
        (
            "Name",
            json!({
                "type": "string", "minLength": 1, "maxLength": NAME_BYTES, "pattern": "^[A-Za-z0-9._/:-]+$",
                "description": "The name of a queue, a kind, a schedule or a calendar.",
            }),
        ),
        (
            "WorkerName",
            json!({
                "type": "string", "minLength": 1, "maxLength": NAME_BYTES,
                "description": "A name that no other start of a worker has, without control characters.",
            }),
        ),
        (
            "Token",
            json!({
                "type": "string", "minLength": 1, "description": "The token of a run, and the right to it.",
            }),
        ),
        (
            "State",
            json!({"type": "string", "enum": states, "description": "A state as it is stored."}),
        ),
        (
            "Phase",
            json!({"type": "string", "enum": phases, "description": "A state as people see it."}),
        ),
    ]
}

fn texts() -> Vec<(&'static str, Value)> {
    vec![
        (
            "Instant",
            json!({
                "type": "string", "format": "date-time",
                "description": "RFC 3339 with an offset, not before 1970. Answers tell UTC with microseconds.",
                "examples": ["2026-12-01T09:00:00Z"],
            }),
        ),
        (
            "Length",
            json!({
                "type": "string", "pattern": "^(0|([0-9]+(w|d|h|m|s|ms|us))+)$",
                "description": "A length of time: whole numbers with the units w, d, h, m, s, ms, us, longest first; at most 3650d.",
                "examples": ["1h30m"],
            }),
        ),
        (
            "Base64",
            json!({
                "type": "string", "contentEncoding": "base64", "pattern": "^[A-Za-z0-9+/]*={0,2}$",
                "description": "Bytes that are no JSON, in base64 (RFC 4648, with padding).",
            }),
        ),
        (
            "Any",
            json!({"description": "Any JSON, kept digit for digit, nested up to 127 deep."}),
        ),
        (
            "Tags",
            json!({
                "type": "array", "maxItems": TAGS,
                "items": {"type": "string", "minLength": 1, "maxLength": TAG_BYTES},
                "description": "For people and filters.",
            }),
        ),
        (
            "Reason",
            json!({"type": "string", "maxLength": REASON_BYTES, "description": "Why, for people."}),
        ),
        (
            "Cursor",
            json!({"type": "string", "description": "`next` of the answer before, unchanged."}),
        ),
        ("Problem", problem()),
    ]
}

fn problem() -> Value {
    let fault = answer(
        json!({
            "pointer": {"type": "string", "description": "Where in the body: a JSON pointer (RFC 6901)."},
            "parameter": {"type": "string", "description": "Or which part of the address."},
            "detail": {"type": "string", "description": "What was wrong and what is accepted."},
        }),
        &["pointer", "parameter"],
    );
    let mut problem = answer(
        json!({
            "type": {"const": "about:blank"},
            "title": {"type": "string", "description": "The status in words."},
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": {"type": "string", "description": "What happened, and what is accepted."},
            "errors": {"type": "array", "items": fault, "description": "Every place in the input that was wrong."},
            "request_id": {"type": "string", "description": "The name of the request in the server's log."},
        }),
        &["errors", "request_id"],
    );
    problem["description"] = json!("Why something did not happen (RFC 9457).");
    problem
}
