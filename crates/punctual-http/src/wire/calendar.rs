//! Calendars: dates with a name, on which schedules that name them rest.

use punctual::limits::CALENDAR_DATES;
use punctual::{Error, schedule};
use serde::{Deserialize, Serialize};

use super::faults::Faults;
use super::schedule::dates;

/// A calendar in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalendarHead {
    /// What schedules call it.
    pub name: String,
    /// The version of its dates.
    pub rev: u64,
}

/// A calendar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calendar {
    /// What a list shows of it.
    #[serde(flatten)]
    pub head: CalendarHead,
    /// Its dates, ascending: local ones of the zone of each schedule.
    pub dates: Vec<String>,
}

/// The body of `PUT /v1/calendars/{name}`: all its dates from now on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NewCalendar {
    /// Dates such as `2026-12-25`; must be given, if only as an empty list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dates: Option<Vec<String>>,
}

impl Calendar {
    /// The calendar in the wire's words.
    pub fn of(name: &str, rev: u64, calendar: &schedule::Calendar) -> Calendar {
        Calendar {
            head: CalendarHead {
                name: name.to_owned(),
                rev,
            },
            dates: calendar.dates.iter().map(ToString::to_string).collect(),
        }
    }
}

impl NewCalendar {
    /// The calendar in the library's words.
    ///
    /// # Errors
    ///
    /// `Invalid`, with a JSON pointer to each text that is no date, or to too many of them.
    pub fn read(self) -> Result<schedule::Calendar, Error> {
        let mut faults = Faults::default();
        let texts = faults.required("/dates", self.dates).unwrap_or_default();
        let dates = dates("/dates", texts, &mut faults);
        if dates.len() > CALENDAR_DATES {
            let many = dates.len();
            faults.add(
                "/dates",
                format!("it has at most {CALENDAR_DATES} dates, and {many} are given"),
            );
        }
        faults.or(schedule::Calendar { dates })
    }
}
