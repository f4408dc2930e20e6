//! The lane of schedules: what several callers, or one round of a caretaker, change is written together.

use std::sync::Arc;

use crate::change::{ScheduleApplied, ScheduleChange};
use crate::limits::{FLUSH_BYTES, FLUSH_ITEMS};
use crate::schedule::Schedule;
use crate::signals::Signal;
use crate::store::{Answer, Store};

use super::super::lane::{Told, Write, perhaps_before};

/// What each row of a change takes at least, in bytes, whatever is in it: no more than [`FLUSH_ITEMS`] rows of schedules,
/// jobs and ledgers stand in one flush.
const ROW_BYTES: usize = FLUSH_BYTES / FLUSH_ITEMS;

/// Changes schedules.
pub(in crate::engine) struct ScheduleWrites(pub(in crate::engine) Arc<dyn Store>);

impl Write for ScheduleWrites {
    type Item = ScheduleChange;
    type Tell = ();
    type Out = ScheduleApplied;

    fn bytes(change: &ScheduleChange) -> usize {
        let replanned = change.becomes.as_ref().filter(|_| change.replans);
        let plan = replanned.map_or(0, |row| row.plan.job.payload.len());
        let jobs = change.jobs.iter().map(|job| ROW_BYTES + job.body.payload.len());
        let entries = change.ledger.len() + change.drops.len();
        ROW_BYTES * (1 + entries) + plan + jobs.sum::<usize>()
    }

    /// A row that another transaction has locked is refused, and not waited for.
    fn may_wait(_: &ScheduleChange) -> bool {
        false
    }

    fn write<'a>(&'a self, changes: &'a [ScheduleChange]) -> Answer<'a, Vec<ScheduleApplied>> {
        self.0.change_schedules(changes)
    }

    fn repeated(change: &ScheduleChange, out: ScheduleApplied) -> ScheduleApplied {
        match &out {
            ScheduleApplied::Stale(row) if stands_in(change, row.as_deref()) => ScheduleApplied::Applied,
            // Perhaps by the transaction of the earlier try, which the server goes on with.
            ScheduleApplied::Refused(error) if error.is_locked() => {
                ScheduleApplied::Refused(perhaps_before(error.clone()))
            }
            _ => out,
        }
    }

    fn stands(out: &ScheduleApplied) -> bool {
        *out == ScheduleApplied::Applied
    }

    fn gather(change: &ScheduleChange, (): &(), told: &mut Told) {
        for job in &change.jobs {
            told.due(&job.body.queue, job.status.due);
        }
        let next = change.becomes.as_ref().and_then(|row| row.standing.next);
        next.into_iter().for_each(|next| told.look(next));
    }

    fn tell(&self, signals: &[Signal]) {
        self.0.signals().send(signals);
    }
}

/// Whether `row` is what `change` made of it, so that a change of which no answer came can be taken for done.
fn stands_in(change: &ScheduleChange, row: Option<&Schedule>) -> bool {
    change.becomes.as_ref() == row
}
