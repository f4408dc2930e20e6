//! Jobs in an answer that is on its way out: those of one that does not go out as a whole are put back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::workers::Taken;

/// What one connection is writing. Clones share it; with the last one, what has not gone out is put back.
#[derive(Clone, Default)]
pub(super) struct Outgoing(Arc<Mutex<Vec<Taken>>>);

impl Outgoing {
    /// These jobs are in what is written from now on.
    pub(super) fn carry(&self, taken: Taken) {
        self.carried().push(taken);
    }

    /// All that was written has been handed to the system.
    pub(super) fn went_out(&self) {
        self.carried().drain(..).for_each(Taken::hand_over);
    }

    fn carried(&self) -> MutexGuard<'_, Vec<Taken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
