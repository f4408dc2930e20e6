//! Schedules and their ledgers.

use super::fault::Fault;
use rusqlite::Connection;

use super::writing::Writing;
use crate::change::{ScheduleApplied, ScheduleChange};
use crate::error::Error;
use crate::schedule::{Occurrence, OccurrenceKey, ScheduleId};
use crate::store::{ScheduleRows, Schedules};

pub(super) fn change(_: &mut Writing<'_>, _: &[ScheduleChange]) -> Result<Vec<ScheduleApplied>, Fault> {
    Err(Fault::Told(Error::internal("not built yet")))
}

pub(super) fn schedules(_: &Connection, _: &Schedules) -> Result<ScheduleRows, Fault> {
    Err(Fault::Told(Error::internal("not built yet")))
}

pub(super) fn occurrences(
    _: &Connection,
    _: ScheduleId,
    _: Option<OccurrenceKey>,
    _: usize,
) -> Result<Vec<Occurrence>, Fault> {
    Err(Fault::Told(Error::internal("not built yet")))
}
