//! Plans to try stores with.

use std::collections::BTreeSet;

use bytes::Bytes;
use jiff::civil::{Weekday, date};

use super::{NOW, full};
use crate::job::{NewJob, State};
use crate::schedule::cron::{Cron, Fold, Gap};
use crate::schedule::{Every, Exclusions, Misfire, MisfireMode, Overlap, Plan, Spec, Zone};
use crate::time::{hours, minutes, seconds};

/// How many kinds of plans there are.
pub(in crate::testing) const KINDS: u64 = 6;

/// The plan of sample `n`: of each kind one.
pub(in crate::testing) fn of(n: u64) -> Plan {
    let plain = |spec| Plan::new(spec, NewJob::bytes("sample", "{}"));
    match n % KINDS {
        0 => plain(Spec::Every(Every {
            length: minutes(15),
            phase: seconds(7),
        })),
        1 => plain(Spec::After(hours(3))),
        2 => plain(Spec::At((0..40).map(|n| NOW + hours(n)).collect())),
        3 => plain(cron("*/5 9-17 * * MON-FRI", Gap::Shift, Fold::First)),
        4 => whole(
            cron("0 30 2 L * ?", Gap::Skip, Fold::Both),
            MisfireMode::All,
            Overlap::CancelOther,
        ),
        _ => whole(
            cron("@daily", Gap::Skip, Fold::Second),
            MisfireMode::Skip,
            Overlap::BufferOne,
        ),
    }
}

fn cron(pattern: &str, gap: Gap, fold: Fold) -> Spec {
    Spec::Cron(Cron {
        pattern: pattern.parse().expect("it is a pattern"),
        zone: zone(),
        gap,
        fold,
    })
}

fn zone() -> Zone {
    "Europe/Ljubljana".parse().expect("it is a zone")
}

/// A plan with something in every field.
fn whole(spec: Spec, mode: MisfireMode, overlap: Overlap) -> Plan {
    let mut job = NewJob::bytes("http", Bytes::from((0..=255).collect::<Vec<u8>>()));
    job.queue = Some("a/b:c".into());
    job.priority = Some(9);
    job.tags = vec!["märz 🦀".to_owned(), "blue".to_owned()];
    job.options = full(1, State::Waiting).body.options.clone();
    job.options.start_deadline = None;
    Plan {
        zone: zone(),
        start: Some(NOW - hours(1)),
        end: Some(NOW + hours(1_000)),
        max_runs: Some(77),
        exclude: Exclusions {
            dates: BTreeSet::from([date(2026, 12, 25), date(2027, 1, 1)]),
            weekdays: vec![Weekday::Sunday, Weekday::Monday],
            calendars: vec!["holidays \"SI\"".to_owned()],
        },
        spread: Some(minutes(3)),
        misfire: Misfire {
            mode,
            grace: seconds(90),
            max: 3,
        },
        overlap,
        ..Plan::new(spec, job)
    }
}
