//! The store's time, as far as a process knows it without asking.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Clock;
use crate::limits;
use crate::time::{Timestamp, micros};

/// Goes on from what the store last told by the uptime of this machine, which nobody sets. It is never ahead of the store's
/// clock, so that no job is popped before it is due, and behind it by no more than an answer takes.
pub(super) struct StoreTime {
    clock: Arc<dyn Clock>,
    told: Mutex<Option<Told>>,
}

#[derive(Clone, Copy)]
struct Told {
    /// The store's time at the uptime zero, at the earliest.
    base: Timestamp,
    /// The uptime at which it was told.
    at: Duration,
}

impl StoreTime {
    pub(super) fn new(clock: Arc<dyn Clock>) -> StoreTime {
        StoreTime {
            clock,
            told: Mutex::default(),
        }
    }

    pub(super) fn uptime(&self) -> Duration {
        self.clock.uptime()
    }

    /// The store's time; nothing if it was not told lately.
    pub(super) fn now(&self) -> Option<Timestamp> {
        let uptime = self.uptime();
        let told = (*self.told.lock().unwrap_or_else(PoisonError::into_inner))?;
        let is_fresh = uptime.saturating_sub(told.at) < limits::DISPATCH_TIME_AGE;
        is_fresh.then(|| told.base + uptime)
    }

    /// The store said that it was `now`, at some time between the uptime `asked_at` and this moment.
    pub(super) fn learn(&self, now: Timestamp, asked_at: Duration) {
        let uptime = self.uptime();
        let earliest = now - uptime;
        let latest = micros(uptime.saturating_sub(asked_at)) + earliest.as_micros();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        // What was known better, and can still be true, is not given up for an answer that took longer.
        let base = match *told {
            Some(Told { base, .. }) if base > earliest && base.as_micros() <= latest => base,
            _ => earliest,
        };
        *told = Some(Told { base, at: uptime });
    }
}

impl fmt::Debug for StoreTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StoreTime").field(&self.now()).finish()
    }
}
