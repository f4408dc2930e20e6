//! Reading a schedule's ledger, a page at a time.

use std::time::Duration;

use crate::error::Error;
use crate::schedule::{Cause, Occurrence, OccurrenceKey, ScheduleName};
use crate::time::Timestamp;

use super::super::Core;
use super::{Ledger, LedgerPage};

impl Core {
    pub(super) async fn ledger(&self, name: &ScheduleName, page: LedgerPage) -> Result<Ledger, Error> {
        let schedule = self.schedule(name).await?.id;
        let before = [page.before, page.until.map(behind)].into_iter().flatten().min();
        let mut items = self.store.occurrences(schedule, before, page.limit).await?;
        let next = items.last().map(Occurrence::key);
        let mut next = next.filter(|_| items.len() == page.limit);
        if let Some(from) = page.from {
            // What stands before an entry of the plan ends before it.
            let ended = items
                .iter()
                .position(|entry| is_planned(entry) && entry.until < from);
            if let Some(ended) = ended {
                items.truncate(ended);
                next = None;
            }
            items.retain(|entry| entry.until >= from);
        }
        Ok(Ledger { items, next })
    }
}

fn is_planned(entry: &Occurrence) -> bool {
    entry.cause != Cause::Triggered
}

/// The place behind all entries of this instant.
fn behind(at: Timestamp) -> OccurrenceKey {
    OccurrenceKey {
        nominal_at: at + Duration::from_micros(1),
        triggered: false,
    }
}
