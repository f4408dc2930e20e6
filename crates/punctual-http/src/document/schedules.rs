//! Schedules and calendars: what their routes take and answer.

use punctual::limits::{
    AT_INSTANTS, CALENDAR_DATES, EXCLUDED_CALENDARS, EXCLUDED_DATES, NAME_BYTES, PREVIEW_INSTANTS,
    REASON_BYTES, SCHEDULE_OWED,
};
use punctual::schedule::{Cause, Reason};
use serde_json::{Map, Value, json};

use super::{answer, named, or_null, request, written};
use crate::limits::PREVIEW_ITEMS;

mod routes;

pub(super) use routes::operations;

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let mut all = requests();
    all.extend(schedules());
    all.extend(answers());
    all
}

fn requests() -> Vec<(&'static str, Value)> {
    let backfill = json!({
        "from": named("Instant"),
        "until": named("Instant"),
        "dry_run": {"type": ["boolean", "null"], "description": "Only count."},
    });
    let mut backfill = request(&["from", "until"], backfill);
    backfill["examples"] =
        json!([{"from": "2026-12-01T00:00:00Z", "until": "2026-12-02T00:00:00Z", "dry_run": true}]);
    let mut calendar = request(&["dates"], json!({"dates": dates(CALENDAR_DATES)}));
    calendar["examples"] = json!([{"dates": ["2026-12-25", "2026-12-26"]}]);
    vec![
        ("NewSchedule", new_schedule()),
        ("NewPreview", new_preview()),
        ("ScheduleJob", schedule_job()),
        ("Trigger", request(&[], json!({"id": or_null(named("Id"))}))),
        ("Backfill", backfill),
        ("NewCalendar", calendar),
        (
            "Date",
            json!({"type": "string", "format": "date", "examples": ["2026-12-25"]}),
        ),
    ]
}

fn dates(most: usize) -> Value {
    json!({"type": "array", "maxItems": most, "items": named("Date")})
}

/// What a plan says besides its job.
fn plan() -> Value {
    let weekdays = json!({
        "type": ["array", "null"], "maxItems": 6, "items": {"enum": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]},
    });
    let exclude = json!({
        "dates": or_null(dates(EXCLUDED_DATES)),
        "weekdays": weekdays,
        "calendars": {"type": ["array", "null"], "maxItems": EXCLUDED_CALENDARS, "items": {"type": "string", "minLength": 1, "maxLength": NAME_BYTES}},
    });
    let misfire = json!({
        "mode": {"enum": ["skip", "latest", "all", null], "description": "Unset, `latest`."},
        "grace": or_null(named("Length")),
        "max": {"type": ["integer", "null"], "minimum": 1, "maximum": SCHEDULE_OWED},
    });
    json!({
        "cron": {
            "type": ["string", "null"], "description": "A pattern of 5 or 6 fields, or a name such as `@daily`.",
            "examples": ["30 2 * * *"],
        },
        "zone": {"type": ["string", "null"], "description": "An IANA time zone. Unset, UTC.", "examples": ["Europe/Ljubljana"]},
        "gap": {"enum": ["shift", "skip", null], "description": "A time of day that the clocks leave out. Unset, `shift`."},
        "fold": {"enum": ["first", "second", "both", null], "description": "A time of day that comes twice. Unset, `first`."},
        "every": or_null(named("Length")),
        "phase": or_null(named("Length")),
        "after": or_null(named("Length")),
        "at": {"type": ["array", "null"], "minItems": 1, "maxItems": AT_INSTANTS, "items": named("Instant")},
        "start": or_null(named("Instant")),
        "end": or_null(named("Instant")),
        "max_runs": {"type": ["integer", "null"], "minimum": 1, "maximum": i64::MAX},
        "exclude": or_null(request(&[], exclude)),
        "spread": or_null(named("Length")),
        "misfire": or_null(request(&[], misfire)),
        "overlap": {
            "enum": ["skip", "buffer_one", "cancel_other", "allow", null],
            "description": "What becomes of an instant while the last run is live. Unset, `skip`.",
        },
    })
}

/// Exactly one of the four, and beside it nothing that belongs to another.
fn one_spec() -> Value {
    let alone = |name: &str, foreign: &[&str]| {
        let mut fields: Map<String, Value> = foreign
            .iter()
            .map(|name| ((*name).to_owned(), json!({"type": "null"})))
            .collect();
        fields.insert(name.to_owned(), json!({"type": ["string", "array"]}));
        json!({"required": [name], "properties": fields})
    };
    json!([
        alone("cron", &["phase"]),
        alone("every", &["gap", "fold"]),
        alone("after", &["gap", "fold", "phase"]),
        alone("at", &["gap", "fold", "phase"]),
    ])
}

fn new_schedule() -> Value {
    let mut fields = plan();
    fields["job"] = named("ScheduleJob");
    let mut schedule = request(&["job"], fields);
    schedule["oneOf"] = one_spec();
    schedule["examples"] = json!([{
        "cron": "30 2 * * *", "zone": "Europe/Ljubljana",
        "job": {"kind": "http", "payload": {"method": "POST", "url": "https://example.com/hook"}},
    }]);
    schedule
}

fn new_preview() -> Value {
    let mut fields = plan();
    fields["job"] = or_null(named("ScheduleJob"));
    fields["from"] = or_null(named("Instant"));
    fields["count"] = json!({
        "type": ["integer", "null"], "minimum": 1, "maximum": PREVIEW_INSTANTS, "description": format!("Unset, {PREVIEW_ITEMS}."),
    });
    let mut preview = request(&[], fields);
    preview["oneOf"] = one_spec();
    preview["examples"] = json!([{"cron": "30 2 * * *", "zone": "Europe/Ljubljana", "from": "2027-03-27T12:00:00Z", "count": 2}]);
    preview
}

/// A job of which the schedule says when it is due.
fn schedule_job() -> Value {
    let mut fields = written::options();
    if let Some(fields) = fields.as_object_mut() {
        fields.retain(|name, _| !["run_at", "delay", "start_deadline"].contains(&name.as_str()));
    }
    fields["kind"] = named("Name");
    fields["queue"] = or_null(named("Name"));
    request(&["kind"], fields)
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

fn schedules() -> Vec<(&'static str, Value)> {
    let paused = answer(
        json!({"reason": {"type": "string", "maxLength": REASON_BYTES}, "since": named("Instant")}),
        &[],
    );
    let head = json!({
        "name": named("Name"),
        "id": named("Id"),
        "rev": count(),
        "created_at": named("Instant"),
        "description": {"type": "string", "description": "When it fires, in words."},
        "next_at": or_null(named("Instant")),
        "paused": or_null(paused),
        "fired": count(),
        "last_fired_at": or_null(named("Instant")),
        "live": {"type": "array", "items": named("Id")},
        "owed": count(),
        "owed_at": or_null(named("Instant")),
        "job": named("ScheduleJob"),
    });
    let written = json!({"type": "object", "properties": plan()});
    let unreadable = answer(json!({"name": text(), "detail": text()}), &[]);
    let list = answer(
        json!({
            "items": {"type": "array", "items": named("Schedule")},
            "unreadable": {
                "type": "array", "items": unreadable, "description": "Those that a newer version wrote.",
            },
            "next": or_null(named("Cursor")),
        }),
        &["unreadable"],
    );
    let upsert = answer(
        json!({"upsert": {"enum": ["created", "changed", "unchanged"]}}),
        &[],
    );
    vec![
        ("Schedule", json!({"allOf": [answer(head, &[]), written]})),
        ("ScheduleList", list),
        ("Upserted", json!({"allOf": [named("Schedule"), upsert]})),
    ]
}

fn answers() -> Vec<(&'static str, Value)> {
    let reasons: Vec<Value> = Reason::ALL.iter().map(|reason| json!(reason.as_str())).collect();
    let reasons: Vec<Value> = reasons.into_iter().chain([Value::Null]).collect();
    let occurrence = json!({
        "nominal_at": named("Instant"),
        "until": or_null(named("Instant")),
        "count": count(),
        "outcome": {"enum": ["fired", "skipped"]},
        "reason": {"enum": reasons},
        "cause": {"enum": Cause::ALL.map(Cause::as_str)},
        "job": or_null(named("Id")),
        "missed": count(),
        "at": named("Instant"),
    });
    let foreseen = json!({
        "at": named("Instant"),
        "local": {"type": "string", "description": "What the clocks of the zone show then, with their offset."},
        "outcome": {"enum": ["fires", "skipped"]},
        "clocks": {"enum": ["plain", "shifted", "first", "second", "left_out", "day_left_out"]},
        "note": text_or_null(),
    });
    let preview = json!({
        "description": text(),
        "zone": text(),
        "items": {"type": "array", "items": answer(foreseen, &[])},
        "more": {"type": "boolean"},
        "note": text_or_null(),
    });
    let calendar = answer(json!({"dates": {"type": "array", "items": named("Date")}}), &[]);
    vec![
        ("Occurrence", answer(occurrence, &[])),
        ("Preview", answer(preview, &[])),
        ("Triggered", answer(json!({"job": named("Id")}), &[])),
        ("Backfilled", backfilled()),
        ("Explanation", explanation()),
        (
            "CalendarHead",
            answer(json!({"name": named("Name"), "rev": count()}), &[]),
        ),
        ("Calendar", json!({"allOf": [named("CalendarHead"), calendar]})),
    ]
}

fn backfilled() -> Value {
    answer(
        json!({
            "dry_run": {"type": "boolean"},
            "made": {"type": "integer", "minimum": 0, "description": "Jobs that were made, or would be."},
            "left": {"type": "integer", "minimum": 0, "description": "Instants that stay as they are: the plan or the ledger tells of them no more."},
            "next": or_null(named("Instant")),
        }),
        &[],
    )
}

fn explanation() -> Value {
    answer(json!({"sentences": {"type": "array", "items": text()}}), &[])
}
