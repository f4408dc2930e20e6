//! Which jobs have started: an account of our own, so that no system is believed on its word.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::Notify;

use crate::Error;

/// Jobs of tomorrow are numbered from here, so that one that starts today is seen.
pub(crate) const TOMORROW: u64 = 1_000_000_000;

/// Counts starts of the jobs `0..jobs`.
pub(crate) struct Ledger {
    started: Vec<AtomicBool>,
    count: AtomicU64,
    repeated: AtomicU64,
    unexpected: AtomicU64,
    complete: Notify,
}

impl Ledger {
    pub(crate) fn new(jobs: u64) -> Self {
        Self {
            started: (0..jobs).map(|_| AtomicBool::new(false)).collect(),
            count: AtomicU64::new(0),
            repeated: AtomicU64::new(0),
            unexpected: AtomicU64::new(0),
            complete: Notify::new(),
        }
    }

    /// Notes that a job started.
    pub(crate) fn start(&self, number: u64) {
        let Some(seen) = self.started.get(number as usize) else {
            self.unexpected.fetch_add(1, Ordering::Relaxed);
            return;
        };
        if seen.swap(true, Ordering::Relaxed) {
            self.repeated.fetch_add(1, Ordering::Relaxed);
        } else if self.count.fetch_add(1, Ordering::Relaxed) + 1 == self.started.len() as u64 {
            self.complete.notify_one();
        }
    }

    /// Waits until every job has started once.
    pub(crate) async fn complete(&self) {
        self.complete.notified().await;
    }

    /// How many have started.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// How often a job started again, or an error if one started that had no business to.
    pub(crate) fn repeated(&self) -> Result<u64, Error> {
        match self.unexpected.load(Ordering::Relaxed) {
            0 => Ok(self.repeated.load(Ordering::Relaxed)),
            unexpected => Err(format!("{unexpected} jobs of tomorrow started today").into()),
        }
    }
}
