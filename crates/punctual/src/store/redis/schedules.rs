//! Schedules and their ledgers.

use super::link::Link;
use crate::change::{ScheduleApplied, ScheduleChange};
use crate::error::Error;
use crate::schedule::{Occurrence, OccurrenceKey, ScheduleId};
use crate::store::{ScheduleRows, Schedules};

pub(super) async fn change(_: &Link, _: &[ScheduleChange]) -> Result<Vec<ScheduleApplied>, Error> {
    Err(Error::internal("not built yet"))
}

pub(super) async fn schedules(_: &Link, _: &Schedules) -> Result<ScheduleRows, Error> {
    Err(Error::internal("not built yet"))
}

pub(super) async fn occurrences(
    _: &Link,
    _: ScheduleId,
    _: Option<OccurrenceKey>,
    _: usize,
) -> Result<Vec<Occurrence>, Error> {
    Err(Error::internal("not built yet"))
}
