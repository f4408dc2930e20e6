//! Pruning: ended jobs that were kept long enough are deleted, queue by queue.

use std::collections::VecDeque;
use std::time::Duration;

use crate::change::{Applied, Change};
use crate::error::Error;
use crate::job::State;
use crate::limits::{CHORE_ROWS, PRUNE_SCAN};
use crate::queue::{QueueName, Retention};
use crate::rules;
use crate::store::{Cursor, Filter, Head, Page, View};
use crate::time::Timestamp;

use super::super::Core;
use super::super::settings::retention_of;
use super::super::writes::Tell;
use super::after_failure;

/// Ended jobs of one queue that ended in one way.
struct Chore {
    queue: QueueName,
    state: State,
    retention: Retention,
    /// Where its last page ended.
    after: Option<Cursor>,
}

/// Prunes again and again.
pub(super) async fn prune(core: &Core) {
    let mut failures = 0;
    loop {
        let pause = match round(core).await {
            Ok(()) => {
                failures = 0;
                PRUNE_SCAN
            }
            Err(error) => after_failure(&error, "ended jobs were not pruned", &mut failures),
        };
        core.clock.sleep(pause).await;
    }
}

/// Passes once over all that ended long enough ago, a page of each chore in turn. What a unique key still holds is
/// passed too, and looked at again in the next round. It ends, since what ends meanwhile is no part of it.
async fn round(core: &Core) -> Result<(), Error> {
    let now = core.clock.now();
    let mut chores = chores(core).await?;
    while let Some(mut chore) = chores.pop_front() {
        chore.after = page(core, &chore, now).await?;
        if chore.after.is_some() {
            chores.push_back(chore);
        }
        tokio::task::yield_now().await;
    }
    Ok(())
}

async fn chores(core: &Core) -> Result<VecDeque<Chore>, Error> {
    let queues = core.settings.known().await?;
    let counted = core.store.counts().await?;
    let mut chores = VecDeque::new();
    for counts in counted.queues {
        let retention = retention_of(&queues, &counts.queue, core.defaults.retention);
        for state in [State::Succeeded, State::Failed, State::Cancelled] {
            if counts.jobs[state as usize] > 0 && retention.of(state).is_some() {
                chores.push_back(Chore {
                    queue: counts.queue.clone(),
                    state,
                    retention,
                    after: None,
                });
            }
        }
    }
    Ok(chores)
}

/// Prunes one page, and answers where to go on.
async fn page(core: &Core, chore: &Chore, now: Timestamp) -> Result<Option<Cursor>, Error> {
    let filter = Filter {
        view: View::Ended(Some(chore.state)),
        queue: Some(chore.queue.clone()),
        // What ended so long ago to the microsecond has been kept long enough too.
        ended_before: chore
            .retention
            .of(chore.state)
            .map(|kept| now - kept + Duration::from_micros(1)),
        ..Filter::default()
    };
    let page = Page {
        limit: CHORE_ROWS,
        after: chore.after,
    };
    let listed = core.store.list(filter, page).await?;
    let over = listed
        .items
        .iter()
        .filter(|head| is_prunable(head, &chore.retention, now));
    let deletions = over.map(|head| (Change::deletion(head.id, head.rev), Tell::default()));
    for answer in core.write_changes(deletions.collect()).await {
        // A row that moved on meanwhile is looked at again in the next round.
        core.counters.pruned(usize::from(answer? == Applied::Applied));
    }
    Ok(listed.next)
}

fn is_prunable(head: &Head, retention: &Retention, now: Timestamp) -> bool {
    rules::settle::prunable(head.state, head.ended_at, head.key_until, retention, now)
}
