//! A whole schedule in an export: what its user wrote, and how far it has come.

use std::sync::Arc;

use punctual::Error;
use punctual::schedule::{Schedule, ScheduleId, ScheduleName};
use serde::{Deserialize, Serialize};

use super::super::At;
use super::super::faults::Faults;
use super::super::read::object;
use super::super::schedule::NewSchedule;
use super::standing::KeptStanding;

/// A whole schedule, without its ledger. Its version is left out: it begins anew where it is moved to.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptSchedule {
    /// What its jobs' ids are computed from: a UUID.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// When it was made.
    pub created_at: At,
    /// What its user wrote, secrets and all.
    #[serde(deserialize_with = "object")]
    pub plan: NewSchedule,
    /// How far it has come.
    #[serde(deserialize_with = "object")]
    pub standing: KeptStanding,
}

impl KeptSchedule {
    pub(super) fn of(schedule: &Schedule) -> KeptSchedule {
        KeptSchedule {
            id: schedule.id.to_string(),
            name: schedule.name.to_string(),
            created_at: At(schedule.created_at),
            plan: NewSchedule::of(&schedule.plan),
            standing: KeptStanding::of(&schedule.standing),
        }
    }

    /// The schedule, at its first version.
    ///
    /// # Errors
    ///
    /// `Invalid` with what is wrong, under the pointers of the schedule.
    pub fn read(self) -> Result<Schedule, Error> {
        let mut faults = Faults::default();
        let id = self.id.parse();
        if id.is_err() {
            faults.add("/id", "write a UUID");
        }
        let plan = faults.within("/plan", self.plan.read());
        let standing = faults.within("/standing", self.standing.read());
        faults.or(())?;
        let read = id.ok().zip(plan).zip(standing);
        let ((id, plan), standing) = read.ok_or_else(|| Error::invalid("this is no schedule"))?;
        Ok(Schedule {
            id: ScheduleId(id),
            name: ScheduleName::from(self.name),
            rev: 1,
            created_at: self.created_at.0,
            plan: Arc::new(plan),
            standing,
        })
    }
}
