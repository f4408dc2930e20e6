//! A queue's gate in the course of one claim, beside what the store holds of its bucket.

use crate::queue::{Gate, QueueSettings};
use crate::time::Timestamp;

/// What a queue's settings allow, and when its bucket is full again as the store has it.
pub(crate) struct StoredGate {
    pub(crate) gate: Gate,
    full_at: Timestamp,
}

impl StoredGate {
    /// The gate of a queue of which so many jobs are running; `full_at` is unset where nothing was drawn yet.
    pub(crate) fn new(settings: &QueueSettings, running: u64, full_at: Option<Timestamp>) -> StoredGate {
        let full_at = full_at
            .filter(|_| settings.rate.is_some())
            .unwrap_or(Timestamp::MIN);
        let gate = Gate::new(settings, running, full_at);
        StoredGate { gate, full_at }
    }

    /// What the store should hold of the bucket instead.
    pub(crate) fn news(&self, now: Timestamp) -> Option<Timestamp> {
        self.gate.full_at(now).filter(|full_at| *full_at != self.full_at)
    }
}
