//! What a store says of a schedule that it has and cannot read.

use std::error::Error as _;

use crate::change::ScheduleApplied;
use crate::error::Error;
use crate::schedule::Schedule;
use crate::store::UnreadableSchedule;

/// Why a schedule cannot be read.
pub(crate) fn why(error: &Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// The answer to a change that is stale since this row stands there.
pub(crate) fn stale(there: Result<Schedule, UnreadableSchedule>) -> ScheduleApplied {
    match there {
        Ok(schedule) => ScheduleApplied::Stale(Some(Box::new(schedule))),
        Err(unreadable) => ScheduleApplied::Refused(unreadable.error()),
    }
}
