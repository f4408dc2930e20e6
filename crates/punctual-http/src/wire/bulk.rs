//! One verb for all jobs that a filter matches, on its way in and out.

use punctual::engine::{self, BulkVerb, View};
use punctual::limits::BULK_JOBS;
use serde::{Deserialize, Serialize};

use super::faults::Faults;
use super::list::{ListQuery, read_cursor, write_cursor};
use super::read::{optional_object, or_default};
use crate::problem::Problem;

/// The body of `POST /v1/jobs/cancel`, `/retry` and `/delete`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bulk {
    /// Which jobs: the same names and texts as in the query of `GET /v1/jobs`, but for `schedule`, `limit` and `cursor`. It has
    /// to be there; `{}` is every job. For a retry it has to name a state that jobs end in.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "optional_object")]
    pub filter: Option<ListQuery>,
    /// Only counts, and changes nothing.
    #[serde(skip_serializing_if = "is_false", deserialize_with = "or_default")]
    pub dry_run: bool,
    /// How many jobs this call may match: 1 to 10000, which it is unless set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// Where the last call ended: its `next`, with the same filter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Why, for people: of a cancel only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What one call came to. Jobs that are neither changed nor refused were so already, or gone by then.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bulked {
    /// Whether it only counted.
    pub dry_run: bool,
    /// Jobs that the filter matches and for which the verb is meant: cancel for live ones, retry for ended ones.
    pub matched: usize,
    /// Those that were changed.
    pub changed: usize,
    /// Those that cannot be changed so.
    pub refused: usize,
    /// Why, for the first ten of these.
    pub refusals: Vec<Refusal>,
    /// Send it as `cursor` to go on; `null` once all jobs were passed.
    pub next: Option<String>,
}

/// A job that could not be changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The job.
    pub id: String,
    /// Why.
    pub detail: String,
}

/// What is to be done, before its reason is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Live jobs are cancelled.
    Cancel,
    /// Ended jobs begin a new life.
    Retry,
    /// Jobs are deleted, unless they run.
    Delete,
}

impl Verb {
    /// Its name in addresses.
    pub fn as_str(self) -> &'static str {
        match self {
            Verb::Cancel => "cancel",
            Verb::Retry => "retry",
            Verb::Delete => "delete",
        }
    }
}

impl Bulk {
    /// What is asked for, in the library's words.
    pub fn read(self, verb: Verb) -> Result<engine::Bulk, Problem> {
        let mut faults = Faults::default();
        if self.filter.is_none() {
            faults.add("/filter", "it is missing; {} stands for every job");
        }
        let filter = self.filter.unwrap_or_default();
        let beside = "it stands beside the filter, not in it";
        let listed = "only a list goes by schedules: take its ids one by one";
        for (pointer, given, why) in [
            ("/filter/limit", filter.limit.is_some(), beside),
            ("/filter/cursor", filter.cursor.is_some(), beside),
            ("/filter/schedule", filter.schedule.is_some(), listed),
        ] {
            if given {
                faults.add(pointer, why);
            }
        }
        if self.reason.is_some() && verb != Verb::Cancel {
            faults.add("/reason", "only a cancel has a reason");
        }
        let limit = faults.whole("/limit", self.limit, "1 to 10000");
        faults.or(())?;
        let in_filter = |problem: Problem| problem.within("/filter");
        let filter = filter.filter().map_err(in_filter)?;
        if verb == Verb::Retry && !matches!(filter.view, View::Ended(_)) {
            let detail = "say which of the ended jobs: failed, cancelled, succeeded or ended";
            return Err(in_filter(Problem::parameter("state", detail)));
        }
        let after = self.cursor.map(|text| read_cursor(&text, filter.view));
        Ok(engine::Bulk {
            verb: match verb {
                Verb::Cancel => BulkVerb::Cancel(self.reason.unwrap_or_default()),
                Verb::Retry => BulkVerb::Retry,
                Verb::Delete => BulkVerb::Delete,
            },
            after: after.transpose().map_err(|problem| problem.within(""))?,
            filter,
            limit: limit.unwrap_or(BULK_JOBS),
            dry_run: self.dry_run,
        })
    }
}

impl Bulked {
    /// What `bulk` came to, in the wire's words.
    pub fn of(done: engine::Bulked, bulk: &engine::Bulk) -> Bulked {
        let refusal = |(id, why): (punctual::JobId, punctual::Error)| Refusal {
            id: id.to_string(),
            detail: why.to_string(),
        };
        Bulked {
            dry_run: bulk.dry_run,
            matched: done.matched,
            changed: done.changed,
            refused: done.refused,
            refusals: done.refusals.into_iter().map(refusal).collect(),
            next: done.next.map(|cursor| write_cursor(cursor, bulk.filter.view)),
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}
