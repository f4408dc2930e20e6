//! Where a schedule stands, in a few words.

use punctual::Timestamp;
use punctual_http::wire::Schedule;

use crate::when;

/// When it fires next, or why it does not: `next 2026-12-01 02:30:00 +01:00 (in 5h)`.
pub(super) fn of(schedule: &Schedule) -> String {
    let head = &schedule.head;
    match head.next_at {
        Some(at) => format!("next {}", at_and_distance(schedule, at.0)),
        None if head.paused.is_some() => "it is paused".to_owned(),
        None if is_awaiting(schedule) => "next when its run has ended".to_owned(),
        None => "it fires no more".to_owned(),
    }
}

/// The same in a word for a list. What was live at the last look may have ended since, and is told only where it holds the
/// schedule back.
pub(super) fn word(schedule: &Schedule) -> String {
    let head = &schedule.head;
    match head.owed {
        _ if head.paused.is_some() => "paused".to_owned(),
        0 if is_awaiting(schedule) => "running".to_owned(),
        0 if head.next_at.is_none() => "ended".to_owned(),
        0 => "live".to_owned(),
        owed => format!("{owed} owed"),
    }
}

/// An instant as the clocks of the schedule's zone show it, and how far it is.
pub(super) fn at_and_distance(schedule: &Schedule, at: Timestamp) -> String {
    format!("{} ({})", local(schedule, at), when::distance_from_now(at))
}

/// An instant as the clocks of the schedule's zone show it; of a schedule without one, those here.
pub(super) fn local(schedule: &Schedule, at: Timestamp) -> String {
    when::in_zone(at, schedule.plan.zone.as_deref())
}

/// Whether the next instant is counted from the end of a run that was live at the last look.
fn is_awaiting(schedule: &Schedule) -> bool {
    schedule.plan.after.is_some() && !schedule.head.live.is_empty()
}
