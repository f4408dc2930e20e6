//! What somebody asks of a schedule out of turn.

use punctual::{Error, JobId, Timestamp};
use serde::{Deserialize, Serialize};

use super::super::At;
use super::super::faults::Faults;
use super::super::read::or_default;

/// The body of `POST /v1/schedules/{name}/trigger`, which may be left out.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Trigger {
    /// The id of the job, if the caller chooses it: a UUID. Sending it again makes no second job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// The answer to a trigger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Triggered {
    /// The id of the job that was made.
    pub job: String,
}

/// The body of `POST /v1/schedules/{name}/backfill`: runs for instants that were skipped, or lay before the schedule was made.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Backfill {
    /// The first instant that is looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The last one, itself included; as `nominal_at` and `until` of an occurrence tell them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Only counts, and makes no job.
    #[serde(skip_serializing_if = "std::ops::Not::not", deserialize_with = "or_default")]
    pub dry_run: bool,
}

/// A backfill in the library's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackfillRange {
    /// The first instant that is looked at.
    pub from: Timestamp,
    /// The last one, itself included.
    pub until: Timestamp,
    /// Only count.
    pub dry_run: bool,
}

/// The answer to a backfill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backfilled {
    /// Whether it only counted.
    pub dry_run: bool,
    /// Instants of the plan in the range that the call looked at.
    pub matched: u64,
    /// Jobs that were made. What had been fired before was left alone.
    pub fired: u64,
    /// Send it as `from` to go on; `null` once the range is done.
    pub next: Option<At>,
}

impl Trigger {
    /// The id, if there is one.
    pub fn read(self) -> Result<Option<JobId>, Error> {
        let mut faults = Faults::default();
        let id = faults.parse("/id", self.id);
        faults.or(id)
    }
}

impl Backfill {
    /// The range in the library's words; how many instants it may have is the rules' business.
    pub fn read(self) -> Result<BackfillRange, Error> {
        let mut faults = Faults::default();
        let from = faults.required("/from", self.from);
        let from: Option<Timestamp> = faults.parse("/from", from);
        let until = faults.required("/until", self.until);
        let until: Option<Timestamp> = faults.parse("/until", until);
        let range = from.zip(until);
        if range.is_some_and(|(from, until)| until < from) {
            faults.add("/until", "it must not come before from");
        }
        faults.or(())?;
        let (from, until) = range.ok_or_else(|| Error::invalid("this is no backfill"))?;
        Ok(BackfillRange {
            from,
            until,
            dry_run: self.dry_run,
        })
    }
}
