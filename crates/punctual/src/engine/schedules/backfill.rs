//! Backfill: jobs for instants that were skipped, or lie before their schedule was made.

use std::collections::BTreeMap;
use std::slice;
use std::time::Duration;

use crate::change::ScheduleApplied;
use crate::error::Error;
use crate::limits::{BACKFILL_JOBS, CONFLICT_ROUNDS, KEEP_LEDGER, LEDGER_ENTRIES, PAGE_ITEMS};
use crate::rules::fire;
use crate::schedule::{Cause, Occurrence, OccurrenceKey, Schedule, ScheduleName, Spec};
use crate::time::{Timestamp, format_length};

use super::super::Core;
use super::operate::{restless, unknown};

/// Which instants of a schedule to make up for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backfill {
    /// The first: no further back than [`KEEP_LEDGER`], since nobody knows what was fired earlier.
    pub from: Timestamp,
    /// The last.
    pub until: Timestamp,
    /// Only count them.
    pub dry_run: bool,
}

/// What a backfill came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backfilled {
    /// Jobs that were made.
    pub made: u64,
    /// Instants that stay as they are: the plan was changed since and does not tell them any more, or they are from before the
    /// schedule was made, and its ledger is too full to tell whether there were jobs for them.
    pub left: u64,
    /// The instant to go on with; unset, when it is through.
    pub next: Option<Timestamp>,
}

/// Entries by their first instants.
type Entries = BTreeMap<Timestamp, Occurrence>;

impl Core {
    pub(super) async fn backfill_schedule(
        &self,
        name: &ScheduleName,
        backfill: &Backfill,
    ) -> Result<Backfilled, Error> {
        self.check_open()?;
        let Backfill { from, until, dry_run } = *backfill;
        if from > until {
            return Err(Error::invalid_field("/until", "must not come before from"));
        }
        let mut there = self.schedule(name).await?;
        if from < self.clock.now() - KEEP_LEDGER {
            let message = format!(
                "must lie within the last {}: nobody knows any more for which instants before that there were jobs",
                format_length(KEEP_LEDGER)
            );
            return Err(Error::invalid_field("/from", message));
        }
        let mut conflicts = 0;
        let mut done = Backfilled {
            made: 0,
            left: 0,
            next: Some(from),
        };
        let mut entries = self.entries(&there, backfill).await?;
        while let Some(from) = done.next.filter(|_| done.made < BACKFILL_JOBS) {
            if matches!(there.plan.spec, Spec::After(_)) {
                return Err(Error::invalid(format!(
                    "schedule {name} counts from the end of its last run, so there is no instant to make up for"
                )));
            }
            let known = self.know(slice::from_ref(&there), None).await?;
            let facts = known.of(&there)?;
            let sight = known.sight(&there, &facts);
            let moment = self.moment_with(self.defaults.retention);
            let decided = fire::backfill(&sight, &entries, from..=until, &moment);
            if decided.made > 0 && !dry_run {
                let (after, ledger) = (decided.change.becomes.clone(), decided.change.ledger.clone());
                match self.write_fired(&there, decided.change).await? {
                    ScheduleApplied::Applied => there = after.unwrap_or(there),
                    ScheduleApplied::Stale(row) => {
                        there = *row.ok_or_else(|| unknown(name))?;
                        conflicts += 1;
                        if conflicts > CONFLICT_ROUNDS {
                            return Err(restless(name));
                        }
                        // Somebody else may have made up for some of them.
                        entries = self.entries(&there, backfill).await?;
                        continue;
                    }
                    ScheduleApplied::Refused(error) => return Err(error),
                }
                entries.extend(ledger.into_iter().map(|entry| (entry.nominal_at, entry)));
            }
            done.made += u64::try_from(decided.made).unwrap_or(u64::MAX);
            done.left += decided.left;
            done.next = decided.next;
            tokio::task::yield_now().await;
        }
        Ok(done)
    }

    /// The entries of a ledger that overlap what is asked for, but those of runs out of turn.
    async fn entries(&self, schedule: &Schedule, backfill: &Backfill) -> Result<Entries, Error> {
        let mut entries = Entries::new();
        let mut before = Some(OccurrenceKey {
            nominal_at: backfill.until + Duration::from_micros(1),
            triggered: false,
        });
        for _ in 0..=LEDGER_ENTRIES / PAGE_ITEMS {
            let page = self.store.occurrences(schedule.id, before, PAGE_ITEMS).await?;
            let is_last = page.len() < PAGE_ITEMS;
            before = page.last().map(Occurrence::key);
            for entry in page.into_iter().filter(|entry| entry.cause != Cause::Triggered) {
                if entry.until < backfill.from {
                    return Ok(entries);
                }
                entries.insert(entry.nominal_at, entry);
            }
            if is_last {
                break;
            }
        }
        Ok(entries)
    }
}
