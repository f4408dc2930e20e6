//! Schedules, whose ledgers come after them. Until its ledger is there a schedule is parked: it is paused, under a reason of its
//! own, and nobody looks at it. Its standing is written last, so that it fires from where it stood, and not before it is whole.

use std::sync::Arc;

use tracing::Instrument;

use crate::change::{ScheduleApplied, ScheduleChange};
use crate::error::Error;
use crate::job::Job;
use crate::limits::{CONFLICT_ROUNDS, LEDGER_PER_LOOK, PAGE_ITEMS};
use crate::rules::whole;
use crate::schedule::{AT_ONCE, Occurrence, OccurrenceKey, Pause, Schedule, ScheduleId, Standing};
use crate::time::Timestamp;

use super::super::lane::is_of_an_item;
use super::super::{Core, Engine};
use super::HOLDER;

/// A schedule that is being imported: it does nothing until its import is [finished](Arrival::finish). One whose import was broken
/// off is imported again, and goes on.
#[derive(Debug)]
pub struct Arrival {
    engine: Engine,
    /// What it becomes.
    whole: Schedule,
    /// What it is as yet.
    row: Schedule,
}

impl Engine {
    /// Entries of a schedule's ledger, latest first, those before `before`. The last page is empty.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the store cannot be read.
    pub async fn export_ledger(
        &self,
        schedule: ScheduleId,
        before: Option<OccurrenceKey>,
    ) -> Result<Vec<Occurrence>, Error> {
        let span = tracing::debug_span!("export_ledger", %schedule);
        let entries = self.core.store.occurrences(schedule, before, PAGE_ITEMS);
        entries.instrument(span).await
    }

    /// Begins to import a schedule as it stands, under its id, after its jobs. Its version begins anew. Answers nothing for one
    /// that is there already, which is left as it is there.
    ///
    /// # Errors
    ///
    /// `Invalid` with every field that no rule can have made; `Conflict` if another schedule has its name, or it has another plan
    /// here, or one that cannot be read; `Unavailable`.
    pub async fn import_schedule(&self, schedule: Schedule) -> Result<Option<Arrival>, Error> {
        let span = tracing::debug_span!("import_schedule", schedule = %schedule.name);
        self.begin(schedule).instrument(span).await
    }

    async fn begin(&self, whole: Schedule) -> Result<Option<Arrival>, Error> {
        let core = &self.core;
        core.check_open()?;
        whole::check_schedule(&whole, core.clock.now())?;
        let nothing = Schedule {
            rev: 0,
            ..whole.clone()
        };
        let mut change = ScheduleChange::to(&nothing, parked(&whole));
        change.replans = true;
        let begun = change.becomes.clone();
        let there = match core.write_schedule(change).await? {
            ScheduleApplied::Applied => begun,
            ScheduleApplied::Stale(there) => there.map(|there| *there),
            ScheduleApplied::Refused(error) if is_of_an_item(&error) => {
                let message = format!("the schedule {} cannot be read here, and stays", whole.name);
                return Err(Error::conflict(message).caused_by(error));
            }
            ScheduleApplied::Refused(error) => return Err(error),
        };
        let name = &whole.name;
        match there {
            Some(there) if there.id != whole.id => Err(Error::conflict(format!(
                "another schedule has the name {name} here, and stays"
            ))),
            Some(there) if is_parked(&there) => Ok(Some(Arrival {
                engine: self.clone(),
                whole,
                row: there,
            })),
            Some(there) if there.plan == whole.plan => Ok(None),
            Some(_) => Err(Error::conflict(format!(
                "the schedule {name} has another plan here, which stays"
            ))),
            None => Err(Error::conflict(format!(
                "the schedule {name} has gone from here in this moment, or its id is another's here; try again"
            ))),
        }
    }
}

impl Arrival {
    /// Adds entries to its ledger. Those that are there already are written again.
    ///
    /// # Errors
    ///
    /// `Invalid` for entries of another schedule; `Conflict` if somebody has changed the schedule meanwhile; `Unavailable`.
    pub async fn add(&mut self, entries: &[Occurrence]) -> Result<(), Error> {
        for entries in entries.chunks(LEDGER_PER_LOOK) {
            let change = |row: &Schedule| ScheduleChange {
                ledger: entries.to_vec(),
                ..ScheduleChange::to(row, row.standing.clone())
            };
            let mut rounds = 0..CONFLICT_ROUNDS;
            while !self.write(change(&self.row)).await? {
                rounds.next().ok_or_else(|| self.restless())?;
            }
        }
        Ok(())
    }

    /// Lets it begin where it stood.
    ///
    /// # Errors
    ///
    /// `Conflict` if somebody has changed the schedule meanwhile; `Unavailable`.
    pub async fn finish(mut self) -> Result<(), Error> {
        for _ in 0..CONFLICT_ROUNDS {
            let mut standing = self.whole.standing.clone();
            // A job that ends from now on raises the version of the row, so that this write is not made.
            if self.engine.core.has_missed_an_end(&standing).await? {
                standing.next = Some(AT_ONCE);
            }
            let mut change = ScheduleChange::to(&self.row, standing);
            if let Some(becomes) = &mut change.becomes {
                becomes.plan = Arc::clone(&self.whole.plan);
            }
            change.replans = true;
            if self.write(change).await? {
                return Ok(());
            }
        }
        Err(self.restless())
    }

    /// Whether the row was as it was known. If not, it is known now.
    async fn write(&mut self, change: ScheduleChange) -> Result<bool, Error> {
        let becomes = change.becomes.clone();
        match self.engine.core.write_schedule(change).await? {
            ScheduleApplied::Applied => {
                self.row = becomes.unwrap_or_else(|| self.row.clone());
                Ok(true)
            }
            ScheduleApplied::Stale(Some(there)) if is_parked(&there) => {
                self.row = *there;
                Ok(false)
            }
            ScheduleApplied::Stale(_) => Err(self.restless()),
            ScheduleApplied::Refused(error) => Err(error),
        }
    }

    fn restless(&self) -> Error {
        Error::conflict(format!(
            "schedule {} was changed while it was imported",
            self.whole.name
        ))
    }
}

impl Core {
    /// Whether a job for whose end the schedule waits ended before the schedule was there to be woken.
    async fn has_missed_an_end(&self, standing: &Standing) -> Result<bool, Error> {
        for row in self.fetch_each(&standing.live).await? {
            let pokes = |job: &Job| job.body.origin.as_ref().is_some_and(|origin| origin.pokes);
            if row?.is_some_and(|job| job.status.state.is_ended() && pokes(&job)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// What a schedule is like until its ledger is there.
fn parked(whole: &Schedule) -> Standing {
    Standing {
        paused: Some(Pause {
            reason: HOLDER.to_owned(),
            since: Timestamp::EPOCH,
        }),
        ..Standing::new(whole.standing.settled_until)
    }
}

fn is_parked(row: &Schedule) -> bool {
    let paused = row.standing.paused.as_ref();
    paused.is_some_and(|pause| pause.reason == HOLDER && pause.since == Timestamp::EPOCH)
}
