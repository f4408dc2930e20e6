//! Finds the few steps of a history that are to blame.

use std::sync::Arc;

use super::step::Step;
use super::{Difference, compare};
use crate::store::Store;

/// Replays of one search; then the shortest history so far has to do.
const REPLAYS: usize = 3_000;

/// Leaves out of a history whatever is not needed for a difference, and plays the rest: whole stretches first, then
/// single steps, then single parts of a step. Each time on an empty store that `make` gives. Nothing when the
/// history shows no difference.
pub async fn shrink(
    make: impl AsyncFn() -> Arc<dyn Store>,
    steps: &[Step],
) -> Option<(Vec<Step>, Difference)> {
    let difference = compare(make().await, steps).await.err()?;
    let mut search = Search {
        make,
        steps: up_to(steps.to_vec(), &difference),
        difference,
        replays: 0,
    };
    let mut stretch = search.steps.len() / 2;
    while stretch > 0 {
        if !search.without_stretches(stretch).await {
            stretch /= 2;
        }
    }
    while search.with_smaller_steps().await {}
    Some((search.steps, search.difference))
}

/// What comes after the difference is not to blame. A difference may be told one step after the last.
fn up_to(mut steps: Vec<Step>, difference: &Difference) -> Vec<Step> {
    steps.truncate(difference.place() + 1);
    steps
}

struct Search<M> {
    make: M,
    /// The shortest history that shows a difference so far.
    steps: Vec<Step>,
    difference: Difference,
    replays: usize,
}

impl<M: AsyncFn() -> Arc<dyn Store>> Search<M> {
    /// Takes this history if it shows a difference too.
    async fn try_out(&mut self, steps: Vec<Step>) -> bool {
        if self.replays == REPLAYS {
            return false;
        }
        self.replays += 1;
        let Err(difference) = compare((self.make)().await, &steps).await else {
            return false;
        };
        self.steps = up_to(steps, &difference);
        self.difference = difference;
        true
    }

    /// Leaves out each stretch of so many steps that can be left out, from the end on. Says whether one could.
    async fn without_stretches(&mut self, stretch: usize) -> bool {
        let before = self.steps.len();
        let mut end = before;
        while end > 0 {
            let start = end.saturating_sub(stretch);
            let mut steps = self.steps.clone();
            steps.drain(start..end.min(self.steps.len()));
            self.try_out(steps).await;
            end = start.min(self.steps.len());
        }
        self.steps.len() < before
    }

    /// Leaves out each part of a step that can be left out. Says whether one could.
    async fn with_smaller_steps(&mut self) -> bool {
        let mut any = false;
        let mut place = 0;
        while let Some(step) = self.steps.get(place) {
            let mut found = false;
            for smaller in step.smaller() {
                let mut steps = self.steps.clone();
                steps[place] = smaller;
                found = self.try_out(steps).await;
                if found {
                    break;
                }
            }
            any |= found;
            place += usize::from(!found);
        }
        any
    }
}

impl Step {
    /// The same step with one part less.
    fn smaller(&self) -> Vec<Step> {
        match self {
            Step::Insert(rows) => each_less(rows).map(Step::Insert).collect(),
            Step::Change(decisions) => {
                let fewer = each_less(decisions);
                let simpler = (0..decisions.len()).filter(|place| !decisions[*place].then.is_empty());
                let simpler = simpler.map(|place| {
                    let mut decisions = decisions.clone();
                    decisions[place].then.clear();
                    decisions
                });
                fewer.chain(simpler).map(Step::Change).collect()
            }
            Step::Set(settings) => each_less(settings).map(Step::Set).collect(),
            Step::Schedule(steps) => {
                let fewer = each_less(steps);
                let simpler = (0..steps.len()).flat_map(|place| {
                    let mut plain = steps.clone();
                    plain[place].forget = None;
                    let mut without_jobs = steps.clone();
                    without_jobs[place].jobs.clear();
                    let mut without_ledger = steps.clone();
                    without_ledger[place].ledger.clear();
                    let mut without_drops = steps.clone();
                    without_drops[place].drops.clear();
                    [plain, without_jobs, without_ledger, without_drops]
                });
                let simpler = simpler.filter(|simpler| simpler != steps);
                fewer.chain(simpler).map(Step::Schedule).collect()
            }
            Step::Fetch(jobs) => each_less(jobs).map(Step::Fetch).collect(),
            Step::Claim { queues, max, lease } => {
                let (max, lease) = (*max, *lease);
                let fewer = each_less(queues);
                fewer.map(|queues| Step::Claim { queues, max, lease }).collect()
            }
            Step::ClaimIds { jobs, max } => {
                let fewer = each_less(jobs);
                fewer.map(|jobs| Step::ClaimIds { jobs, max: *max }).collect()
            }
            Step::Beat { runs, news } => {
                let fewer = each_less(runs);
                fewer.map(|runs| Step::Beat { runs, news: *news }).collect()
            }
            Step::Pass(_) | Step::Print { .. } | Step::List { .. } | Step::Overdue(_) | Step::Look => {
                Vec::new()
            }
        }
    }
}

/// The parts without the first one, without the second one, and so on.
fn each_less<T: Clone>(parts: &[T]) -> impl Iterator<Item = Vec<T>> + '_ {
    (0..parts.len()).map(|place| [&parts[..place], &parts[place + 1..]].concat())
}
