//! The caretaker: bounded chores of every engine. It takes back what is overdue, and prunes what was kept long enough.
//!
//! Every node may do every chore at any time, since each write is fenced by the row's `rev`: who comes second changes
//! nothing. After a step of the clock or a suspend it takes back no run for the length of the longest lease that this
//! engine gave, so that workers that are alive can beat first. A longer one that another process gave is not known here.

use std::sync::Arc;
use std::time::Duration;

use crate::change::{Applied, Change};
use crate::error::Error;
use crate::job::{Job, State};
use crate::limits::{CHORE_ROWS, CLOCK_STEP, OVERDUE_SCAN, RESCAN};
use crate::rules;
use crate::time::{Timestamp, micros};

use super::Core;
use super::settings::{ByQueue, is_limited};
use super::settle::tell_of;
use super::writes::Tell;

mod pruner;

/// Does the chores until the engine stops: side by side, so that a long history holds up no lost run.
pub(super) async fn run(core: Arc<Core>) {
    let chores = async { tokio::join!(take_back(&core), pruner::prune(&core)) };
    tokio::select! {
        biased;
        () = core.stopping.cancelled() => {}
        _ = chores => {}
    }
}

async fn take_back(core: &Core) {
    let mut steps = Steps::default();
    let mut failures = 0;
    loop {
        let pause = match reclaim(core, &mut steps).await {
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
        let lease = core.leases.longest();
        steps.hold_off_until = uptime.saturating_add(lease);
        tracing::warn!(
            "the clock stepped or the machine slept; no run is taken back for {lease:?}, so that living workers can beat first"
        );
    }
    let queues = core.settings.known().await?;
    let held_off = steps.hold_off_until > uptime;
    let full = overdue.jobs.len() == CHORE_ROWS;
    let jobs = overdue
        .jobs
        .into_iter()
        .filter(|job| !held_off || job.status.state != State::Running);
    let decided = jobs.filter_map(|job| {
        let write = reclaimed(core, &queues, &job, overdue.now)?;
        Some((job, write))
    });
    let (jobs, writes): (Vec<_>, Vec<_>) = decided.unzip();
    let asked = jobs.len();
    for (job, answer) in jobs.iter().zip(core.write_changes(writes).await) {
        // A row that moved on meanwhile needs no more care.
        if answer? == Applied::Applied {
            core.counters.reclaimed(1);
            tracing::info!(job = %job.id(), state = %job.status.state, worker = ?job.status.worker, "an overdue job was taken back");
        }
    }
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
    Some((change, tell))
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
        !first && (leap > micros(CLOCK_STEP) || slept > CLOCK_STEP)
    }
}
