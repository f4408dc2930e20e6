//! Schedules and their ledgers.

use super::fault::Fault;
use super::session::Session;
use crate::change::{ScheduleApplied, ScheduleChange};
use crate::error::Error;
use crate::schedule::{Occurrence, OccurrenceKey, ScheduleId};
use crate::store::{ScheduleRows, Schedules};

pub(super) async fn change(_: &Session, _: &[ScheduleChange]) -> Result<Vec<ScheduleApplied>, Fault> {
    Err(Fault::Told(Error::internal("not built yet")))
}

pub(super) async fn schedules(_: &Session, _: &Schedules) -> Result<ScheduleRows, Fault> {
    Err(Fault::Told(Error::internal("not built yet")))
}

pub(super) async fn occurrences(
    _: &Session,
    _: ScheduleId,
    _: Option<OccurrenceKey>,
    _: usize,
) -> Result<Vec<Occurrence>, Fault> {
    Err(Fault::Told(Error::internal("not built yet")))
}
