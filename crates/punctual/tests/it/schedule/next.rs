//! What comes next of a schedule.

use std::collections::BTreeMap;
use std::sync::Arc;

use punctual::schedule::cron::{Cron, Fold, Gap};
use punctual::schedule::{Pause, Plan, Schedule, ScheduleId, ScheduleName, Spec, Standing};
use punctual::{JobId, NewJob, Timestamp, minutes};

fn at(text: &str) -> Timestamp {
    text.parse().expect("it is an instant")
}

fn schedule(spec: Spec) -> Schedule {
    let noon = at("2027-03-27T12:00:00Z");
    Schedule {
        id: ScheduleId(JobId::named("next").0),
        name: ScheduleName::from("next"),
        rev: 1,
        created_at: noon,
        plan: Arc::new(Plan::new(spec, NewJob::bytes("report", "null"))),
        standing: Standing::new(noon),
    }
}

fn next(schedule: &Schedule) -> Option<String> {
    let next = schedule.next_nominal(&BTreeMap::new())?;
    Some(next.to_string())
}

#[test]
fn what_the_clocks_leave_out_is_not_next() {
    let nightly = schedule(skipping("30 2 * * *"));
    assert_eq!(next(&nightly).as_deref(), Some("2027-03-29T00:30:00.000000Z"));
}

/// In the hour that the clocks leave out each year, or on its date, which is another one each year.
fn skipping(pattern: &str) -> Spec {
    Spec::Cron(Cron {
        pattern: pattern.parse().expect("it is a pattern"),
        zone: "Europe/Ljubljana".parse().expect("it is a zone"),
        gap: Gap::Skip,
        fold: Fold::First,
    })
}

#[test]
fn a_pattern_that_the_clocks_always_leave_out_has_no_next_instant() {
    assert_eq!(next(&schedule(skipping("30 2 * 3 0L"))), None);
    let Spec::Cron(cron) = skipping("*/5 2 * 3 0L") else {
        unreachable!("it is a pattern")
    };
    assert_eq!(cron.next_after(at("2027-03-27T12:00:00Z")), None);
    let dated = schedule(skipping("30 2 28 3 *"));
    assert_eq!(next(&dated).as_deref(), Some("2028-03-28T00:30:00.000000Z"));
    let leap_days = schedule(skipping("30 2 29 2 *"));
    assert_eq!(next(&leap_days).as_deref(), Some("2028-02-29T01:30:00.000000Z"));
}

#[test]
fn nothing_is_next_while_a_calendar_cannot_be_read() {
    let mut schedule = schedule(Spec::every(minutes(5)));
    let plan = Arc::make_mut(&mut schedule.plan);
    plan.exclude.calendars = vec!["holidays".to_owned()];
    let next = |calendars| schedule.next_nominal(&calendars);
    assert_eq!(next(BTreeMap::new()), Some(at("2027-03-27T12:05:00Z")));
    assert_eq!(next(BTreeMap::from([("holidays".to_owned(), None)])), None);
}

#[test]
fn nothing_is_next_while_a_schedule_is_paused_or_once_it_has_ended() {
    let instants = vec![at("2027-03-28T00:00:00Z"), at("2027-03-29T00:00:00Z")];
    let mut schedule = schedule(Spec::At(instants));
    assert_eq!(next(&schedule).as_deref(), Some("2027-03-28T00:00:00.000000Z"));
    schedule.standing.paused = Some(Pause {
        reason: String::new(),
        since: schedule.created_at,
    });
    assert_eq!(next(&schedule), None);
    schedule.standing.paused = None;
    schedule.standing.settled_until = at("2027-03-29T00:00:00Z");
    assert_eq!(next(&schedule), None);
}

#[test]
fn what_counts_from_the_end_of_a_run_is_known_once_it_has_ended() {
    let mut schedule = schedule(Spec::After(minutes(10)));
    assert_eq!(next(&schedule).as_deref(), Some("2027-03-27T12:00:00.000000Z"));
    schedule.standing.last_fired = Some(schedule.created_at);
    schedule.standing.live = vec![JobId::named("live")];
    assert_eq!(next(&schedule), None);
    schedule.standing.live.clear();
    schedule.standing.last_ended = Some(at("2027-03-27T12:30:00Z"));
    assert_eq!(next(&schedule).as_deref(), Some("2027-03-27T12:40:00.000000Z"));
}
