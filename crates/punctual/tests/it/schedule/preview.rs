//! What a plan will come to.

use std::collections::{BTreeMap, BTreeSet};

use punctual::limits::PREVIEW_INSTANTS;
use punctual::schedule::cron::{Cron, Fold, Gap};
use punctual::schedule::{Every, Fate, Further, Plan, Preview, Spec};
use punctual::{NewJob, Timestamp, hours, minutes};

fn plan(spec: Spec) -> Plan {
    Plan::new(spec, NewJob::bytes("report", "null"))
}

fn cron(pattern: &str, zone: &str, gap: Gap, fold: Fold) -> Plan {
    plan(Spec::Cron(Cron {
        pattern: pattern.parse().expect("it is a pattern"),
        zone: zone.parse().expect("it is a zone"),
        gap,
        fold,
    }))
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("it is an instant")
}

fn preview(plan: &Plan, from: &str, count: usize) -> Preview {
    plan.preview(at(from), count, &BTreeMap::new())
}

/// Each item as one line: what the clocks show, and the note.
fn told(preview: &Preview) -> Vec<String> {
    let line = |item: &punctual::schedule::Foreseen| {
        let shown = item.shown.strftime("%Y-%m-%d %H:%M %:z");
        match item.note() {
            None => format!("{shown} {}", item.fate.as_str()),
            Some(note) => format!("{shown} {}: {note}", item.fate.as_str()),
        }
    };
    preview.items.iter().map(line).collect()
}

#[test]
fn a_preview_tells_what_the_clocks_do_to_each_instant() {
    let nightly = |gap, fold| cron("30 2 * * *", "Europe/Ljubljana", gap, fold);
    assert_eq!(
        told(&preview(
            &nightly(Gap::Shift, Fold::First),
            "2027-03-27T12:00:00Z",
            2
        )),
        [
            "2027-03-28 03:00 +02:00 shifted: 02:30 does not exist on this day; it fires at 03:00",
            "2027-03-29 02:30 +02:00 plain",
        ]
    );
    assert_eq!(
        told(&preview(
            &nightly(Gap::Skip, Fold::First),
            "2027-03-27T12:00:00Z",
            1
        )),
        ["2027-03-28 03:00 +02:00 left_out: 02:30 does not exist on 2027-03-28, and is skipped"]
    );
    assert_eq!(
        told(&preview(
            &nightly(Gap::Shift, Fold::Both),
            "2027-10-30T12:00:00Z",
            3
        )),
        [
            "2027-10-31 02:30 +02:00 first: 02:30 comes twice on this day, and this is the first time",
            "2027-10-31 02:30 +01:00 second: 02:30 comes twice on this day, and this is the second time",
            "2027-11-01 02:30 +01:00 plain",
        ]
    );
}

#[test]
fn a_day_that_a_zone_leaves_out_is_told_as_one() {
    let daily = cron("0 9 * * *", "Pacific/Apia", Gap::Shift, Fold::First);
    let preview = preview(&daily, "2011-12-29T12:00:00Z", 3);
    assert_eq!(
        told(&preview),
        [
            "2011-12-29 09:00 -10:00 plain",
            "2011-12-31 00:00 +14:00 day_left_out: 2011-12-30 does not exist in this zone, and is skipped",
            "2011-12-31 09:00 +14:00 plain",
        ]
    );
    let fires: Vec<bool> = preview.items.iter().map(|item| item.fate.fires()).collect();
    assert_eq!(fires, [true, false, true]);
}

#[test]
fn a_preview_ends_with_its_plan() {
    let every = Spec::Every(Every {
        length: hours(1),
        phase: minutes(0),
    });
    let mut bounded = plan(every);
    assert_eq!(
        preview(&bounded, "2026-12-01T12:00:00Z", 3).further,
        Further::More
    );
    bounded.end = Some(at("2026-12-01T14:00:00Z"));
    let short = preview(&bounded, "2026-12-01T12:00:00Z", 3);
    assert_eq!((short.items.len(), short.further), (1, Further::Nothing));

    let mut once = cron("0 9 * * *", "UTC", Gap::Shift, Fold::First);
    once.max_runs = Some(1);
    let once = preview(&once, "2026-12-01T12:00:00Z", 5);
    assert_eq!((once.items.len(), once.further), (1, Further::Nothing));
}

#[test]
fn what_is_skipped_is_no_run() {
    let mut twice = cron("30 2 * * *", "Europe/Ljubljana", Gap::Skip, Fold::First);
    twice.max_runs = Some(2);
    let fates: Vec<Fate> = preview(&twice, "2027-03-26T12:00:00Z", 9)
        .items
        .iter()
        .map(|item| item.fate)
        .collect();
    assert_eq!(fates, [Fate::Plain, Fate::LeftOut, Fate::Plain]);
}

#[test]
fn of_instants_that_depend_on_runs_only_the_first_is_told() {
    let mut after = plan(Spec::After(minutes(10)));
    after.exclude.dates = BTreeSet::from(["2026-12-01".parse().expect("it is a date")]);
    let preview = preview(&after, "2026-12-01T12:00:00Z", 5);
    assert_eq!(told(&preview), ["2026-12-02 00:00 +00:00 plain"]);
    assert_eq!(preview.further, Further::AfterRuns(minutes(10)));
}

#[test]
fn a_preview_has_a_bound() {
    let minutely = cron("* * * * *", "UTC", Gap::Shift, Fold::First);
    let preview = preview(&minutely, "2026-12-01T12:00:00Z", usize::MAX);
    assert_eq!(preview.items.len(), PREVIEW_INSTANTS);
}
