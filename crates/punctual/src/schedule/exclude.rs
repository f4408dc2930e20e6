//! Days on which a schedule rests.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, Weekday};

/// The dates of named calendars, as they stand when a rule decides.
pub type Calendars = BTreeMap<String, BTreeSet<Date>>;

/// Days on which nothing is nominal: neither fired nor skipped. They are local dates of the plan's zone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exclusions {
    /// Single dates, at most [`EXCLUDED_DATES`](crate::limits::EXCLUDED_DATES).
    pub dates: BTreeSet<Date>,
    /// Days of the week, but not all seven.
    pub weekdays: Vec<Weekday>,
    /// Names of calendars. One that is not there excludes nothing.
    pub calendars: Vec<String>,
}

impl Exclusions {
    /// Whether the schedule rests on this date.
    pub fn has(&self, date: Date, calendars: &Calendars) -> bool {
        let known = self.calendars.iter().filter_map(|name| calendars.get(name));
        self.weekdays.contains(&date.weekday())
            || self.dates.contains(&date)
            || known.into_iter().any(|dates| dates.contains(&date))
    }

    /// Whether it never rests.
    pub fn is_empty(&self) -> bool {
        self.dates.is_empty() && self.weekdays.is_empty() && self.calendars.is_empty()
    }
}
