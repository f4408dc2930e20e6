//! A worker as others see it: when it beat last, and what that says.

use std::time::Duration;

use super::WorkerInfo;
use crate::time::Timestamp;

/// A worker, and its last beat.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkerSeen {
    /// What it told of itself.
    pub worker: WorkerInfo,
    /// When it beat last, by the store's clock.
    pub beat_at: Timestamp,
    /// How long that beat leased its runs.
    pub lease: Duration,
}

/// What a worker does, as far as others can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkerState {
    /// It takes jobs, and runs them.
    Working,
    /// It takes no more.
    Stopping,
    /// It has not beaten for as long as its lease: it was killed, or reaches nobody. What it ran is taken back.
    Silent,
}

impl WorkerSeen {
    /// What it does at `now`, which is an instant of the store's clock.
    pub fn state(&self, now: Timestamp) -> WorkerState {
        match self.worker.stopping {
            _ if now.since(self.beat_at) > self.lease => WorkerState::Silent,
            true => WorkerState::Stopping,
            false => WorkerState::Working,
        }
    }
}

impl WorkerState {
    /// All of them.
    pub const ALL: [WorkerState; 3] = [WorkerState::Working, WorkerState::Stopping, WorkerState::Silent];

    /// Its name in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            WorkerState::Working => "working",
            WorkerState::Stopping => "stopping",
            WorkerState::Silent => "silent",
        }
    }
}
