//! Cron patterns, and the instants at which they fire in a time zone.
//!
//! A pattern says which local times it admits; a zone says when, and whether, its clocks show them. Twice a year they
//! disagree: a local time is left out, or comes twice. What happens then depends on what the pattern is for:
//!
//! * One that names **times of day** (`30 2 * * *`) means a date and a time on it. A time in a [`Gap`] is moved to the first
//!   instant after it or skipped, a time that comes twice fires as [`Fold`] says. So a daily job runs once on each date.
//! * One whose hour field admits every hour (`*/20 * * * *`) means that so much time passes, and fires whenever the clock
//!   shows what it admits: twice in an hour that comes twice, and never in one that is left out.

mod days;
mod instants;
mod parse;
mod words;

use std::fmt;
use std::str::FromStr;

use jiff::civil::{DateTime, Time};

use crate::error::Error;

use self::days::Days;

pub use self::instants::{Cron, Decision, Fold, Gap, Nominal};

/// A cron pattern: which local times it admits.
///
/// ```
/// use punctual::schedule::cron::Pattern;
///
/// let pattern: Pattern = "0 9 * * MON-FRI".parse()?;
/// assert_eq!(pattern.describe(), "every weekday at 09:00");
///
/// let error = "0 25 * * *".parse::<Pattern>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     r#""25" is not understood at column 3 of the cron pattern: an hour is 0 to 23"#
/// );
/// # Ok::<(), punctual::Error>(())
/// ```
///
/// # Syntax
///
/// Five fields, or six with the second before them: minute, hour, day of the month, month, day of the week, as in
/// [crontab(5)](https://man7.org/linux/man-pages/man5/crontab.5.html). A field is a list of values (`1,15`), ranges
/// (`MON-FRI`), steps (`*/15`, `8-18/2`, and `5/15`, which goes on to the end of the field), or `*`. Days of the
/// month also understand `L`, `L-3`, `LW` and `15W`, days of the week `FRI#2` and `FRIL`; `?` is `*` in both.
/// If both are set, a day that either admits will do; one that begins with `*` or is `?` is not set. `@yearly`,
/// `@annually`, `@monthly`, `@weekly`, `@daily`, `@midnight` and `@hourly` stand for whole patterns.
///
/// What can never fire is refused.
#[derive(Clone, PartialEq, Eq)]
pub struct Pattern {
    text: Box<str>,
    /// Bits 0 to 59.
    seconds: u64,
    /// Bits 0 to 59.
    minutes: u64,
    /// Bits 0 to 23.
    hours: u32,
    days: Days,
}

impl Pattern {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What it means, in words: "every weekday at 09:00".
    pub fn describe(&self) -> String {
        words::describe(self)
    }

    /// Whether it means that time passes, and no times of day: its hour field admits every hour.
    pub fn follows_elapsed_time(&self) -> bool {
        self.hours == (1 << 24) - 1
    }

    /// The first local time it admits, `from` or later; none before the year 9999 ends. `from` is a whole second.
    fn next_local(&self, from: DateTime) -> Option<DateTime> {
        let mut date = self.days.next(from.date())?;
        if date == from.date() {
            if let Some(time) = self.next_time(from.time()) {
                return Some(date.to_datetime(time));
            }
            date = self.days.next(date.tomorrow().ok()?)?;
        }
        Some(date.to_datetime(self.next_time(Time::midnight())?))
    }

    /// The first time of day it admits, `from` or later.
    fn next_time(&self, from: Time) -> Option<Time> {
        let (hour, minute, second) = (from.hour(), from.minute(), from.second());
        let hours = u64::from(self.hours);
        if hours & (1 << hour) != 0 {
            if self.minutes & (1 << minute) != 0
                && let Some(second) = first(self.seconds, second)
            {
                return Time::new(hour, minute, second, 0).ok();
            }
            if let Some(minute) = first(self.minutes, minute + 1) {
                return Time::new(hour, minute, first(self.seconds, 0)?, 0).ok();
            }
        }
        let hour = first(hours, hour + 1)?;
        Time::new(hour, first(self.minutes, 0)?, first(self.seconds, 0)?, 0).ok()
    }
}

/// The first of the set that is `from` or more. No set has more than 60 bits.
fn first(set: u64, from: i8) -> Option<i8> {
    let left = set & (u64::MAX << from);
    (left != 0).then(|| i8::try_from(left.trailing_zeros()).expect("there are 64 bits"))
}

/// # Errors
///
/// `Invalid`: what was wrong, at which column, and what is accepted there.
impl FromStr for Pattern {
    type Err = Error;

    fn from_str(text: &str) -> Result<Pattern, Error> {
        parse::pattern(text)
    }
}

/// As it was written.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}
