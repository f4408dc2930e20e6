//! What is answered about schedules.

use std::collections::BTreeMap;
use std::sync::Arc;

use punctual::schedule::{
    Cause, Occurrence, Outcome, Owed, Pause, Plan, Reason, Schedule, ScheduleId, ScheduleName, Standing,
};
use punctual::{JobId, Timestamp};
use punctual_http::wire::{self, NewPreview, NewSchedule, read};
use serde_json::{Value, json};

fn at(text: &str) -> Timestamp {
    text.parse().expect("it is an instant")
}

fn plan() -> Plan {
    let body = json!({
        "cron": "30 2 * * *", "zone": "Europe/Ljubljana",
        "job": {"kind": "http", "payload": {"url": "https://example.com/", "auth": {"bearer": "hunter2"}}}
    });
    let schedule: NewSchedule = read(body.to_string().as_bytes()).expect("it is a schedule");
    schedule.read().expect("it is a plan")
}

fn nightly() -> Schedule {
    let created_at = at("2026-11-30T12:00:00Z");
    Schedule {
        id: ScheduleId(JobId::named("nightly").0),
        name: ScheduleName::from("nightly"),
        rev: 7,
        created_at,
        plan: Arc::new(plan()),
        standing: Standing::new(created_at),
    }
}

fn told(document: &impl serde::Serialize) -> Value {
    serde_json::to_value(document).expect("it has a JSON form")
}

#[test]
fn a_schedule_is_told_with_its_plan_and_how_far_it_has_come() {
    let mut row = nightly();
    let id = row.id.to_string();
    let live = JobId::named("live");
    row.standing.fired = 3;
    row.standing.last_fired = Some(at("2026-11-30T01:30:00Z"));
    row.standing.live = vec![live];
    row.standing.owed.push_back(Owed {
        nominal_at: at("2026-11-30T02:30:00Z"),
        missed: 0,
    });
    let document = wire::Schedule::of(&row, &BTreeMap::new());
    assert_eq!(
        told(&document),
        json!({
            "name": "nightly", "id": id, "rev": 7, "created_at": "2026-11-30T12:00:00.000000Z",
            "description": "every day at 02:30, Europe/Ljubljana",
            "next_at": "2026-12-01T01:30:00.000000Z", "paused": null, "fired": 3,
            "last_fired_at": "2026-11-30T01:30:00.000000Z", "live": [live.to_string()],
            "owed": 1, "owed_at": "2026-11-30T02:30:00.000000Z",
            "cron": "30 2 * * *", "zone": "Europe/Ljubljana",
            "job": {"kind": "http", "payload": {"url": "https://example.com/", "auth": {"bearer": "***"}}}
        })
    );
    row.standing.paused = Some(Pause {
        reason: "moving".to_owned(),
        since: at("2026-11-30T13:00:00Z"),
    });
    let paused = told(&wire::Schedule::of(&row, &BTreeMap::new()));
    assert_eq!(
        paused["paused"],
        json!({"reason": "moving", "since": "2026-11-30T13:00:00.000000Z"})
    );
    assert_eq!(paused["next_at"], Value::Null);
}

#[test]
fn a_reader_of_a_schedule_skips_what_it_does_not_know() {
    let mut document = told(&wire::Schedule::of(&nightly(), &BTreeMap::new()));
    document["colour"] = json!({"of": "tomorrow"});
    let schedule: wire::Schedule = serde_json::from_value(document).expect("it is read");
    assert_eq!(schedule.head.rev, 7);
    assert_eq!(schedule.plan.cron.as_deref(), Some("30 2 * * *"));
    let plan = schedule.plan.read().expect("it is a plan");
    assert_eq!(plan.spec, nightly().plan.spec);
}

#[test]
fn every_field_of_a_plan_is_read_from_a_schedule() {
    let job = json!({"kind": "report"});
    let exclude = json!({"dates": ["2026-12-25"]});
    for plan in [
        json!({"cron": "@daily", "zone": "Europe/Paris", "gap": "skip", "fold": "both", "job": job}),
        json!({"every": "5m", "phase": "1m", "spread": "1m", "misfire": {"mode": "all"}, "overlap": "allow", "job": job}),
        json!({
            "at": ["2026-12-01T09:00:00.000000Z"], "start": "2026-12-01T00:00:00.000000Z",
            "end": "2027-12-01T00:00:00.000000Z", "max_runs": 3, "exclude": exclude, "job": job
        }),
        json!({"after": "5m", "job": job}),
    ] {
        let mut document = told(&wire::Schedule::of(&nightly(), &BTreeMap::new()));
        let fields = document.as_object_mut().expect("it is an object");
        fields.retain(|name, _| !["cron", "zone", "job"].contains(&name.as_str()));
        fields.extend(plan.as_object().expect("it is an object").clone());
        let schedule: wire::Schedule = serde_json::from_value(document).expect("it is read");
        assert_eq!(told(&schedule.plan), plan);
    }
}

#[test]
fn an_occurrence_is_one_instant_or_several_in_a_row() {
    let schedule = nightly().id;
    let job = JobId::named("job");
    let fired = Occurrence {
        schedule,
        nominal_at: at("2026-12-01T01:30:00Z"),
        until: at("2026-12-01T01:30:00Z"),
        count: 1,
        at: at("2026-12-01T01:30:00.004Z"),
        cause: Cause::Planned,
        outcome: Outcome::Fired { job, missed: 2 },
    };
    assert_eq!(
        told(&wire::Occurrence::of(&fired)),
        json!({
            "nominal_at": "2026-12-01T01:30:00.000000Z", "until": null, "count": 1, "outcome": "fired", "reason": null,
            "cause": "planned", "job": job.to_string(), "missed": 2, "at": "2026-12-01T01:30:00.004000Z"
        })
    );
    let skipped = Occurrence {
        until: at("2026-12-05T01:30:00Z"),
        count: 5,
        outcome: Outcome::Skipped(Reason::DstGap),
        ..fired
    };
    let document = wire::Occurrence::of(&skipped);
    assert_eq!(document.until, Some(wire::At(at("2026-12-05T01:30:00Z"))));
    assert_eq!(
        (document.outcome.as_str(), document.reason.as_deref()),
        ("skipped", Some("dst_gap"))
    );
    let read: wire::Occurrence = serde_json::from_value(told(&document)).expect("it is read");
    assert_eq!(read, document);
}

fn preview(body: &Value) -> Value {
    let preview: NewPreview = read(body.to_string().as_bytes()).expect("it is a preview");
    let order = preview.read().expect("it is an order");
    let from = order.from.unwrap_or(at("2026-12-01T12:00:00Z"));
    let preview = order.plan.preview(from, order.count, &BTreeMap::new());
    told(&wire::Preview::of(&order.plan, &preview))
}

#[test]
fn a_preview_tells_each_instant_and_what_the_clocks_do_to_it() {
    assert_eq!(
        preview(&json!({
            "cron": "30 2 * * *", "zone": "Europe/Ljubljana", "from": "2027-03-27T12:00:00Z", "count": 2
        })),
        json!({
            "description": "every day at 02:30, Europe/Ljubljana", "zone": "Europe/Ljubljana", "more": true, "note": null,
            "items": [
                {
                    "at": "2027-03-28T01:00:00.000000Z", "local": "2027-03-28T03:00:00+02:00", "outcome": "fires",
                    "clocks": "shifted", "note": "02:30 does not exist on this day; it fires at 03:00"
                },
                {
                    "at": "2027-03-29T00:30:00.000000Z", "local": "2027-03-29T02:30:00+02:00", "outcome": "fires",
                    "clocks": "plain", "note": null
                }
            ]
        })
    );
    let skipped = preview(&json!({
        "cron": "30 2 * * *", "zone": "Europe/Ljubljana", "gap": "skip", "from": "2027-03-27T12:00:00Z", "count": 1
    }));
    assert_eq!(skipped["items"][0]["outcome"], "skipped");
    let precise = preview(&json!({"every": "1s500ms", "count": 1}));
    assert_eq!(precise["items"][0]["local"], "2026-12-01T12:00:01.5+00:00");
}

#[test]
fn a_preview_takes_a_whole_schedule_and_has_ten_instants_unless_it_says() {
    let whole = preview(&json!({"every": "15m", "spread": "10m", "job": {"kind": "report"}}));
    assert_eq!(whole["items"].as_array().map(Vec::len), Some(10));
    assert_eq!(
        whole["note"],
        "each job is due up to 10m later than its instant, always by the same length for one schedule"
    );
    let after = preview(&json!({"after": "15m"}));
    assert_eq!(after["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        (after["more"].as_bool(), after["note"].as_str()),
        (
            Some(true),
            Some("the next instant depends on the run before it: it comes 15m after its end")
        )
    );
    let ended = preview(&json!({"at": ["2020-01-01T00:00:00Z"]}));
    assert_eq!(
        (ended["more"].as_bool(), &ended["items"]),
        (Some(false), &json!([]))
    );
}

#[test]
fn a_preview_is_sent_as_it_is_read() {
    let body = json!({"every": "15m", "job": {"kind": "report", "payload": {"n": 1}}, "from": "2026-12-01T12:00:00Z", "count": 3});
    let preview: NewPreview = read(body.to_string().as_bytes()).expect("it is a preview");
    assert_eq!(told(&preview), body);
}
