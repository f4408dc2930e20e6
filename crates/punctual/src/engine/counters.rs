//! What an engine has done since it was opened, counted once, for whoever shows figures.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::change::ScheduleChange;
use crate::run::SettleVerdict;
use crate::schedule::{Cause, Occurrence, Outcome, Schedule};

/// What this engine has done since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// Jobs inserted.
    pub enqueued: u64,
    /// Jobs asked for that were there already, by id or by unique key.
    pub deduplicated: u64,
    /// Jobs handed to workers.
    pub claimed: u64,
    /// Outcomes that stand.
    pub settled: u64,
    /// Outcomes refused, since the run was no longer the worker's.
    pub stale: u64,
    /// Outcomes that the store could not take, so that their runs are left to their leases.
    pub refused: u64,
    /// Lost runs taken back, and jobs that missed their start deadline.
    pub reclaimed: u64,
    /// Ended jobs deleted, since they had been kept long enough.
    pub pruned: u64,
    /// Jobs made for schedules, by their plans or because somebody asked for one.
    pub fired: u64,
    /// Instants of schedules that were skipped.
    pub skipped: u64,
    /// How many schedules were overdue as this engine last went through all that was due, by more than
    /// [`FIRE_LATE`](crate::limits::FIRE_LATE): nobody could fire them. It comes and goes.
    pub overdue: u64,
}

/// What one change of a schedule makes.
pub(super) struct Made {
    fired: usize,
    skipped: u64,
}

impl Made {
    /// What this change of the row makes.
    pub(super) fn by(row: &Schedule, change: &ScheduleChange) -> Made {
        // A backfill cuts entries that were told before.
        let is_cut = change.ledger.iter().any(|entry| entry.cause == Cause::Backfilled);
        let is_skip = |entry: &&Occurrence| matches!(entry.outcome, Outcome::Skipped(_)) && !is_cut;
        let skips = change.ledger.iter().filter(is_skip);
        // An entry that goes on tells again of those that it told of before.
        let open = row.standing.skips;
        let new = skips.map(|entry| match open.filter(|open| open.from == entry.nominal_at) {
            Some(open) => entry.count.saturating_sub(open.count),
            None => entry.count,
        });
        Made {
            fired: change.jobs.len(),
            skipped: new.sum(),
        }
    }
}

#[derive(Default)]
pub(super) struct Counters {
    enqueued: AtomicU64,
    deduplicated: AtomicU64,
    claimed: AtomicU64,
    settled: AtomicU64,
    stale: AtomicU64,
    refused: AtomicU64,
    reclaimed: AtomicU64,
    pruned: AtomicU64,
    fired: AtomicU64,
    skipped: AtomicU64,
    overdue: AtomicU64,
}

impl Counters {
    pub(super) fn totals(&self) -> Totals {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Totals {
            enqueued: read(&self.enqueued),
            deduplicated: read(&self.deduplicated),
            claimed: read(&self.claimed),
            settled: read(&self.settled),
            stale: read(&self.stale),
            refused: read(&self.refused),
            reclaimed: read(&self.reclaimed),
            pruned: read(&self.pruned),
            fired: read(&self.fired),
            skipped: read(&self.skipped),
            overdue: read(&self.overdue),
        }
    }

    pub(super) fn enqueued(&self) {
        add(&self.enqueued, 1);
    }

    pub(super) fn deduplicated(&self) {
        add(&self.deduplicated, 1);
    }

    pub(super) fn claimed(&self, jobs: usize) {
        add(&self.claimed, jobs);
    }

    pub(super) fn settled(&self, verdicts: &[SettleVerdict]) {
        for verdict in verdicts {
            let counter = match verdict {
                SettleVerdict::Settled => &self.settled,
                SettleVerdict::Stale => &self.stale,
                SettleVerdict::Refused => &self.refused,
            };
            add(counter, 1);
        }
    }

    pub(super) fn reclaimed(&self, jobs: usize) {
        add(&self.reclaimed, jobs);
    }

    pub(super) fn pruned(&self, jobs: usize) {
        add(&self.pruned, jobs);
    }

    /// A change of a schedule stands.
    pub(super) fn made(&self, made: Made) {
        add(&self.fired, made.fired);
        self.skipped.fetch_add(made.skipped, Ordering::Relaxed);
    }

    pub(super) fn overdue(&self, schedules: usize) {
        let schedules = u64::try_from(schedules).unwrap_or(u64::MAX);
        self.overdue.store(schedules, Ordering::Relaxed);
    }
}

fn add(counter: &AtomicU64, count: usize) {
    counter.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
}
