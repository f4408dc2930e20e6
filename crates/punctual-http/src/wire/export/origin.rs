//! The occurrence of a schedule in an export.

use punctual::Error;
use punctual::job::Origin;
use punctual::schedule::{ScheduleId, ScheduleName};
use serde::{Deserialize, Serialize};

use super::super::At;

/// The occurrence of a schedule that a job was made for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptOrigin {
    /// The schedule: a UUID.
    pub schedule: String,
    /// What people called it then.
    pub name: String,
    /// The instant.
    pub nominal_at: At,
    /// Earlier instants for which the job stands too.
    #[serde(default)]
    pub missed: u64,
    /// Whether the job's end wakes the schedule.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pokes: bool,
}

impl KeptOrigin {
    pub(super) fn of(origin: &Origin) -> KeptOrigin {
        KeptOrigin {
            schedule: origin.schedule.to_string(),
            name: origin.name.to_string(),
            nominal_at: At(origin.nominal_at),
            missed: origin.missed,
            pokes: origin.pokes,
        }
    }

    pub(super) fn read(self) -> Result<Origin, Error> {
        let schedule = self
            .schedule
            .parse()
            .map_err(|_| Error::invalid("write a UUID"))?;
        Ok(Origin {
            schedule: ScheduleId(schedule),
            name: ScheduleName::from(self.name),
            nominal_at: self.nominal_at.0,
            missed: self.missed,
            pokes: self.pokes,
        })
    }
}
