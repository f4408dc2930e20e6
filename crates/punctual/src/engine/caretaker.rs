//! The caretaker: bounded chores of every engine. It takes back what is overdue, prunes what was kept long enough, and fires
//! schedules.
//!
//! Every node may do every chore at any time, since each write is fenced by the row's `rev`: who comes second changes
//! nothing. After a step of the clock or a suspend it waits until workers that are alive have had the time to beat: see
//! [`leaps`].

use std::sync::Arc;
use std::time::Duration;

use tracing::Instrument;

use crate::change::{Applied, Change};
use crate::error::Error;
use crate::job::{Job, State};
use crate::limits::{CHORE_ROWS, LEAP_PAGES, LEASE, OVERDUE_SCAN, PAGE_ITEMS, RESCAN};
use crate::rules;
use crate::run::RunId;
use crate::store::{Filter, Page, View};
use crate::time::{Timestamp, format_length};

use super::Core;
use super::settings::{ByQueue, is_limited};
use super::settle::tell_of;
use super::writes::Tell;

mod firer;
mod leaps;
mod pruner;

#[cfg(feature = "testing")]
pub(super) use firer::fire_due;
use leaps::{Beats, Ends, Leaps};

/// Does the chores until the engine stops. Firing has a task of its own, so that schedules with a long past hold up no lost run.
pub(super) fn start(core: &Arc<Core>) {
    let span = tracing::debug_span!("caretaker");
    core.tasks.spawn(keep(Arc::clone(core)).instrument(span.clone()));
    core.tasks.spawn(fire(Arc::clone(core)).instrument(span));
}

/// Keeps rows in order: side by side, so that a long history holds up no lost run.
async fn keep(core: Arc<Core>) {
    let chores = async { tokio::join!(take_back(&core), pruner::prune(&core)) };
    tokio::select! {
        biased;
        () = core.stopping.cancelled() => {}
        _ = chores => {}
    }
}

async fn fire(core: Arc<Core>) {
    tokio::select! {
        biased;
        () = core.stopping.cancelled() => {}
        () = firer::fire(&core) => {}
    }
}

async fn take_back(core: &Core) {
    let mut leaps = Leaps::default();
    let mut failures = 0;
    loop {
        let pause = match reclaim(core, &mut leaps).await {
            Ok(pause) => {
                failures = 0;
                pause
            }
            Err(error) => after_failure(&error, "what is overdue was not taken back", &mut failures),
        };
        core.clock.sleep(pause).await;
    }
}

fn after_failure(error: &Error, what: &str, failures: &mut u32) -> Duration {
    let pause = OVERDUE_SCAN.saturating_mul(1 << (*failures).min(8)).min(RESCAN);
    *failures += 1;
    tracing::warn!(%error, "{what}; it is tried again in {}", format_length(pause));
    pause
}

/// Takes back what is overdue. Answers how long until it makes sense to look again.
async fn reclaim(core: &Core, leaps: &mut Leaps) -> Result<Duration, Error> {
    let asked_at = core.clock.uptime();
    let overdue = core.store.overdue(CHORE_ROWS, None).await?;
    core.clock.correct(overdue.now, asked_at);
    let uptime = core.clock.uptime();
    if leaps.look(overdue.now, (asked_at, uptime), core.clock.suspended()) {
        tracing::warn!(
            "the clock stepped or the machine slept; no run is taken back for {} nor before its lease is over as its worker \
             counts, so that living workers can beat first",
            format_length(LEASE)
        );
        match lease_ends(core).await {
            Ok(ends) => leaps.note(ends),
            Err(error) => {
                tracing::warn!(%error, "it could not be read when leases end; some runs may be taken back late")
            }
        }
    }
    let queues = core.settings.known().await?;
    let held_off = leaps.hold_off(uptime);
    let beats = last_beats(core, leaps, &overdue.jobs).await?;
    let full = overdue.jobs.len() == CHORE_ROWS;
    let jobs = overdue
        .jobs
        .into_iter()
        .filter(|job| !held_off || job.status.state != State::Running)
        .filter(|job| leaps.is_over(job, &beats, overdue.now));
    let decided = jobs.filter_map(|job| {
        let write = reclaimed(core, &queues, &job, overdue.now)?;
        Some((job, write))
    });
    let (jobs, writes): (Vec<_>, Vec<_>) = decided.unzip();
    let asked = jobs.len();
    let mut taken = Vec::new();
    for (job, answer) in jobs.iter().zip(core.write_changes(writes).await) {
        // A row that moved on meanwhile needs no more care.
        if answer? == Applied::Applied {
            core.counters.reclaimed(1);
            taken.push(job);
        }
    }
    tell(&taken);
    if full && asked > 0 {
        return Ok(Duration::ZERO);
    }
    let next = overdue.next.map_or(OVERDUE_SCAN, |next| next.since(overdue.now));
    // An alarm that was held off has passed already, and is not to be looked at again and again.
    Ok(if held_off || next.is_zero() {
        OVERDUE_SCAN
    } else {
        next.min(OVERDUE_SCAN)
    })
}

/// When the leases of all runs end; of very many, of those that end first.
async fn lease_ends(core: &Core) -> Result<Ends, Error> {
    let mut ends = Ends::new();
    let mut after = None;
    for _ in 0..LEAP_PAGES {
        let filter = Filter {
            view: View::Running,
            ..Filter::default()
        };
        let page = Page {
            limit: PAGE_ITEMS,
            after,
        };
        let listed = core.store.list(filter, page).await?;
        ends.extend(listed.items.iter().filter_map(|head| {
            let (job, run) = (head.id, head.run);
            Some((RunId { job, run }, head.alarm?))
        }));
        after = listed.next;
        if after.is_none() {
            break;
        }
    }
    Ok(ends)
}

/// Says what a round took back: in one line, since a worker that is killed leaves as many jobs as it ran.
fn tell(taken: &[&Job]) {
    for job in taken {
        let (queue, status) = (&job.body.queue, &job.status);
        let worker = status.worker.as_ref().map(tracing::field::display);
        tracing::debug!(job = %job.id(), %queue, state = %status.state, worker, "an overdue job was taken back");
    }
    if let Some(first) = taken.first() {
        tracing::info!(
            jobs = taken.len(), first = %first.id(), queue = %first.body.queue,
            "overdue jobs were taken back: their leases were over, or they were not to begin any more"
        );
    }
}

/// When each worker beat last, where that tells which leases are from before a leap.
async fn last_beats(core: &Core, leaps: &Leaps, jobs: &[Job]) -> Result<Beats, Error> {
    if !jobs.iter().any(|job| leaps.may_concern(job)) {
        return Ok(Beats::new());
    }
    let workers = core.store.workers().await?;
    Ok(workers
        .into_iter()
        .map(|seen| (seen.worker.id, seen.beat_at))
        .collect())
}

fn reclaimed(core: &Core, queues: &ByQueue, job: &Job, now: Timestamp) -> Option<(Change, Tell)> {
    let moment = rules::Moment {
        now,
        ..core.moment(queues, job)
    };
    let change = rules::settle::reclaim(job, &moment)?;
    let tell = tell_of(job, &change, is_limited(queues, &job.body.queue), now);
    Some((change, tell))
}
