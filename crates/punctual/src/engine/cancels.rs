//! Which jobs were asked to stop, for workers that want to know at once.
//!
//! In one process a signal names the job. From another one there may come no more than "something happened"; then the
//! store is asked which runs are to stop, at once, and after that no more often than every
//! [`CANCEL_GAP`].

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt, StreamExt, future};

use crate::error::Error;
use crate::job::{JobId, Phase};
use crate::limits::{CANCEL_GAP, PAGE_ITEMS};
use crate::signals::Signal;
use crate::store::{Filter, Page, View};

use super::Core;

/// Jobs that are asked to stop, first those that are already, until the engine stops.
pub(super) fn cancels(core: Arc<Core>) -> BoxStream<'static, JobId> {
    let stopped = core.stopping.clone().cancelled_owned();
    let cancels = Cancels {
        signals: core.store.signals().listen(),
        core,
        found: VecDeque::new(),
        told: BTreeSet::new(),
        // It listens from here on, so that none is missed between this look and a signal.
        asked: true,
        shut_until: Duration::ZERO,
    };
    stream::unfold(cancels, |mut cancels| async {
        let id = cancels.next().await?;
        Some((id, cancels))
    })
    .take_until(stopped)
    .boxed()
}

struct Cancels {
    core: Arc<Core>,
    signals: BoxStream<'static, Signal>,
    found: VecDeque<JobId>,
    /// What the last look found, so that a run that takes its time to stop is told of once.
    told: BTreeSet<JobId>,
    /// Whether something happened since the last look.
    asked: bool,
    shut_until: Duration,
}

impl Cancels {
    async fn next(&mut self) -> Option<JobId> {
        loop {
            if let Some(id) = self.found.pop_front() {
                return Some(id);
            }
            let mut pause = match self.asked {
                true => {
                    let now = self.core.clock.uptime();
                    self.core.clock.sleep(self.shut_until.saturating_sub(now))
                }
                false => future::pending().boxed(),
            };
            tokio::select! {
                biased;
                () = &mut pause => self.look().await,
                signal = self.signals.next() => match signal? {
                    Signal::Cancel(id) => return Some(id),
                    Signal::Anything | Signal::Lost => self.asked = true,
                    Signal::Due(..) | Signal::Ended(_) | Signal::Output(_) => {}
                },
            }
        }
    }

    async fn look(&mut self) {
        self.asked = false;
        self.shut_until = self.core.clock.uptime() + CANCEL_GAP;
        match cancelling(&self.core).await {
            Ok(ids) => {
                self.found.extend(ids.difference(&self.told));
                self.told = ids;
            }
            Err(error) => {
                tracing::debug!(%error, "which runs are to stop could not be read; heartbeats will tell");
            }
        }
    }
}

async fn cancelling(core: &Core) -> Result<BTreeSet<JobId>, Error> {
    let filter = Filter {
        view: View::Running,
        phase: Some(Phase::Cancelling),
        ..Filter::default()
    };
    let page = Page {
        limit: PAGE_ITEMS,
        after: None,
    };
    let listed = core.store.list(filter, page).await?;
    Ok(listed.items.into_iter().map(|head| head.id).collect())
}
