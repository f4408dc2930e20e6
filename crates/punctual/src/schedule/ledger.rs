//! What became of the nominal instants of a schedule.

use std::fmt;

use super::ScheduleId;
use crate::job::JobId;
use crate::time::Timestamp;

/// One entry of a schedule's ledger: an instant that was fired, or a run of instants that were skipped for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// Whose it is.
    pub schedule: ScheduleId,
    /// The instant, or the first of several.
    pub nominal_at: Timestamp,
    /// The last of several, itself included.
    pub until: Timestamp,
    /// How many instants it stands for; 1 if it was fired.
    pub count: u64,
    /// When this was decided; for several, about the last.
    pub at: Timestamp,
    /// Why there was anything to decide.
    pub cause: Cause,
    /// What was decided.
    pub outcome: Outcome,
}

impl Occurrence {
    /// Where it stands in its ledger.
    pub fn key(&self) -> OccurrenceKey {
        OccurrenceKey {
            nominal_at: self.nominal_at,
            triggered: self.cause == Cause::Triggered,
        }
    }
}

/// The place of an entry in its ledger, which is ordered by these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OccurrenceKey {
    /// The instant, or the first of several.
    pub nominal_at: Timestamp,
    /// Whether somebody asked for it out of turn: at the same instant the plan may have made another one.
    pub triggered: bool,
}

/// What made an occurrence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The plan.
    Planned,
    /// Somebody asked for a run out of turn.
    Triggered,
    /// Somebody asked for what had been skipped, or lay before the schedule was made.
    Backfilled,
}

impl Cause {
    /// All of them.
    pub const ALL: [Cause; 3] = [Cause::Planned, Cause::Triggered, Cause::Backfilled];

    /// Its name in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Cause::Planned => "planned",
            Cause::Triggered => "triggered",
            Cause::Backfilled => "backfilled",
        }
    }
}

/// What became of an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// This job was made for it, which also stands for so many instants that were missed.
    Fired {
        /// The job.
        job: JobId,
        /// Instants that were skipped as [`Reason::Misfire`] because this job stands for them.
        missed: u64,
    },
    /// Nothing was made for it.
    Skipped(Reason),
}

/// Why an instant was skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The last run was still live.
    Overlap,
    /// Nobody was up when its time came, and the misfire policy lets it go.
    Misfire,
    /// The schedule was paused.
    Paused,
    /// The clocks of its zone left it out.
    DstGap,
    /// The schedule had made all its runs.
    Ended,
}

impl Reason {
    /// All of them.
    pub const ALL: [Reason; 5] = [
        Reason::Overlap,
        Reason::Misfire,
        Reason::Paused,
        Reason::DstGap,
        Reason::Ended,
    ];

    /// Its name in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Overlap => "overlap",
            Reason::Misfire => "misfire",
            Reason::Paused => "paused",
            Reason::DstGap => "dst_gap",
            Reason::Ended => "ended",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
