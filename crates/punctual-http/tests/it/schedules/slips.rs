//! Schedules that are wrong: each place is told, with what is accepted there.

use punctual_http::Problem;
use punctual_http::wire::{Backfill, NewPreview, NewSchedule, Trigger, read};
use serde_json::{Value, json};

/// Each bad place and what is said of it.
type Told = Vec<(String, String)>;

fn told(problem: Problem) -> Told {
    let each = problem.errors.into_iter();
    each.map(|fault| (fault.pointer.unwrap_or_default(), fault.detail))
        .collect()
}

fn slips_of_schedule(body: &Value) -> Told {
    let schedule = read::<NewSchedule>(body.to_string().as_bytes()).and_then(|new| Ok(new.read()?));
    told(schedule.expect_err("it should be refused"))
}

fn slips_of_preview(body: &Value) -> Told {
    let preview = read::<NewPreview>(body.to_string().as_bytes()).and_then(|new| Ok(new.read()?));
    told(preview.expect_err("it should be refused"))
}

#[track_caller]
fn is_told(told: &Told, expected: &[(&str, &str)]) {
    let told: Vec<(&str, &str)> = told
        .iter()
        .map(|(pointer, detail)| (pointer.as_str(), detail.as_str()))
        .collect();
    assert_eq!(told, expected);
}

#[test]
fn everything_that_is_wrong_with_a_schedule_is_told_at_once() {
    let told = slips_of_schedule(&json!({
        "cron": "0 25 * * *",
        "zone": "Europe/Lubljana",
        "start": "tomorrow",
        "max_runs": -1,
        "exclude": {"dates": ["2026-12-25", "2026-02-30", "2026-12-25T09:00"], "weekdays": ["Sat", "fr"]},
        "misfire": {"grace": "soon"},
        "job": {"kind": "http", "priority": 1000, "delay": "5m"}
    }));
    is_told(
        &told,
        &[
            ("/job/delay", "must be left out: the schedule says when"),
            ("/job/priority", "1000 is out of range; write 0 (first) to 9"),
            (
                "/zone",
                "there is no time zone \"Europe/Lubljana\"; zones have the names of the IANA database, such as \
                 Europe/Ljubljana or UTC",
            ),
            (
                "/cron",
                "\"25\" is not understood at column 3 of the cron pattern: an hour is 0 to 23",
            ),
            (
                "/start",
                "\"tomorrow\" is not an instant; write RFC 3339 with an offset, such as 2026-12-01T09:00:00Z",
            ),
            ("/max_runs", "-1 is out of range; write 1 or more"),
            (
                "/exclude/dates/1",
                "it is not a date; write one such as 2026-12-25",
            ),
            (
                "/exclude/dates/2",
                "it is not a date; write one such as 2026-12-25",
            ),
            (
                "/exclude/weekdays/1",
                "it is not a day of the week; write mon, tue, wed, thu, fri, sat or sun",
            ),
            (
                "/misfire/grace",
                "\"soon\" is not a length of time: a number is missing or too large; write whole numbers with units, \
                 such as 1h30m, 45s or 500ms",
            ),
        ],
    );
}

#[test]
fn a_schedule_has_exactly_one_spec_and_what_belongs_to_it() {
    let job = json!({"kind": "report"});
    is_told(
        &slips_of_schedule(&json!({"job": job})),
        &[(
            "/cron",
            "it is missing: a schedule has one of cron, every, after and at",
        )],
    );
    is_told(
        &slips_of_schedule(&json!({"cron": "@daily", "every": "5m", "at": [], "job": job})),
        &[
            (
                "/every",
                "a schedule has one of cron, every, after and at, never two",
            ),
            (
                "/at",
                "a schedule has one of cron, every, after and at, never two",
            ),
        ],
    );
    is_told(
        &slips_of_schedule(&json!({"after": "5m", "phase": "1m", "gap": "skip", "fold": "both", "job": job})),
        &[
            ("/gap", "it stands beside cron only"),
            ("/fold", "it stands beside cron only"),
            ("/phase", "it stands beside every only"),
        ],
    );
    is_told(
        &slips_of_schedule(&json!({"at": ["2026-12-01T09:00:00Z", "noon"], "job": {}})),
        &[
            (
                "/job/kind",
                "it is missing: http, command or the name of a handler",
            ),
            (
                "/at/1",
                "\"noon\" is not an instant; write RFC 3339 with an offset, such as 2026-12-01T09:00:00Z",
            ),
        ],
    );
    is_told(
        &slips_of_schedule(&json!({"every": "5m"})),
        &[("/job", "it is missing")],
    );
}

#[test]
fn what_is_no_field_or_no_word_is_pointed_at() {
    let job = json!({"kind": "report"});
    is_told(
        &slips_of_schedule(&json!({"every": "5m", "job": job, "misfire": {"mood": "all"}})),
        &[(
            "/misfire/mood",
            "there is no such field; known are mode, grace, max",
        )],
    );
    is_told(
        &slips_of_schedule(&json!({"every": "5m", "job": job, "overlap": "queue"})),
        &[(
            "/overlap",
            "there is no \"queue\"; write skip, buffer_one, cancel_other or allow",
        )],
    );
    is_told(
        &slips_of_schedule(&json!({"every": 300, "job": job})),
        &[("/every", "it is the number 300; write a text")],
    );
    is_told(
        &slips_of_schedule(&json!({"every": "5m", "job": {"kind": "report", "payloads": 1}})),
        &[(
            "/job/payloads",
            "there is no such field; known are id, kind, payload, payload_base64, queue, priority, run_at, delay, tags, \
             timeout, max_attempts, backoff, max_elapsed, start_deadline, on_lost, unique",
        )],
    );
}

#[test]
fn a_preview_tells_slips_of_its_schedule_and_of_its_own() {
    is_told(
        &slips_of_preview(&json!({"cron": "0 9 * *", "from": "now", "count": 1001})),
        &[
            (
                "/cron",
                "a cron pattern has 5 fields (minute, hour, day of the month, month, day of the week) or 6 (with the \
                 second before them), and this one has 4",
            ),
            (
                "/from",
                "\"now\" is not an instant; write RFC 3339 with an offset, such as 2026-12-01T09:00:00Z",
            ),
            ("/count", "1001 is out of range; write 1 to 1000"),
        ],
    );
    is_told(
        &slips_of_preview(&json!({"every": "5m", "count": -1})),
        &[("/count", "-1 is out of range; write 1 to 1000")],
    );
    is_told(
        &slips_of_preview(&json!({"every": "5m", "count": "ten"})),
        &[("/count", "it is the text \"ten\"; write a whole number")],
    );
    is_told(
        &slips_of_preview(&json!({"every": "5m", "until": "2026-12-01T09:00:00Z"})),
        &[(
            "/until",
            "there is no such field; known are cron, zone, gap, fold, every, phase, after, at, start, end, max_runs, \
             exclude, spread, misfire, overlap, job, from, count",
        )],
    );
    let twice = read::<NewPreview>(br#"{"every": "5m", "from": null, "from": null}"#);
    is_told(
        &told(twice.expect_err("it should be refused")),
        &[("/from", "it is given twice")],
    );
}

#[test]
fn a_backfill_and_a_trigger_are_read_strictly() {
    let backfill = |body: &str| {
        let read = read::<Backfill>(body.as_bytes()).and_then(|backfill| Ok(backfill.read()?));
        told(read.expect_err("it should be refused"))
    };
    is_told(
        &backfill("{}"),
        &[("/from", "it is missing"), ("/until", "it is missing")],
    );
    is_told(
        &backfill(r#"{"from": "2026-12-02T00:00:00Z", "until": "2026-12-01T00:00:00Z"}"#),
        &[("/until", "it must not come before from")],
    );
    let trigger = read::<Trigger>(br#"{"id": "x"}"#).and_then(|trigger| Ok(trigger.read()?));
    assert_eq!(told(trigger.expect_err("it should be refused"))[0].0, "/id");
}
