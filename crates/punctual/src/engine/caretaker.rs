//! The caretaker: bounded chores of every engine. It takes back what is overdue, and prunes what was kept long enough.
//!
//! Every node may do every chore at any time, since each write is fenced by the row's `rev`: who comes second changes
//! nothing. After a step of the clock or a suspend it takes back no run for one lease's length, so that workers that are
//! alive can beat first.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::change::{Applied, Change};
use crate::error::Error;
use crate::job::{Job, State};
use crate::limits::{CHORE_ROWS, CLOCK_STEP, LEASE, OVERDUE_SCAN, PRUNE_PAGES, PRUNE_SCAN, RESCAN};
use crate::queue::{QueueName, Retention};
use crate::rules;
use crate::store::{Cursor, Filter, Head, Page, View};
use crate::time::{Timestamp, micros};

use super::Core;
use super::lane::Tell;
use super::settings::{ByQueue, is_limited, retention_of};
use super::settle::tell_of;

/// Does the chores until the engine stops.
pub(super) async fn run(core: Arc<Core>) {
    let mut steps = Steps::default();
    let mut pruner = Pruner::default();
    let mut prune_at = core.clock.uptime();
    let mut failures = 0;
    loop {
        let mut pause = match reclaim(&core, &mut steps).await {
            Ok(pause) => {
                failures = 0;
                pause
            }
            Err(error) => after_failure(&error, "what is overdue was not taken back", &mut failures),
        };
        if core.clock.uptime() >= prune_at {
            if let Err(error) = pruner.round(&core).await {
                pause = after_failure(&error, "ended jobs were not pruned", &mut failures);
            }
            // What a bounded round left over is not left for long.
            let rest = if pruner.left_at.is_empty() {
                PRUNE_SCAN
            } else {
                pause
            };
            prune_at = core.clock.uptime() + rest;
        }
        tokio::select! {
            biased;
            () = core.stopping.cancelled() => return,
            () = core.clock.sleep(pause) => {}
        }
    }
}

fn after_failure(error: &Error, what: &str, failures: &mut u32) -> Duration {
    let pause = OVERDUE_SCAN.saturating_mul(1 << (*failures).min(8)).min(RESCAN);
    *failures += 1;
    tracing::warn!(%error, "{what}; it is tried again in {pause:?}");
    pause
}

/// Takes back what is overdue. Answers how long until it makes sense to look again.
async fn reclaim(core: &Core, steps: &mut Steps) -> Result<Duration, Error> {
    let asked_at = core.clock.uptime();
    let overdue = core.store.overdue(CHORE_ROWS, None).await?;
    core.clock.correct(overdue.now, asked_at);
    let uptime = core.clock.uptime();
    if steps.look(overdue.now, (asked_at, uptime), core.clock.suspended()) {
        tracing::warn!(
            "the clock stepped or the machine slept; no run is taken back for {LEASE:?}, so that living workers can beat first"
        );
    }
    let queues = core.settings.known().await?;
    let held_off = steps.hold_off_until > uptime;
    let full = overdue.jobs.len() == CHORE_ROWS;
    let jobs = overdue
        .jobs
        .into_iter()
        .filter(|job| !held_off || job.status.state != State::Running);
    let writes: Vec<_> = jobs
        .filter_map(|job| reclaimed(core, &queues, &job, overdue.now))
        .collect();
    let asked = writes.len();
    let taken = write(core, writes).await?;
    core.counters.reclaimed(taken);
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

fn reclaimed(core: &Core, queues: &ByQueue, job: &Job, now: Timestamp) -> Option<(Change, Tell)> {
    let moment = rules::Moment {
        now,
        ..core.moment(queues, job)
    };
    let change = rules::settle::reclaim(job, &moment)?;
    let tell = tell_of(job, &change, is_limited(queues, &job.body.queue), now);
    tracing::info!(job = %job.id(), state = %job.status.state, worker = ?job.status.worker, "an overdue job is taken back");
    Some((change, tell))
}

/// Writes changes and answers how many were made. A row that moved on meanwhile needs no more care.
async fn write(core: &Core, writes: Vec<(Change, Tell)>) -> Result<usize, Error> {
    let mut made = 0;
    for answer in core.write_changes(writes).await {
        made += usize::from(answer? == Applied::Applied);
    }
    Ok(made)
}

/// What is pruned together: the jobs of one queue, or of all that do not say how long they keep theirs, by how they ended.
type Chore = (Option<QueueName>, State);

/// Deletes ended jobs that were kept long enough, in rounds of bounded length.
#[derive(Default)]
struct Pruner {
    /// Where the last round ended early.
    left_at: BTreeMap<Chore, Cursor>,
}

impl Pruner {
    async fn round(&mut self, core: &Core) -> Result<(), Error> {
        let queues = core.settings.known().await?;
        let own = queues
            .iter()
            .filter(|(_, (settings, _))| settings.retention.is_some());
        for queue in std::iter::once(None).chain(own.map(|(queue, _)| Some(queue.clone()))) {
            for state in [State::Succeeded, State::Failed, State::Cancelled] {
                self.chore(core, &queues, (queue.clone(), state)).await?;
            }
        }
        Ok(())
    }

    async fn chore(&mut self, core: &Core, queues: &ByQueue, chore: Chore) -> Result<(), Error> {
        let now = core.clock.now();
        let kept = |queue: &QueueName| retention_of(queues, queue, core.defaults.retention);
        let retention = chore.0.as_ref().map_or(core.defaults.retention, kept);
        let filter = Filter {
            view: View::Ended(Some(chore.1)),
            queue: chore.0.clone(),
            // What ended so long ago to the microsecond has been kept long enough too.
            ended_before: retention
                .of(chore.1)
                .map(|kept| now - kept + Duration::from_micros(1)),
            ..Filter::default()
        };
        let mut after = self.left_at.remove(&chore);
        for _ in 0..PRUNE_PAGES {
            let page = Page {
                limit: CHORE_ROWS,
                after,
            };
            let listed = core.store.list(filter.clone(), page).await?;
            let over = listed
                .items
                .iter()
                .filter(|head| is_prunable(head, &kept(&head.queue), now));
            let deletions = over.map(|head| (deletion(head), Tell::default())).collect();
            core.counters.pruned(write(core, deletions).await?);
            after = listed.next;
            if after.is_none() || core.stopping.is_cancelled() {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
        self.left_at.extend(after.map(|after| (chore, after)));
        Ok(())
    }
}

fn is_prunable(head: &Head, retention: &Retention, now: Timestamp) -> bool {
    rules::settle::prunable(head.state, head.ended_at, head.key_until, retention, now)
}

fn deletion(head: &Head) -> Change {
    Change {
        id: head.id,
        expect: head.rev,
        becomes: None,
        body: None,
        then: Vec::new(),
    }
}

/// Notices steps of the clock and suspends of the machine.
#[derive(Default)]
struct Steps {
    /// The store's clock less the uptime, in microseconds, at the last look: at most this.
    ahead: Option<i64>,
    suspended: Duration,
    hold_off_until: Duration,
}

impl Steps {
    /// Looks at the clocks: the store's said `now` between two readings of the uptime. Answers whether time made a leap
    /// since the last look.
    fn look(&mut self, now: Timestamp, uptime: (Duration, Duration), suspended: Duration) -> bool {
        let ahead = |uptime| now.as_micros().saturating_sub(micros(uptime));
        // How long the store took to answer is not known, and is no leap.
        let leap = self
            .ahead
            .map_or(0, |before| ahead(uptime.1).saturating_sub(before));
        let slept = suspended.saturating_sub(self.suspended);
        let first = self.ahead.is_none();
        self.ahead = Some(ahead(uptime.0));
        self.suspended = suspended;
        let leapt = !first && (leap > micros(CLOCK_STEP) || slept > CLOCK_STEP);
        if leapt {
            self.hold_off_until = uptime.1 + LEASE;
        }
        leapt
    }
}
