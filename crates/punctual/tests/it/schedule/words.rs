//! What a plan means, in words.

use std::collections::BTreeSet;

use jiff::civil::Weekday;
use punctual::schedule::cron::{Cron, Fold, Gap};
use punctual::schedule::{Every, Plan, Spec};
use punctual::{NewJob, Timestamp, days, hours, minutes, seconds};

fn plan(spec: Spec) -> Plan {
    Plan::new(spec, NewJob::bytes("report", "null"))
}

fn every(length: std::time::Duration, phase: std::time::Duration) -> Plan {
    plan(Spec::Every(Every { length, phase }))
}

fn nightly() -> Plan {
    plan(Spec::Cron(Cron {
        pattern: "30 2 * * *".parse().expect("it is a pattern"),
        zone: "Europe/Ljubljana".parse().expect("it is a zone"),
        gap: Gap::Shift,
        fold: Fold::First,
    }))
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("it is an instant")
}

#[test]
fn an_interval_is_told_in_its_unit() {
    for (length, phase, told) in [
        (minutes(15), minutes(0), "every 15 minutes"),
        (hours(1), minutes(0), "every hour"),
        (hours(1), minutes(5), "every hour, shifted by 5 minutes"),
        (seconds(1), minutes(0), "every second"),
        (minutes(90), minutes(0), "every 90 minutes"),
        (seconds(5400 + 1), minutes(0), "every 1h30m1s"),
        (days(1), hours(1), "every day, shifted by 1 hour"),
        (days(365), minutes(0), "every 365 days"),
    ] {
        assert_eq!(every(length, phase).describe(), told);
    }
    assert_eq!(
        plan(Spec::After(minutes(10))).describe(),
        "10 minutes after the end of the last run"
    );
}

#[test]
fn bounds_and_days_of_rest_are_told_with_the_zone_that_they_count_in() {
    let mut nightly = nightly();
    assert_eq!(nightly.describe(), "every day at 02:30, Europe/Ljubljana");
    nightly.exclude.weekdays = vec![Weekday::Saturday, Weekday::Sunday];
    nightly.exclude.dates = BTreeSet::from(["2026-12-25".parse().expect("it is a date")]);
    nightly.exclude.calendars = vec!["holidays".to_owned()];
    nightly.start = Some(at("2026-12-01T00:00:00Z"));
    nightly.end = Some(at("2027-01-01T00:00:30.5Z"));
    nightly.max_runs = Some(10);
    assert_eq!(
        nightly.describe(),
        "every day at 02:30, Europe/Ljubljana, except Saturday, Sunday, 2026-12-25 and the days of holidays, \
         from 2026-12-01 01:00, until 2027-01-01 01:00:30.5, at most 10 runs"
    );
    let mut hourly = every(hours(1), minutes(0));
    hourly.max_runs = Some(1);
    assert_eq!(hourly.describe(), "every hour, at most one run");
}

#[test]
fn named_instants_are_told_by_their_ends() {
    let instants = |texts: &[&str]| {
        let mut plan = plan(Spec::At(texts.iter().map(|text| at(text)).collect()));
        plan.zone = "Europe/Ljubljana".parse().expect("it is a zone");
        plan.describe()
    };
    assert_eq!(
        instants(&["2026-12-01T09:00:00Z"]),
        "at 2026-12-01 10:00, Europe/Ljubljana"
    );
    assert_eq!(
        instants(&[
            "2026-12-01T09:00:00Z",
            "2026-12-02T09:00:00Z",
            "2027-07-01T09:00:00Z"
        ]),
        "at 3 instants from 2026-12-01 10:00 to 2027-07-01 11:00, Europe/Ljubljana"
    );
}
