//! Plans on the wire and back.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::civil::{Date, Weekday};
use proptest::collection::{btree_set, vec};
use proptest::option::of;
use proptest::prelude::*;
use punctual::job::{Backoff, OnLost};
use punctual::schedule::cron::{Cron, Fold, Gap};
use punctual::schedule::{Every, Exclusions, Misfire, MisfireMode, Overlap, Plan, Spec, Zone};
use punctual::{NewJob, Timestamp, minutes, seconds};
use punctual_http::wire::{NewSchedule, read};
use serde_json::{Value, json};

fn plan_of(body: &Value) -> Plan {
    let schedule: NewSchedule = read(body.to_string().as_bytes()).expect("it is a schedule");
    schedule.read().expect("it is a plan")
}

fn written(plan: &Plan) -> Value {
    serde_json::to_value(NewSchedule::of(plan)).expect("it has a JSON form")
}

#[test]
fn a_schedule_says_all_that_a_plan_holds() {
    let body = json!({
        "cron": "30 2 * * *", "zone": "Europe/Ljubljana", "gap": "skip", "fold": "both",
        "start": "2026-12-01T00:00:00Z", "end": "2027-12-01T00:00:00Z", "max_runs": 100,
        "exclude": {"dates": ["2026-12-25"], "weekdays": ["sat", "sun"], "calendars": ["holidays"]},
        "spread": "10m", "misfire": {"mode": "all", "grace": "5m", "max": 7}, "overlap": "buffer_one",
        "job": {"kind": "http", "payload": {"method": "POST", "url": "https://example.com/hook"}, "priority": 2}
    });
    let plan = plan_of(&body);
    let Spec::Cron(cron) = &plan.spec else {
        panic!("{:?} is no cron pattern", plan.spec);
    };
    assert_eq!(
        (cron.pattern.as_str(), cron.zone.name()),
        ("30 2 * * *", "Europe/Ljubljana")
    );
    assert_eq!((cron.gap, cron.fold), (Gap::Skip, Fold::Both));
    assert_eq!(
        plan.misfire,
        Misfire {
            mode: MisfireMode::All,
            grace: minutes(5),
            max: 7
        }
    );
    assert_eq!(
        (plan.overlap, plan.max_runs, plan.spread),
        (Overlap::BufferOne, Some(100), Some(minutes(10)))
    );
    assert_eq!(plan.exclude.weekdays, [Weekday::Saturday, Weekday::Sunday]);
    assert_eq!((plan.job.kind.as_str(), plan.job.priority), ("http", Some(2)));
    let mut expected = body;
    expected["start"] = json!("2026-12-01T00:00:00.000000Z");
    expected["end"] = json!("2027-12-01T00:00:00.000000Z");
    assert_eq!(written(&plan), expected);
}

#[test]
fn what_takes_its_default_is_left_out() {
    for (body, least) in [
        (
            json!({
                "cron": "@daily", "zone": "utc", "gap": "shift", "fold": "first", "overlap": "skip",
                "misfire": {"mode": "latest", "grace": "60s", "max": 100}, "exclude": {"dates": []},
                "job": {"kind": "report", "payload": null, "tags": []}
            }),
            json!({"cron": "@daily", "job": {"kind": "report"}}),
        ),
        (
            json!({"every": "90m", "phase": "0", "misfire": {}, "job": {"kind": "report"}}),
            json!({"every": "1h30m", "job": {"kind": "report"}}),
        ),
        (
            json!({"after": "10m", "zone": "europe/paris", "exclude": {"weekdays": ["Sunday"]}, "job": {"kind": "report"}}),
            json!({"after": "10m", "zone": "Europe/Paris", "exclude": {"weekdays": ["sun"]}, "job": {"kind": "report"}}),
        ),
    ] {
        assert_eq!(written(&plan_of(&body)), least);
    }
}

#[test]
fn a_payload_is_told_digit_for_digit_or_in_base64() {
    let body = br#"{"every": "5m", "job": {"kind": "report", "payload": {"n": 1.00, "big": 12345678901234567890123}}}"#;
    let schedule: NewSchedule = read(body).expect("it is a schedule");
    let plan = schedule.read().expect("it is a plan");
    let text = serde_json::to_string(&NewSchedule::of(&plan)).expect("it has a JSON form");
    assert!(
        text.contains(r#"{"n": 1.00, "big": 12345678901234567890123}"#),
        "{text}"
    );

    let mut bytes = plan;
    bytes.job = NewJob::bytes("report", &b"\xff\x00"[..]);
    assert_eq!(written(&bytes)["job"]["payload_base64"], "/wA=");
    assert_eq!(plan_of(&written(&bytes)), bytes);
}

proptest! {
    #[test]
    fn what_is_written_reads_as_the_same_plan(plan in plans()) {
        let text = serde_json::to_string(&NewSchedule::of(&plan)).expect("it has a JSON form");
        let schedule: NewSchedule = read(text.as_bytes()).expect("it is a schedule");
        prop_assert_eq!(schedule.read(), Ok(plan));
    }
}

fn plans() -> impl Strategy<Value = Plan> {
    let bounds = (of(instants()), of(instants()), of(1..u64::MAX / 2), of(lengths()));
    let policies = (misfires(), overlaps());
    (specs(), zones(), bounds, exclusions(), policies, jobs()).prop_map(
        |(spec, zone, (start, end, max_runs, spread), exclude, (misfire, overlap), job)| {
            let zone = match spec {
                Spec::Cron(_) => Zone::default(),
                _ => zone.parse().expect("it is a zone"),
            };
            Plan {
                spec,
                zone,
                start,
                end,
                max_runs,
                exclude,
                spread,
                misfire,
                overlap,
                job,
            }
        },
    )
}

fn specs() -> impl Strategy<Value = Spec> {
    let patterns = prop::sample::select(vec!["30 2 * * *", "@daily", "*/5 * * * MON-FRI", "0 0 12 L * ?"]);
    let gaps = prop::sample::select(vec![Gap::Shift, Gap::Skip]);
    let folds = prop::sample::select(vec![Fold::First, Fold::Second, Fold::Both]);
    let cron = (patterns, zones(), gaps, folds).prop_map(|(pattern, zone, gap, fold)| {
        Spec::Cron(Cron {
            pattern: pattern.parse().expect("it is a pattern"),
            zone: zone.parse().expect("it is a zone"),
            gap,
            fold,
        })
    });
    let every = (lengths(), lengths()).prop_map(|(length, phase)| Spec::Every(Every { length, phase }));
    let at = vec(instants(), 0..5).prop_map(Spec::At);
    prop_oneof![cron, every, lengths().prop_map(Spec::After), at]
}

fn zones() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "UTC",
        "Europe/Ljubljana",
        "America/New_York",
        "Pacific/Apia",
    ])
}

fn instants() -> impl Strategy<Value = Timestamp> {
    (0..4_102_444_800_000_000_i64).prop_map(Timestamp::from_micros)
}

fn lengths() -> impl Strategy<Value = Duration> {
    (0..86_400_000_000_u64).prop_map(Duration::from_micros)
}

fn exclusions() -> impl Strategy<Value = Exclusions> {
    let dates = (2000..2100_i16, 1..=12_i8, 1..=28_i8)
        .prop_map(|(year, month, day)| Date::new(year, month, day).expect("it is a date"));
    let weekdays = (0..7_i8).prop_map(|day| Weekday::from_monday_zero_offset(day).expect("it is a day"));
    let calendars = vec("[a-z]{1,8}", 0..3);
    (btree_set(dates, 0..4), vec(weekdays, 0..4), calendars).prop_map(
        |(dates, weekdays, calendars): (BTreeSet<Date>, _, _)| Exclusions {
            dates,
            weekdays,
            calendars,
        },
    )
}

fn misfires() -> impl Strategy<Value = Misfire> {
    let modes = prop::sample::select(vec![MisfireMode::Skip, MisfireMode::Latest, MisfireMode::All]);
    let changed =
        (modes, lengths(), 1..=1000_u32).prop_map(|(mode, grace, max)| Misfire { mode, grace, max });
    prop_oneof![Just(Misfire::default()), changed]
}

fn overlaps() -> impl Strategy<Value = Overlap> {
    prop::sample::select(vec![
        Overlap::Skip,
        Overlap::BufferOne,
        Overlap::CancelOther,
        Overlap::Allow,
    ])
}

fn jobs() -> impl Strategy<Value = NewJob> {
    let payloads = prop::sample::select(vec![
        &b"null"[..],
        b"{\"n\":1}",
        b"\"text\"",
        b"1.50",
        b"\xfe",
        b"",
    ]);
    let options = (of(lengths()), of(1..=1000_u32), any::<bool>(), any::<bool>());
    (payloads, of(0..=9_u8), vec("[a-z]{1,8}", 0..3), options).prop_map(
        |(payload, priority, tags, (timeout, attempts, backs_off, fails))| {
            let mut job = NewJob::bytes("report", payload);
            job.priority = priority;
            job.tags = tags;
            job.options.timeout = timeout;
            job.options.max_attempts = attempts;
            job.options.backoff = backs_off.then(|| Backoff::List(vec![seconds(1), minutes(1)]));
            job.options.on_lost = fails.then_some(OnLost::Fail);
            job
        },
    )
}
