//! Which days a pattern admits.
//!
//! A month is described by two numbers, its length and the weekday of its first, so that there are no more than 28 kinds
//! of them; the days that a pattern admits in one are a set of bits, found without asking a calendar day by day.

use jiff::civil::Date;

/// Months in which each date has met each weekday, since the Gregorian calendar repeats itself after 400 years.
const MONTHS_OF_A_CYCLE: usize = 400 * 12;

/// Bits 1 to 31.
const ALL_DATES: u32 = u32::MAX - 1;
/// Bits 0, Sunday, to 6.
pub(super) const ALL_WEEKDAYS: u8 = 0b0111_1111;

/// The last three fields of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Days {
    /// Bits 1 to 12.
    pub(super) months: u16,
    pub(super) dates: Dates,
    pub(super) weekdays: Weekdays,
}

/// Days of the month.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Dates {
    /// The field begins with `*` or is `?`, and so is not set.
    pub(super) starred: bool,
    /// Bits 1 to 31.
    pub(super) plain: u32,
    /// `L` is bit 0, `L-3` bit 3.
    pub(super) from_last: u32,
    /// `15W` is bit 15.
    pub(super) nearest: u32,
    /// `LW`.
    pub(super) last_working_day: bool,
}

/// Days of the week.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Weekdays {
    /// The field begins with `*` or is `?`, and so is not set.
    pub(super) starred: bool,
    /// Bits 0, Sunday, to 6.
    pub(super) plain: u8,
    /// `5#2` is bit 5 of the second, at index 1.
    pub(super) nth: [u8; 5],
    /// `5L` is bit 5.
    pub(super) last: u8,
}

/// A kind of month.
#[derive(Clone, Copy)]
struct Month {
    length: u32,
    /// The weekday of its first, from 0, Sunday, to 6.
    first: u32,
}

impl Days {
    /// The first day it admits, `from` or later; none before the year 9999 ends.
    pub(super) fn next(&self, from: Date) -> Option<Date> {
        let (mut year, mut month) = (from.year(), from.month());
        let mut left = u32::MAX << from.day();
        // One more than a cycle, since the first month may have passed its day.
        for _ in 0..=MONTHS_OF_A_CYCLE {
            if self.months & (1 << month) != 0 {
                let days = self.of(Month::new(year, month)?) & left;
                if days != 0 {
                    return Date::new(year, month, i8::try_from(days.trailing_zeros()).ok()?).ok();
                }
            }
            left = u32::MAX;
            (year, month) = if month == 12 {
                (year + 1, 1)
            } else {
                (year, month + 1)
            };
        }
        None
    }

    /// Whether there is any day it admits.
    pub(super) fn is_possible(&self) -> bool {
        const LENGTHS: [&[u32]; 12] = [
            &[31],
            &[28, 29],
            &[31],
            &[30],
            &[31],
            &[30],
            &[31],
            &[31],
            &[30],
            &[31],
            &[30],
            &[31],
        ];
        // Each month of each length begins on each weekday in some year.
        let admitted = LENGTHS
            .iter()
            .zip(1..)
            .filter(|(_, month)| self.months & (1 << month) != 0);
        admitted
            .flat_map(|(lengths, _)| lengths.iter())
            .flat_map(|&length| (0..7).map(move |first| Month { length, first }))
            .any(|month| self.of(month) != 0)
    }

    /// Whether it admits all days.
    pub(super) fn is_every_day(&self) -> bool {
        self.every_month() && (0..7).all(|first| self.of(Month { length: 31, first }) == ALL_DATES)
    }

    pub(super) fn every_month(&self) -> bool {
        self.months == 0b1_1111_1111_1110
    }

    /// The days of a month that it admits: bits 1 to 31. If both fields are set, either may admit a day; else both have to.
    fn of(&self, month: Month) -> u32 {
        let (dates, weekdays) = (self.dates.of(month), self.weekdays.of(month));
        let either = !self.dates.starred && !self.weekdays.starred;
        let days = if either {
            dates | weekdays
        } else {
            dates & weekdays
        };
        days & month.all()
    }
}

impl Dates {
    fn of(&self, month: Month) -> u32 {
        let mut days = self.plain;
        for back in bits(self.from_last) {
            days |= month.length.checked_sub(back).map_or(0, |day| 1 << day);
        }
        for day in bits(self.nearest).filter(|&day| day <= month.length) {
            days |= 1 << month.nearest_working_day(day);
        }
        if self.last_working_day {
            days |= 1 << month.nearest_working_day(month.length);
        }
        // `L-30` of a month of 30 days is day 0, which is none.
        days & ALL_DATES
    }
}

impl Weekdays {
    fn of(&self, month: Month) -> u32 {
        let week = |days: u8, from: u32| -> u32 {
            let within = (from..from + 7).filter(|&day| day <= month.length);
            within
                .filter(|&day| days & (1 << month.weekday(day)) != 0)
                .map(|day| 1 << day)
                .sum()
        };
        let plain = |days: u8| (1..=29).step_by(7).map(|from| week(days, from)).sum::<u32>();
        let nth = self
            .nth
            .iter()
            .zip((1..).step_by(7))
            .map(|(&days, from)| week(days, from));
        plain(self.plain) | nth.fold(0, |all, days| all | days) | week(self.last, month.length - 6)
    }
}

impl Month {
    fn new(year: i16, month: i8) -> Option<Month> {
        let first = Date::new(year, month, 1).ok()?;
        Some(Month {
            length: u32::from(first.days_in_month().unsigned_abs()),
            first: u32::from(first.weekday().to_sunday_zero_offset().unsigned_abs()),
        })
    }

    fn all(self) -> u32 {
        ALL_DATES & (u32::MAX >> (31 - self.length))
    }

    fn weekday(self, day: u32) -> u32 {
        (self.first + day - 1) % 7
    }

    /// The day from Monday to Friday that is nearest, within the month.
    fn nearest_working_day(self, day: u32) -> u32 {
        match self.weekday(day) {
            6 if day == 1 => 3,
            6 => day - 1,
            0 if day == self.length => day - 2,
            0 => day + 1,
            _ => day,
        }
    }
}

/// The numbers of the bits that are set.
pub(super) fn bits(set: u32) -> impl Iterator<Item = u32> {
    (0..u32::BITS).filter(move |bit| set & (1 << bit) != 0)
}
