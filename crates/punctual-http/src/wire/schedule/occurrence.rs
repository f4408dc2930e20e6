//! An entry of a schedule's ledger.

use punctual::schedule::{self, Outcome};
use serde::{Deserialize, Serialize};

use super::super::At;

/// What became of an instant of a schedule, or of several in a row that were skipped for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Occurrence {
    /// The instant, or the first of several.
    pub nominal_at: At,
    /// The last of several, itself included; `null` for one.
    pub until: Option<At>,
    /// How many instants it stands for.
    pub count: u64,
    /// `fired` or `skipped`.
    pub outcome: String,
    /// Why it was skipped: `overlap`, `misfire`, `paused`, `dst_gap` or `ended`.
    pub reason: Option<String>,
    /// What made it: `planned`, `triggered` or `backfilled`.
    pub cause: String,
    /// The id of the job that was made for it.
    pub job: Option<String>,
    /// Earlier instants, skipped as `misfire`, for which that job stands, too.
    pub missed: u64,
    /// When this was decided; for several, about the last.
    pub at: At,
}

impl Occurrence {
    /// The entry in the wire's words.
    pub fn of(entry: &schedule::Occurrence) -> Occurrence {
        let (outcome, reason, job, missed) = match &entry.outcome {
            Outcome::Fired { job, missed } => ("fired", None, Some(job.to_string()), *missed),
            Outcome::Skipped(reason) => ("skipped", Some(reason.to_string()), None, 0),
        };
        Occurrence {
            nominal_at: At(entry.nominal_at),
            until: (entry.count > 1).then_some(At(entry.until)),
            count: entry.count,
            outcome: outcome.to_owned(),
            reason,
            cause: entry.cause.as_str().to_owned(),
            job,
            missed,
            at: At(entry.at),
        }
    }
}
