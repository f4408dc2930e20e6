//! Calendars: dates with a name, on which schedules that name them rest.

use std::collections::BTreeSet;

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
    /// The calendars that these plans name. They are read anew each time: dates that were just set count from the next instant on.
    pub(super) async fn calendars_of(&self, plans: impl Iterator<Item = &Plan>) -> Result<Calendars, Error> {
        let names: BTreeSet<&String> = plans.flat_map(|plan| &plan.exclude.calendars).collect();
        let mut calendars = Calendars::new();
        for name in names {
            if let Some(record) = self.calendar_record(name).await? {
                let read = Calendar::from_json(&record.document).ok();
                calendars.insert(record.name, read.map(|calendar| calendar.dates));
            }
        }
        Ok(calendars)
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
        // There is none of a name that no calendar can have.
        if Calendar::check_name(name).is_err() {
            return Ok(None);
        }
        let after = just_before(name);
        let records = self.store.records(RecordKind::Calendar, Some(&after), 1).await?;
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

/// Whether all calendars that this plan names can be read, so that something can be decided about it.
///
/// # Errors
///
/// `Internal`, which says what to do.
pub(super) fn check_readable(plan: &Plan, calendars: &Calendars) -> Result<(), Error> {
    match plan.exclude.unreadable(calendars) {
        None => Ok(()),
        Some(name) => Err(Error::internal(format!(
            "calendar {name} cannot be read, so nobody knows on which days to rest; set it anew, or delete it"
        ))),
    }
}

/// A text behind which the calendar of this name comes first, if there is one: no character of a name comes after `~`.
fn just_before(name: &str) -> String {
    let mut before = name.to_owned();
    let last = before.pop().map_or(0, u32::from);
    before.extend(char::from_u32(last.saturating_sub(1)));
    before.push('~');
    before
}

fn unknown(name: &str) -> Error {
    Error::not_found(format!("there is no calendar {name:?}"))
}
