//! How far a schedule has come.

use std::collections::VecDeque;

use super::Reason;
use crate::job::JobId;
use crate::time::Timestamp;

/// The next look of a schedule that was poked: before all others.
pub const AT_ONCE: Timestamp = Timestamp::EPOCH;

/// The half of a schedule that changes with every look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Every nominal instant until then, itself included, has its place in the ledger or is [owed](Self::owed).
    pub settled_until: Timestamp,
    /// When somebody has to look at it again; unset, not before somebody changes it or a job pokes it.
    pub next: Option<Timestamp>,
    /// Jobs of it that were live at the last look, as far as a policy asks for them; at most
    /// [`SCHEDULE_LIVE`](crate::limits::SCHEDULE_LIVE).
    pub live: Vec<JobId>,
    /// Instants whose turn comes when no job is live any more, in this order; at most
    /// [`SCHEDULE_OWED`](crate::limits::SCHEDULE_OWED).
    pub owed: VecDeque<Owed>,
    /// The first that is owed was on time, and the live jobs are to make way for it.
    pub makes_way: bool,
    /// The last entry of the ledger, if it tells of skips.
    pub skips: Option<OpenSkips>,
    /// Instants that the misfire policy let go, and for which no job stands yet.
    pub missed: u64,
    /// When the last run ended, where the plan counts from there.
    pub last_ended: Option<Timestamp>,
    /// Its live jobs were made by a plan that did not wait for their ends: they poke nobody, so somebody has to look.
    pub watched: bool,
    /// It is paused.
    pub paused: Option<Pause>,
    /// Jobs it has made by its plan.
    pub fired: u64,
    /// The instant of the last of them.
    pub last_fired: Option<Timestamp>,
    /// Entries that were ever written to its ledger.
    pub written: u64,
    /// When old entries of its ledger were last dropped.
    pub forgot_at: Option<Timestamp>,
}

/// An instant whose turn has not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owed {
    /// The instant.
    pub nominal_at: Timestamp,
    /// Instants for which its job will stand too.
    pub missed: u64,
}

/// An entry of skips, to which more of the same reason are added until it is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenSkips {
    /// Its first instant.
    pub from: Timestamp,
    /// Its last one so far.
    pub until: Timestamp,
    /// How many so far; 0 once it is closed.
    pub count: u64,
    /// Their reason.
    pub reason: Reason,
}

/// Why and since when a schedule is paused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// For people; may be empty.
    pub reason: String,
    /// From this instant on nothing fires.
    pub since: Timestamp,
}

impl OpenSkips {
    /// Lets nothing be added to it any more. It still tells until when the ledger goes.
    pub(crate) fn close(&mut self) {
        self.count = 0;
    }
}

impl Standing {
    /// Of a schedule that begins at `now`.
    pub fn new(now: Timestamp) -> Standing {
        Standing {
            settled_until: now,
            next: None,
            live: Vec::new(),
            owed: VecDeque::new(),
            makes_way: false,
            skips: None,
            missed: 0,
            last_ended: None,
            watched: false,
            paused: None,
            fired: 0,
            last_fired: None,
            written: 0,
            forgot_at: None,
        }
    }
}
