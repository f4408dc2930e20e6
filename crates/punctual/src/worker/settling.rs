//! Settling: brings outcomes home, however long it takes. Only then does the heartbeat let go of their runs.

use std::sync::Arc;

use crate::error::{Error, Kind};
use crate::limits::PAUSE_AFTER_ERROR_MAX;
use crate::run::{Outcome, SettleVerdict, Settlement};
use crate::source::Source;
use crate::time::format_length;
use crate::worker::held::Held;
use crate::worker::pause::pause_after;
use crate::worker::run::{Run, Terms};

/// A run and what became of it.
pub(super) type Ended = (Run, Outcome);

/// What one worker needs for settling.
pub(super) struct Settling {
    pub(super) source: Arc<dyn Source>,
    pub(super) terms: Arc<Terms>,
    pub(super) held: Arc<Held>,
}

impl Settling {
    /// Settles a batch: returns when each of its outcomes was accepted, found stale or refused for good.
    pub(super) async fn settle(&self, batch: &[Ended]) {
        match self.offer(batch).await {
            Ok(()) => {}
            Err(error) if batch.len() == 1 => give_up(&batch[0].0, &error),
            // Something is wrong with one of them; alone, the others come through.
            Err(_) => {
                for one in batch.chunks(1) {
                    if let Err(error) = self.offer(one).await {
                        give_up(&one[0].0, &error);
                    }
                }
            }
        }
        self.held.let_go(batch.iter().map(|(run, _)| run));
    }

    /// Offers a batch until it is answered or refused for good. As long as the source is merely unavailable, or its answer
    /// was lost, it is asked again: what was done is worth the wait.
    async fn offer(&self, batch: &[Ended]) -> Result<(), Error> {
        let clock = &self.terms.clock;
        let mut failures: u32 = 0;
        loop {
            let error = match self.source.settle(settlements(batch)).await {
                Ok(verdicts) => {
                    note_lost(batch, &verdicts);
                    return Ok(());
                }
                Err(error) => error,
            };
            if error.kind() != Kind::Unavailable && !error.is_unknown() {
                return Err(error);
            }
            failures = failures.saturating_add(1);
            let pause = pause_after(failures, PAUSE_AFTER_ERROR_MAX, clock.chance());
            tracing::warn!(
                outcomes = batch.len(), %error,
                "outcomes could not be settled; they are kept and sent again in {}", format_length(pause)
            );
            clock.sleep(pause).await;
        }
    }
}

fn settlements(batch: &[Ended]) -> Vec<Settlement> {
    batch
        .iter()
        .map(|(run, outcome)| Settlement {
            id: run.id(),
            outcome: outcome.clone(),
            claimed: Some(run.job().clone()),
        })
        .collect()
}

/// Tells of the outcomes that are lost.
fn note_lost(batch: &[Ended], verdicts: &[SettleVerdict]) {
    for ((run, outcome), verdict) in batch.iter().zip(verdicts) {
        let id = run.id();
        match verdict {
            SettleVerdict::Settled => {}
            SettleVerdict::Stale if matches!(outcome, Outcome::Defer(_)) => tracing::debug!(
                job = %id.job, run = id.run,
                "a run that was to be deferred is over: whoever has its token was quicker, or its lease was lost"
            ),
            SettleVerdict::Stale => tracing::warn!(
                job = %id.job, run = id.run,
                "an outcome came too late and changed nothing: the run was no longer this worker's"
            ),
            // Whoever refused it knows why, and has said so.
            SettleVerdict::Refused => tracing::debug!(job = %id.job, run = id.run, "an outcome was refused"),
        }
    }
}

fn give_up(run: &Run, error: &Error) {
    let id = run.id();
    tracing::error!(
        job = %id.job, run = id.run, %error,
        "an outcome was refused; the run is left to its lease, and the job will be run again or fail as its on_lost says"
    );
}
