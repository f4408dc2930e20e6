//! Days on which a schedule rests.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use jiff::civil::{Date, Weekday};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::limits::CALENDAR_DATES;
use crate::queue::name_fault;

/// The dates of named calendars, as they stand when a rule decides; none, where a calendar is there and cannot be read.
pub type Calendars = BTreeMap<String, Option<BTreeSet<Date>>>;

/// Days on which nothing is nominal: neither fired nor skipped. They are local dates of the plan's zone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exclusions {
    /// Single dates, at most [`EXCLUDED_DATES`](crate::limits::EXCLUDED_DATES).
    pub dates: BTreeSet<Date>,
    /// Days of the week, but not all seven.
    pub weekdays: Vec<Weekday>,
    /// Names of calendars, at most [`EXCLUDED_CALENDARS`](crate::limits::EXCLUDED_CALENDARS). One that is not there excludes
    /// nothing.
    pub calendars: Vec<String>,
}

impl Exclusions {
    /// Whether the schedule rests on this date.
    pub fn has(&self, date: Date, calendars: &Calendars) -> bool {
        let mut known = self
            .calendars
            .iter()
            .filter_map(|name| calendars.get(name)?.as_ref());
        self.weekdays.contains(&date.weekday())
            || self.dates.contains(&date)
            || known.any(|dates| dates.contains(&date))
    }

    /// A calendar that is there and cannot be read: nobody knows on which days the schedule rests, so nothing of it can be
    /// decided.
    pub fn unreadable<'a>(&'a self, calendars: &Calendars) -> Option<&'a str> {
        let unreadable = |name: &&String| calendars.get(*name).is_some_and(Option::is_none);
        self.calendars.iter().find(unreadable).map(String::as_str)
    }

    /// Whether it never rests.
    pub fn is_empty(&self) -> bool {
        self.dates.is_empty() && self.weekdays.is_empty() && self.calendars.is_empty()
    }
}

/// Dates with a name, such as the holidays of a country: what a [record](crate::change::RecordKind::Calendar) holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calendar {
    /// At most [`CALENDAR_DATES`].
    pub dates: BTreeSet<Date>,
}

impl Calendar {
    /// Whether a calendar can have this name: it is of the same letters as that of a schedule.
    ///
    /// # Errors
    ///
    /// `Invalid`, which says what is accepted.
    pub fn check_name(name: &str) -> Result<(), Error> {
        match name_fault(name) {
            None => Ok(()),
            Some(fault) => Err(Error::invalid(format!(
                "the name of a calendar {fault}, and is {name:?}"
            ))),
        }
    }

    /// The calendar as JSON: `{"dates": ["2026-12-25"]}`.
    pub fn to_json(&self) -> Bytes {
        let document = Document {
            dates: self.dates.iter().map(Date::to_string).collect(),
        };
        let json = serde_json::to_vec(&document).expect("texts always have a JSON form");
        Bytes::from(json)
    }

    /// Reads what [`to_json`](Self::to_json) wrote. Fields that it does not know are passed over: a newer version may have
    /// written them.
    ///
    /// # Errors
    ///
    /// `Invalid` with a JSON pointer to what is no date, or with what JSON had to say; also for more than
    /// [`CALENDAR_DATES`] dates.
    pub fn from_json(json: &[u8]) -> Result<Calendar, Error> {
        let document: Document = serde_json::from_slice(json)
            .map_err(|error| Error::invalid(format!("this is no calendar: {error}")))?;
        let count = document.dates.len();
        if count > CALENDAR_DATES {
            let message = format!("must have at most {CALENDAR_DATES} dates, and has {count}");
            return Err(Error::invalid_field("/dates", message));
        }
        let dates = document.dates.iter().enumerate().map(|(index, text)| {
            let date = text.parse::<Date>();
            date.map_err(|_| {
                let accepted = format!("must be a date such as 2026-12-25, and is {text:?}");
                Error::invalid_field(format!("/dates/{index}"), accepted)
            })
        });
        Ok(Calendar {
            dates: dates.collect::<Result<_, _>>()?,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct Document {
    dates: Vec<String>,
}
