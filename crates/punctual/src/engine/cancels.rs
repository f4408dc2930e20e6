//! Which jobs were asked to stop, for workers that want to know at once.
//!
//! In one process a signal names the job. From another one there may come no more than "something happened"; then the
//! store is asked which runs are to stop, at once, and after that no more often than every
//! [`CANCEL_GAP`].
//!
//! A signal may be lost, or come before the worker knows of the run that it has claimed. So every [`RESCAN`] all that are to
//! stop are told, also those that were told before.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};

use crate::error::Error;
use crate::job::{JobId, Phase};
use crate::limits::{CANCEL_GAP, PAGE_ITEMS, RESCAN};
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
        rescan_at: Duration::ZERO,
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
    /// What the last look found, so that a run that takes its time to stop is told of once until the rescan.
    told: BTreeSet<JobId>,
    /// Whether something happened since the last look.
    asked: bool,
    shut_until: Duration,
    rescan_at: Duration,
}

impl Cancels {
    async fn next(&mut self) -> Option<JobId> {
        loop {
            if let Some(id) = self.found.pop_front() {
                return Some(id);
            }
            let look_at = match self.asked {
                true => self.shut_until,
                false => self.rescan_at,
            };
            let now = self.core.clock.uptime();
            tokio::select! {
                biased;
                () = self.core.clock.sleep(look_at.saturating_sub(now)) => self.look().await,
                signal = self.signals.next() => match signal? {
                    Signal::Cancel(id) => return Some(id),
                    Signal::Anything | Signal::Lost => self.asked = true,
                    Signal::Due(..) | Signal::Ended(_) | Signal::Output(_) | Signal::Schedule(_) => {}
                },
            }
        }
    }

    async fn look(&mut self) {
        let now = self.core.clock.uptime();
        self.asked = false;
        self.shut_until = now + CANCEL_GAP;
        if now >= self.rescan_at {
            self.rescan_at = now + RESCAN;
            self.told.clear();
        }
        match cancelling(&self.core).await {
            Ok(ids) => {
                self.found.extend(ids.difference(&self.told));
                self.told = ids;
            }
            Err(error) => {
                tracing::debug!(%error, "which runs are to stop could not be read; they are looked for again");
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
