//! An entry of a schedule's ledger in an export.

use punctual::Error;
use punctual::schedule::{Cause, Occurrence, Outcome, ScheduleId};
use serde::{Deserialize, Serialize};

use super::super::At;
use super::super::faults::Faults;
use super::{is_zero, reason};

/// What became of an instant of a schedule, or of several in a row that were skipped for one reason.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptOccurrence {
    /// The schedule: a UUID.
    pub schedule: String,
    /// The instant, or the first of several.
    pub nominal_at: At,
    /// The last of several; unset, it is the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<At>,
    /// How many instants it stands for.
    pub count: u64,
    /// When this was decided.
    pub at: At,
    /// `planned`, `triggered` or `backfilled`.
    pub cause: String,
    /// The id of the job that was made for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// Earlier instants for which that job stands, too.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub missed: u64,
    /// In place of a job: why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl KeptOccurrence {
    pub(super) fn of(entry: &Occurrence) -> KeptOccurrence {
        let (job, missed, reason) = match &entry.outcome {
            Outcome::Fired { job, missed } => (Some(job.to_string()), *missed, None),
            Outcome::Skipped(reason) => (None, 0, Some(reason.to_string())),
        };
        KeptOccurrence {
            schedule: entry.schedule.to_string(),
            nominal_at: At(entry.nominal_at),
            until: (entry.until != entry.nominal_at).then_some(At(entry.until)),
            count: entry.count,
            at: At(entry.at),
            cause: entry.cause.as_str().to_owned(),
            job,
            missed,
            reason,
        }
    }

    /// The entry.
    ///
    /// # Errors
    ///
    /// `Invalid` with what is wrong, under the pointers of the entry.
    pub fn read(self) -> Result<Occurrence, Error> {
        let mut faults = Faults::default();
        let schedule = self.schedule.parse();
        if schedule.is_err() {
            faults.add("/schedule", "write a UUID");
        }
        let (nominal_at, until) = (self.nominal_at, self.until.unwrap_or(self.nominal_at));
        if until < nominal_at {
            faults.add("/until", "must not come before nominal_at");
        }
        if self.count == 0 {
            faults.add("/count", "must be at least 1");
        }
        let cause = Cause::ALL.into_iter().find(|cause| cause.as_str() == self.cause);
        if cause.is_none() {
            let known = "planned, triggered or backfilled";
            faults.add("/cause", format!("there is no {:?}; write {known}", self.cause));
        }
        let outcome = match (self.job, self.reason) {
            (Some(job), None) => faults.keep("/job", job.parse()).map(|job| Outcome::Fired {
                job,
                missed: self.missed,
            }),
            (None, Some(name)) => reason(&mut faults, "/reason", &name).map(Outcome::Skipped),
            _ => {
                faults.add("/job", "an entry has a job or a reason, and never both");
                None
            }
        };
        faults.or(())?;
        let read = schedule.ok().zip(cause).zip(outcome);
        let ((schedule, cause), outcome) =
            read.ok_or_else(|| Error::invalid("this is no entry of a ledger"))?;
        Ok(Occurrence {
            schedule: ScheduleId(schedule),
            nominal_at: nominal_at.0,
            until: until.0,
            count: self.count,
            at: self.at.0,
            cause,
            outcome,
        })
    }
}
