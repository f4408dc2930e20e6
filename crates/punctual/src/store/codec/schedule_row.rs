//! Schedules, and what became of their instants, as the columns that all stores with tables have.

use std::sync::Arc;

use uuid::Uuid;

use super::schedule::{read_plan, read_reason, read_standing};
use super::unreadable::why;
use crate::error::Error;
use crate::job::JobId;
use crate::schedule::{Cause, Outcome, Schedule, ScheduleId, ScheduleName};
use crate::store::{ScheduleRows, UnreadableSchedule};
use crate::time::Timestamp;

/// The columns of one schedule.
pub(crate) struct ScheduleColumns<'a> {
    pub(crate) id: Uuid,
    pub(crate) name: &'a str,
    pub(crate) rev: u64,
    pub(crate) next: Option<Timestamp>,
    pub(crate) created_at: Timestamp,
    pub(crate) plan: &'a str,
    pub(crate) standing: &'a str,
}

impl ScheduleColumns<'_> {
    /// The schedule, or what can be told of one that a newer version wrote so that this one cannot read it.
    pub(crate) fn read(&self) -> Result<Schedule, UnreadableSchedule> {
        self.schedule().map_err(|error| UnreadableSchedule {
            id: ScheduleId(self.id),
            name: ScheduleName::from(self.name),
            rev: Some(self.rev),
            next: self.next,
            why: why(&error),
        })
    }

    /// Puts it among those that can be read, or those that cannot.
    pub(crate) fn add_to(&self, rows: &mut ScheduleRows) {
        match self.read() {
            Ok(schedule) => rows.items.push(schedule),
            Err(unreadable) => rows.unreadable.push(unreadable),
        }
    }

    fn schedule(&self) -> Result<Schedule, Error> {
        Ok(Schedule {
            id: ScheduleId(self.id),
            name: ScheduleName::from(self.name),
            rev: self.rev,
            created_at: self.created_at,
            plan: Arc::new(read_plan(self.plan)?),
            standing: read_standing(self.standing, self.next)?,
        })
    }
}

/// The columns of an outcome: the reason of a skip, or the job that was made.
pub(crate) struct OutcomeColumns<'a> {
    pub(crate) reason: Option<&'a str>,
    pub(crate) job: Option<Uuid>,
    pub(crate) missed: i64,
}

impl OutcomeColumns<'_> {
    pub(crate) fn of(outcome: &Outcome) -> OutcomeColumns<'static> {
        match outcome {
            Outcome::Fired { job, missed } => OutcomeColumns {
                reason: None,
                job: Some(job.0),
                missed: missed.cast_signed(),
            },
            Outcome::Skipped(reason) => OutcomeColumns {
                reason: Some(reason.as_str()),
                job: None,
                missed: 0,
            },
        }
    }

    pub(crate) fn read(&self) -> Result<Outcome, Error> {
        match (self.reason, self.job) {
            (Some(reason), _) => Ok(Outcome::Skipped(read_reason(reason)?)),
            (None, Some(job)) => Ok(Outcome::Fired {
                job: JobId(job),
                missed: self.missed.cast_unsigned(),
            }),
            (None, None) => Err(Error::internal(
                "an entry of a ledger has neither a job nor a reason",
            )),
        }
    }
}

/// The cause that this name stands for.
pub(crate) fn read_cause(name: &str) -> Result<Cause, Error> {
    let known = Cause::ALL.into_iter().find(|known| known.as_str() == name);
    known.ok_or_else(|| Error::internal(format!("a row holds an unknown cause of an instant: {name:?}")))
}
