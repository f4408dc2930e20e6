//! Calendars: dates with a name, on which schedules that name them rest.

use tracing::Instrument;

use crate::change::{Record, RecordApplied, RecordChange, RecordKind};
use crate::error::Error;
use crate::limits::{CONFLICT_ROUNDS, PAGE_ITEMS, SETTINGS_PAGES};
use crate::schedule::{Calendar, Calendars, Plan};

use super::{Core, Engine};

impl Engine {
    /// The calendar of this name, and its version.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is none; `Internal` if it cannot be read; `Unavailable` if the store cannot.
    pub async fn calendar(&self, name: &str) -> Result<(Calendar, u64), Error> {
        let span = tracing::debug_span!("calendar", name);
        self.core.calendar(name).instrument(span).await
    }

    /// The names of all calendars, in their order, with their versions.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the store cannot be read.
    pub async fn calendars(&self) -> Result<Vec<(String, u64)>, Error> {
        let span = tracing::debug_span!("calendars");
        let records = self.core.calendar_records().instrument(span).await?;
        Ok(records
            .into_iter()
            .map(|record| (record.name, record.rev))
            .collect())
    }

    /// Sets a calendar, if it has the version `expect`, where that is set; 0: if there is none. Answers its new version. When this
    /// returns, all schedules that name it go by its new dates.
    ///
    /// # Errors
    ///
    /// `Conflict` if it has another version; `Invalid` for a name or dates that cannot be. `Unavailable`: it may be set, and
    /// some schedules go by the old dates until their next instant; set it again.
    pub async fn set_calendar(
        &self,
        name: &str,
        calendar: &Calendar,
        expect: Option<u64>,
    ) -> Result<u64, Error> {
        let span = tracing::debug_span!("set_calendar", name);
        self.core
            .change_calendar(name, Some(calendar), expect)
            .instrument(span)
            .await
    }

    /// Deletes a calendar, if it has the version `expect`, where that is set. A schedule that names it rests on none of its dates
    /// any more.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is none; else those of [`set_calendar`](Self::set_calendar).
    pub async fn delete_calendar(&self, name: &str, expect: Option<u64>) -> Result<(), Error> {
        let span = tracing::debug_span!("delete_calendar", name);
        let deleted = self.core.change_calendar(name, None, expect);
        deleted.instrument(span).await.map(drop)
    }
}

impl Core {
    /// The dates of all calendars. One that cannot be read excludes nothing, as one that is not there.
    async fn read_calendars(&self) -> Result<Calendars, Error> {
        let records = self.calendar_records().await?;
        let read = |record: Record| match Calendar::from_json(&record.document) {
            Ok(calendar) => Some((record.name, calendar.dates)),
            Err(error) => {
                tracing::error!(name = record.name, %error, "a calendar cannot be read; nobody rests on its dates");
                None
            }
        };
        Ok(records.into_iter().filter_map(read).collect())
    }

    /// The dates of all calendars, or none where none of these plans names one. They are read anew each time: dates that were just
    /// set count from the next instant on.
    pub(super) async fn calendars_of(&self, plans: impl Iterator<Item = &Plan>) -> Result<Calendars, Error> {
        let mut plans = plans;
        match plans.any(|plan| !plan.exclude.calendars.is_empty()) {
            true => self.read_calendars().await,
            false => Ok(Calendars::new()),
        }
    }

    async fn calendar(&self, name: &str) -> Result<(Calendar, u64), Error> {
        let record = self.calendar_record(name).await?;
        let record = record.ok_or_else(|| unknown(name))?;
        let calendar = Calendar::from_json(&record.document).map_err(|error| {
            Error::internal(format!("calendar {name} cannot be read: {error}")).caused_by(error)
        })?;
        Ok((calendar, record.rev))
    }

    async fn change_calendar(
        &self,
        name: &str,
        becomes: Option<&Calendar>,
        expect: Option<u64>,
    ) -> Result<u64, Error> {
        self.check_open()?;
        Calendar::check_name(name)?;
        for _ in 0..CONFLICT_ROUNDS {
            let rev = self.calendar_record(name).await?.map_or(0, |record| record.rev);
            if rev == 0 && becomes.is_none() {
                return Err(unknown(name));
            }
            if let Some(expect) = expect.filter(|expect| *expect != rev) {
                let message = format!("calendar {name} is at version {rev}, not {expect}; look at it again");
                return Err(Error::moved_on(message, rev));
            }
            let change = RecordChange {
                kind: RecordKind::Calendar,
                name: name.to_owned(),
                expect: rev,
                becomes: becomes.map(Calendar::to_json),
            };
            let applied = self.store.change_records(&[change]).await?;
            if applied == [RecordApplied::Applied] {
                self.look_again(|plan| plan.exclude.calendars.iter().any(|named| named == name))
                    .await?;
                return Ok(rev + 1);
            }
        }
        Err(Error::conflict(format!(
            "calendar {name} changed {CONFLICT_ROUNDS} times meanwhile; try again"
        )))
    }

    async fn calendar_record(&self, name: &str) -> Result<Option<Record>, Error> {
        let records = self.calendar_records().await?;
        Ok(records.into_iter().find(|record| record.name == name))
    }

    async fn calendar_records(&self) -> Result<Vec<Record>, Error> {
        let mut records: Vec<Record> = Vec::new();
        for _ in 0..SETTINGS_PAGES {
            let after = records.last().map(|record| record.name.clone());
            let page = self
                .store
                .records(RecordKind::Calendar, after.as_deref(), PAGE_ITEMS)
                .await?;
            let ended = page.len() < PAGE_ITEMS;
            records.extend(page);
            if ended {
                break;
            }
        }
        Ok(records)
    }
}

fn unknown(name: &str) -> Error {
    Error::not_found(format!("there is no calendar {name:?}"))
}
