//! Schedules on their way in, each with the lines of its ledger behind it.

use punctual::Error;
use punctual::engine::{Arrival, Imported};
use punctual::limits::LEDGER_PER_LOOK;
use punctual::schedule::{Occurrence, Schedule, ScheduleId};
use punctual_http::wire::{KeptOccurrence, KeptSchedule};

use super::Moving;
use crate::failure::Failure;

/// The schedule whose line came last.
pub(super) struct Current {
    /// Whose entries may follow; unset if its line could not be read.
    id: Option<ScheduleId>,
    /// Its import; unset if it is there already, or was refused.
    arrival: Option<Arrival>,
    /// Entries of its ledger that are read and not yet imported.
    entries: Vec<Occurrence>,
    line: u64,
    text: String,
}

impl Moving<'_> {
    pub(super) async fn take_schedule(
        &mut self,
        line: u64,
        text: String,
        schedule: KeptSchedule,
    ) -> Result<(), Failure> {
        // Its jobs have to be there before it is.
        self.flush().await?;
        self.finish_schedule().await?;
        self.found.schedules += 1;
        let read = schedule.read();
        let id = read.as_ref().ok().map(|schedule| schedule.id);
        let arrival = match self.begin_schedule(read).await {
            Ok(arrival) => arrival,
            Err(error) => {
                self.refuse_of(line, &text, "/schedule", error)?;
                None
            }
        };
        self.current = Some(Current {
            id,
            arrival,
            entries: Vec::new(),
            line,
            text,
        });
        Ok(())
    }

    async fn begin_schedule(&mut self, read: Result<Schedule, Error>) -> Result<Option<Arrival>, Error> {
        let arrival = self.engine.import_schedule(read?).await?;
        if arrival.is_none() {
            self.tally.count(Imported::There, |tally| &mut tally.schedules);
        }
        Ok(arrival)
    }

    pub(super) async fn take_occurrence(
        &mut self,
        line: u64,
        text: &str,
        entry: KeptOccurrence,
    ) -> Result<(), Failure> {
        self.found.occurrences += 1;
        let entry = match entry.read() {
            Ok(entry) => entry,
            Err(error) => {
                self.flush().await?;
                return self.refuse_of(line, text, "/occurrence", error);
            }
        };
        let current = self
            .current
            .as_mut()
            .filter(|current| current.id.is_none_or(|id| id == entry.schedule));
        let Some(current) = current else {
            self.flush().await?;
            let error = Error::invalid("it belongs to a schedule whose line does not stand before it");
            return self.refuse_of(line, text, "/occurrence", error);
        };
        if current.arrival.is_some() {
            current.entries.push(entry);
        }
        if current.entries.len() >= LEDGER_PER_LOOK {
            self.flush_ledger().await?;
        }
        Ok(())
    }

    /// Imports the entries that are read.
    pub(super) async fn flush_ledger(&mut self) -> Result<(), Failure> {
        let Some(current) = &mut self.current else {
            return Ok(());
        };
        let entries = std::mem::take(&mut current.entries);
        let Some(arrival) = &mut current.arrival else {
            return Ok(());
        };
        match arrival.add(&entries).await {
            Ok(()) => Ok(()),
            Err(error) => {
                current.arrival = None;
                let (line, text) = (current.line, current.text.clone());
                self.refuse_of(line, &text, "", error)
            }
        }
    }

    /// Lets the schedule whose ledger ends here begin.
    pub(super) async fn finish_schedule(&mut self) -> Result<(), Failure> {
        self.flush_ledger().await?;
        let Some(current) = self.current.take() else {
            return Ok(());
        };
        let Some(arrival) = current.arrival else {
            return Ok(());
        };
        match arrival.finish().await {
            Ok(()) => {
                self.tally.count(Imported::Added, |tally| &mut tally.schedules);
                Ok(())
            }
            Err(error) => self.refuse_of(current.line, &current.text, "", error),
        }
    }
}
