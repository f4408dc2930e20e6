//! Schedules and their ledgers.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use crate::change::{Forget, ScheduleApplied, ScheduleChange};
use crate::limits::LEDGER_FORGOTTEN;
use crate::schedule::{AT_ONCE, Occurrence, OccurrenceKey, Schedule, ScheduleId, ScheduleName};
use crate::store::{ScheduleRows, Schedules};
use crate::time::Timestamp;

use super::rows::Rows;

/// Every schedule by its id, and the orders in which schedules are looked for.
#[derive(Debug, Default)]
pub(super) struct Plans {
    schedules: BTreeMap<ScheduleId, Schedule>,
    names: BTreeMap<ScheduleName, ScheduleId>,
    /// Those that somebody has to look at, by when.
    looks: BTreeSet<(Timestamp, ScheduleId)>,
    ledgers: BTreeMap<ScheduleId, BTreeMap<OccurrenceKey, Occurrence>>,
}

impl Plans {
    pub(super) fn change(&mut self, change: &ScheduleChange, rows: &mut Rows) -> ScheduleApplied {
        let there = match change.expect {
            0 => self.names.get(&change.name).and_then(|id| self.schedules.get(id)),
            _ => self.schedules.get(&change.id),
        };
        if there.map_or(0, |row| row.rev) != change.expect {
            return ScheduleApplied::Stale(there.cloned().map(Box::new));
        }
        self.remove(change.id);
        let Some(row) = &change.becomes else {
            self.ledgers.remove(&change.id);
            return ScheduleApplied::Applied;
        };
        self.put(row.clone());
        for job in &change.jobs {
            rows.insert(job);
        }
        let ledger = self.ledgers.entry(change.id).or_default();
        for key in &change.drops {
            ledger.remove(key);
        }
        ledger.extend(change.ledger.iter().map(|entry| (entry.key(), entry.clone())));
        if let Some(forget) = change.forget {
            drop_old(ledger, forget);
        }
        ScheduleApplied::Applied
    }

    /// Has a schedule looked at now, if it is there.
    pub(super) fn poke(&mut self, id: ScheduleId) {
        if let Some(mut row) = self.remove(id) {
            row.rev += 1;
            row.standing.next = Some(AT_ONCE);
            self.put(row);
        }
    }

    pub(super) fn rows(&self, which: &Schedules) -> ScheduleRows {
        let items: Vec<&Schedule> = match which {
            Schedules::Named(names) => {
                let ids = names.iter().filter_map(|name| self.names.get(name));
                ids.filter_map(|id| self.schedules.get(id)).collect()
            }
            Schedules::All { after, limit } => {
                let from = after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
                let ids = self.names.range((from, Bound::Unbounded)).take(*limit);
                ids.filter_map(|(_, id)| self.schedules.get(id)).collect()
            }
            Schedules::Next { after, limit } => {
                let from = after.map_or(Bound::Unbounded, Bound::Excluded);
                let ids = self.looks.range((from, Bound::Unbounded)).take(*limit);
                ids.filter_map(|(_, id)| self.schedules.get(id)).collect()
            }
        };
        ScheduleRows {
            items: items.into_iter().cloned().collect(),
            unreadable: Vec::new(),
        }
    }

    pub(super) fn occurrences(
        &self,
        schedule: ScheduleId,
        before: Option<OccurrenceKey>,
        limit: usize,
    ) -> Vec<Occurrence> {
        let Some(ledger) = self.ledgers.get(&schedule) else {
            return Vec::new();
        };
        let end = before.map_or(Bound::Unbounded, Bound::Excluded);
        let latest_first = ledger.range((Bound::Unbounded, end)).rev();
        latest_first.map(|(_, entry)| entry.clone()).take(limit).collect()
    }

    fn put(&mut self, row: Schedule) {
        self.names.insert(row.name.clone(), row.id);
        self.looks.extend(row.standing.next.map(|next| (next, row.id)));
        self.schedules.insert(row.id, row);
    }

    fn remove(&mut self, id: ScheduleId) -> Option<Schedule> {
        let row = self.schedules.remove(&id)?;
        self.names.remove(&row.name);
        if let Some(next) = row.standing.next {
            self.looks.remove(&(next, id));
        }
        Some(row)
    }
}

fn drop_old(ledger: &mut BTreeMap<OccurrenceKey, Occurrence>, forget: Forget) {
    for _ in 0..LEDGER_FORGOTTEN {
        let too_many = ledger.len() > forget.keep;
        match ledger.first_entry() {
            Some(first) if too_many || first.get().until < forget.before => drop(first.remove()),
            _ => return,
        }
    }
}
