//! The workers that beat through this engine: by them the nodes on a store know each other.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::limits::WORKER_FORGOTTEN;
use crate::run::{Beat, WorkerId};

/// Workers, and the uptime at which each beat here last.
#[derive(Default)]
pub(super) struct Members(Mutex<BTreeMap<WorkerId, Duration>>);

impl Members {
    /// Notes who beats, and forgets who has stopped or not beaten for long, so that no more are kept than are alive.
    pub(super) fn note(&self, beat: &Beat, uptime: Duration) {
        let mut members = self.members();
        members.retain(|_, beat_at| uptime.saturating_sub(*beat_at) <= WORKER_FORGOTTEN);
        let id = &beat.worker.id;
        match beat.stopped {
            true => drop(members.remove(id)),
            false => drop(members.insert(id.clone(), uptime)),
        }
    }

    /// Whether this worker beats here.
    pub(super) fn has(&self, worker: &WorkerId) -> bool {
        self.members().contains_key(worker)
    }

    fn members(&self) -> MutexGuard<'_, BTreeMap<WorkerId, Duration>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
