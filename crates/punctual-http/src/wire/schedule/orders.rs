//! What somebody asks of a schedule out of turn.

use punctual::{Error, JobId, Timestamp, engine};
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

/// The answer to a backfill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backfilled {
    /// Whether it only counted.
    pub dry_run: bool,
    /// Jobs that were made, or would be. What had been fired before is left alone.
    pub made: u64,
    /// Instants that stay skipped: the plan was changed since, and tells them no more.
    pub left: u64,
    /// Send it as `from` to go on; `null` once the range is done.
    pub next: Option<At>,
}

/// The answer to `GET /v1/schedules/{name}/explain`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// What it does, when it fires next, and what holds it.
    pub sentences: Vec<String>,
}

impl Trigger {
    /// The id, if there is one.
    pub fn read(self) -> Result<Option<JobId>, Error> {
        let mut faults = Faults::default();
        let id = faults.parse("/id", self.id);
        faults.or(id)
    }
}

impl Backfilled {
    /// What a backfill came to, in the wire's words.
    pub fn of(done: engine::Backfilled, dry_run: bool) -> Backfilled {
        Backfilled {
            dry_run,
            made: done.made,
            left: done.left,
            next: done.next.map(At),
        }
    }
}

impl Backfill {
    /// The range in the library's words; how many instants it may have is the rules' business.
    pub fn read(self) -> Result<engine::Backfill, Error> {
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
        Ok(engine::Backfill {
            from,
            until,
            dry_run: self.dry_run,
        })
    }
}
