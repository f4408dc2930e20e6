//! Files of schedules.

use punctual::minutes;
use punctual::schedule::{Overlap, Spec};
use punctual_http::limits::SCHEDULES_BYTES;
use punctual_http::schedules::File;
use serde_json::json;

const FILE: &str = r#"
# Every name that a schedule can have is a key; what has a dot stands in quotes.
[schedule.nightly]
cron = "30 2 * * *"
zone = "Europe/Ljubljana"
overlap = "buffer_one"
misfire = { mode = "all", max = 7 }
exclude = { dates = [2026-12-25, "2027-01-01"], weekdays = ["sun"] }

[schedule.nightly.job]
kind = "http"
tags = ["billing"]
payload = { method = "POST", url = "https://example.com/hook", json = { n = 1.5, on = true } }

[schedule."a.b/hourly"]
every = "1h"
start = 2026-12-01T09:00:00+01:00
job = { kind = "report" }
"#;

/// What is wrong with a file, as people read it.
fn slips(text: &str) -> Vec<String> {
    let faults = File::read(text).expect_err("it should be refused");
    faults.iter().map(ToString::to_string).collect()
}

#[test]
fn a_file_tells_its_schedules_in_their_order() {
    let file = File::read(FILE).expect("it is right");
    let [nightly, hourly] = file.schedules() else {
        panic!("there are two schedules");
    };
    assert_eq!((nightly.name.as_str(), nightly.line), ("nightly", 3));
    assert_eq!((hourly.name.as_str(), hourly.line), ("a.b/hourly", 15));
    assert_eq!(nightly.plan.overlap, Overlap::BufferOne);
    assert!(matches!(&hourly.plan.spec, Spec::Every(every) if every.length == minutes(60)));
    assert_eq!(
        serde_json::to_value(&nightly.schedule).expect("it has a JSON form"),
        json!({
            "cron": "30 2 * * *", "zone": "Europe/Ljubljana", "overlap": "buffer_one",
            "misfire": {"mode": "all", "max": 7},
            "exclude": {"dates": ["2026-12-25", "2027-01-01"], "weekdays": ["sun"]},
            "job": {
                "kind": "http", "tags": ["billing"],
                "payload": {"method": "POST", "url": "https://example.com/hook", "json": {"n": 1.5, "on": true}}
            }
        })
    );
    assert_eq!(
        serde_json::to_value(&hourly.schedule).expect("it has a JSON form"),
        json!({"every": "1h", "start": "2026-12-01T08:00:00.000000Z", "job": {"kind": "report"}})
    );
}

#[test]
fn everything_that_is_wrong_is_told_where_it_stands() {
    let text = r#"
[schedule.nightly]
cron = "30 25 * * *"
overlaps = "skip"

[schedule.hourly]
every = "1h"
exclude = { dates = [2026-12-25, "Easter"] }
misfire.grace = "soon"

[schedule.hourly.job]
payload = { n = inf }

[schedule.monthly]
job = { kind = "report", priority = "high" }
cron = "@monthly"

[schedules.weekly]
"#;
    assert_eq!(
        slips(text),
        [
            "4:1: schedule.nightly.overlaps: there is no such field; known are cron, zone, gap, fold, every, phase, after, \
             at, start, end, max_runs, exclude, spread, misfire, overlap, job",
            "12:13: schedule.hourly.job.payload.n: a number is finite here",
            "15:26: schedule.monthly.job.priority: it is the text \"high\"; write a whole number",
            "18:2: schedules: there is no such setting; write a table for each schedule, such as [schedule.nightly]",
        ]
    );
    let text = text
        .replace("overlaps", "overlap")
        .replace("inf", "1")
        .replace("\"high\"", "1")
        .replace("[schedules.weekly]", "");
    assert_eq!(
        slips(&text),
        [
            "2:11: schedule.nightly.job: it is missing",
            "3:1: schedule.nightly.cron: \"25\" is not understood at column 4 of the cron pattern: an hour is 0 to 23",
            "8:34: schedule.hourly.exclude.dates.1: it is not a date; write one such as 2026-12-25",
            "9:9: schedule.hourly.misfire.grace: \"soon\" is not a length of time: a number is missing or too large; write \
             whole numbers with units, such as 1h30m, 45s or 500ms",
            "11:18: schedule.hourly.job.kind: it is missing: http, command or the name of a handler",
        ]
    );
}

#[test]
fn what_is_no_file_of_schedules_is_refused_as_a_whole() {
    assert_eq!(
        slips("[schedule.nightly]\ncron = 5 *\n")[0].split(": ").nth(1),
        Some("this is no TOML")
    );
    assert_eq!(
        slips("schedule = 5"),
        [
            "1:1: schedule: there is no such setting; write a table for each schedule, such as [schedule.nightly]"
        ]
    );
    assert_eq!(
        slips("[schedule]\nnightly = 5"),
        ["2:1: schedule.nightly: a schedule is a table, such as [schedule.nightly]"]
    );
    assert_eq!(
        slips("[schedule.\"every night\"]"),
        [
            "1:11: schedule.\"every night\": the name of a schedule must have 1 to 128 bytes: letters, digits and . _ - / :, \
             and is \"every night\""
        ]
    );
    let long = "#".repeat(SCHEDULES_BYTES + 1);
    assert_eq!(slips(&long).len(), 1);
    assert!(File::read("").expect("it is empty").schedules().is_empty());
}

#[test]
fn what_a_server_says_of_a_field_is_told_where_the_field_stands() {
    let file = File::read(FILE).expect("it is right");
    let told = |name: &str, pointer: &str| file.fault(name, pointer, "no").to_string();
    assert_eq!(
        told("nightly", "/misfire/max"),
        "7:27: schedule.nightly.misfire.max: no"
    );
    assert_eq!(
        told("nightly", "/job/payload/url"),
        "13:30: schedule.nightly.job.payload.url: no"
    );
    assert_eq!(
        told("a.b/hourly", "/phase"),
        "15:11: schedule.\"a.b/hourly\".phase: no"
    );
}
