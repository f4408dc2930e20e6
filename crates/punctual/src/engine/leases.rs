//! How long the leases are that an engine gave.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::limits::LEASE;

/// The longest lease that may be in force. Time is that in which the machine was awake, since a worker that slept with
/// it could not beat.
#[derive(Default)]
pub(super) struct Leases(Mutex<Longest>);

#[derive(Default)]
struct Longest {
    lease: Duration,
    /// Until when it is remembered beside shorter ones.
    until: Duration,
}

impl Leases {
    /// A lease was asked for.
    pub(super) fn note(&self, lease: Duration, awake: Duration) {
        let mut longest = self.longest_mut();
        if lease >= longest.lease || longest.until <= awake {
            *longest = Longest {
                lease,
                until: awake.saturating_add(lease),
            };
        }
    }

    /// How long a worker that is alive may take to beat: [`LEASE`] at least, since other engines give leases, too.
    pub(super) fn longest(&self) -> Duration {
        self.longest_mut().lease.max(LEASE)
    }

    fn longest_mut(&self) -> MutexGuard<'_, Longest> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
