//! What the crate `croner` makes of the same patterns.
//!
//! Its rules are ours but for some, which docs/cron.md tells one by one. Two of them have a counterpart here, and are asked for:
//!
//! * A pattern of several times of day follows elapsed time, which is `gap = skip` and `fold = both`.
//! * `*/2` in a field of days is set, so with the other field set too, either day would do; it can be told that both have to.
//!
//! Where it differs for another reason, that is a [class](Verdict::Known) of its own; else one of us is wrong.

use croner::parser::CronParser;
use croner::{JobType, errors::CronError};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Zoned};
use punctual::Timestamp;
use punctual::schedule::cron::{Cron, Decision, Fold, Gap, Nominal};

/// More than this is not left out by clocks that `croner` follows.
const GAP_MAX: SignedDuration = SignedDuration::from_hours(2);
/// How far from a gap the instant may be that it kept `croner` from finding.
const NEAR: SignedDuration = SignedDuration::from_hours(48);

pub(super) enum Verdict {
    Same,
    /// It differs, as it is known to.
    Known(&'static str),
    Different(String),
}

/// Compares what comes after an instant.
pub(super) fn compare(ours: Cron, after: Timestamp) -> Verdict {
    let text = spelled(ours.pattern.as_str());
    let parser = CronParser::builder().dom_and_dow(needs_both_days(&text)).build();
    let theirs = match parser.parse(&text) {
        Ok(theirs) => theirs,
        Err(_) if counts_from_the_last_day(&text) => return Verdict::Known("counts from the last day"),
        Err(error) => return Verdict::Different(format!("but croner refuses {text}: {error}")),
    };
    let (gap, fold) = match theirs.determine_job_type() {
        JobType::FixedTime => (Gap::Shift, Fold::First),
        JobType::IntervalWildcard => (Gap::Skip, Fold::Both),
    };
    let ours = Cron { gap, fold, ..ours };
    let zone = TimeZone::get(ours.zone.name()).expect("it is a zone");
    let begin = jiff::Timestamp::from(after).to_zoned(zone);
    let found = theirs.find_next_occurrence(&begin, false);
    let nominal = fires_after(&ours, after);
    let at = nominal.map(|nominal| jiff::Timestamp::from(nominal.at));
    match (&found, at) {
        (Ok(found), Some(at)) if found.timestamp() == at => return Verdict::Same,
        (Err(CronError::TimeSearchLimitExceeded), Some(at)) if is_beside_a_long_gap(&begin, at) => {
            return Verdict::Known("gives up at a long gap");
        }
        (Ok(found), Some(at))
            if found.timestamp() > at && nominal.is_some_and(|it| is_moved_to_the_next_date(&it, &begin)) =>
        {
            return Verdict::Known("keeps to the date");
        }
        _ => {}
    }
    let found = found.map(|found| found.timestamp().as_second());
    Verdict::Different(format!(
        "but of {text} with {gap:?} and {fold:?} croner says {found:?}, and we {:?}",
        at.map(jiff::Timestamp::as_second)
    ))
}

/// The first instant at which it fires, and how it came to that.
fn fires_after(cron: &Cron, after: Timestamp) -> Option<Nominal> {
    let mut all = std::iter::successors(cron.nominal_after(after), |last| cron.nominal_after(last.at));
    all.find(|nominal| nominal.decision != Decision::Skipped)
}

/// `5/15` with its end, since `croner` wants it said.
fn spelled(pattern: &str) -> String {
    let ends = ["59", "59", "23", "31", "12", "6"];
    let fields: Vec<&str> = pattern.split_whitespace().collect();
    let ends = &ends[ends.len() - fields.len()..];
    let item = |item: &str, end: &str| match item.split_once('/') {
        Some((from, step)) if from != "*" && !from.contains('-') => format!("{from}-{end}/{step}"),
        _ => item.to_owned(),
    };
    let field = |(field, end): (&&str, &&str)| {
        let items: Vec<String> = field.split(',').map(|part| item(part, end)).collect();
        items.join(",")
    };
    fields.iter().zip(ends).map(field).collect::<Vec<_>>().join(" ")
}

/// The fields of days.
fn days(pattern: &str) -> [&str; 2] {
    let fields: Vec<&str> = pattern.split_whitespace().collect();
    [fields[fields.len() - 3], fields[fields.len() - 1]]
}

/// A field of days begins with `*`, so we take it as not set; `croner` does so only if nothing follows.
fn needs_both_days(pattern: &str) -> bool {
    days(pattern)
        .iter()
        .any(|field| field.starts_with('*') && field.len() > 1)
}

/// Class: `L-3`, which `croner` does not know.
fn counts_from_the_last_day(pattern: &str) -> bool {
    days(pattern)[0].contains("L-")
}

/// Class: the clocks leave out more than two hours, a whole date perhaps, where `croner` looks for a time of day, and it gives up.
fn is_beside_a_long_gap(begin: &Zoned, at: jiff::Timestamp) -> bool {
    let zone = begin.time_zone();
    let from = begin.timestamp() - NEAR;
    let mut before = zone.to_offset(from);
    let mut changes = zone
        .following(from)
        .take_while(|change| change.timestamp() <= at + NEAR);
    changes.any(|change| {
        let left_out = change.offset().duration_since(before);
        before = change.offset();
        left_out > GAP_MAX
    })
}

/// Class: the clocks leave out the time of day to the end of its date, so we fire at the beginning of the next one; `croner` does so
/// only if the pattern admits that.
fn is_moved_to_the_next_date(nominal: &Nominal, begin: &Zoned) -> bool {
    let shown = jiff::Timestamp::from(nominal.at).to_zoned(begin.time_zone().clone());
    nominal.decision == Decision::Shifted && shown.date() > nominal.local.date()
}
