//! The runs that a worker holds: what its heartbeat prolongs. From the claim until the settlement is answered, or
//! the lease is lost.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::job::JobId;
use crate::run::RunId;
use crate::worker::run::Run;

/// The runs by their names. Bounded by the worker's slots, its prefetch and [`UNSETTLED`](crate::limits::UNSETTLED).
#[derive(Default)]
pub(super) struct Held(Mutex<BTreeMap<RunId, Run>>);

impl Held {
    /// Takes in what a claim brought, and gives what is to be started of it. A source that had to look up what a claim
    /// brought may name a run that is held already, and must not begin a second time.
    pub(super) fn take_in(&self, mut runs: Vec<Run>) -> Vec<Run> {
        let mut held = self.runs();
        runs.retain(|run| match held.entry(run.id()) {
            Entry::Vacant(place) => {
                place.insert(run.clone());
                true
            }
            Entry::Occupied(_) => false,
        });
        runs
    }

    pub(super) fn let_go<'a>(&self, runs: impl IntoIterator<Item = &'a Run>) {
        let mut held = self.runs();
        for run in runs {
            held.remove(&run.id());
        }
    }

    pub(super) fn count(&self) -> usize {
        self.runs().len()
    }

    pub(super) fn all(&self) -> Vec<Run> {
        self.runs().values().cloned().collect()
    }

    /// The runs that have something new to say of their progress.
    pub(super) fn with_news(&self) -> Vec<Run> {
        self.pick(Run::has_news)
    }

    /// The runs whose lease is no longer trusted at this uptime.
    pub(super) fn untrusted(&self, uptime: Duration) -> Vec<Run> {
        self.pick(|run| !run.is_trusted(uptime))
    }

    /// The run of this job; two, if the worker lost one and claimed the job anew.
    pub(super) fn of_job(&self, job: JobId) -> Vec<Run> {
        let all = RunId { job, run: 0 }..=RunId { job, run: u64::MAX };
        self.runs().range(all).map(|(_, run)| run.clone()).collect()
    }

    fn pick(&self, wanted: impl Fn(&Run) -> bool) -> Vec<Run> {
        let runs = self.runs();
        runs.values().filter(|run| wanted(run)).cloned().collect()
    }

    fn runs(&self) -> MutexGuard<'_, BTreeMap<RunId, Run>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
