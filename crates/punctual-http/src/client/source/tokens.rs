//! The tokens that came with claimed runs, kept for whoever a handler defers its run to.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use punctual::run::{RunId, Settlement};

use crate::limits::TOKENS;

/// Tokens by their runs: from the claim until the settlement. Those of runs that were lost on the way, which nobody settles,
/// make room for others once there are too many.
#[derive(Default)]
pub(super) struct Tokens(Mutex<BTreeMap<RunId, String>>);

impl Tokens {
    pub(super) fn keep(&self, run: RunId, token: String) {
        let mut kept = self.kept();
        kept.insert(run, token);
        if kept.len() > TOKENS {
            // Ids that the server made begin with the time, so that this is most likely the oldest.
            kept.pop_first();
        }
    }

    pub(super) fn of(&self, run: RunId) -> Option<String> {
        self.kept().get(&run).cloned()
    }

    pub(super) fn let_go(&self, settled: &[Settlement]) {
        let mut kept = self.kept();
        for settlement in settled {
            kept.remove(&settlement.id);
        }
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<RunId, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
