//! What a pattern means, in words.

use super::Pattern;
use super::days::{Dates, Days, Weekdays, bits};

const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// Bits 1, Monday, to 5.
const WORKING_DAYS: u8 = 0b0011_1110;
/// Times of day that are told one by one; more are told as minutes of hours.
const TIMES: u32 = 6;

/// "every weekday at 09:00", "every 15 minutes on the 1st of every month".
pub(super) fn describe(pattern: &Pattern) -> String {
    let days = days(&pattern.days);
    match times(pattern) {
        Times::Of(times) => format!("{} at {times}", days.unwrap_or_else(|| "every day".to_owned())),
        Times::Every(every) => match days {
            Some(days) => format!("{every}, {days}"),
            None => every,
        },
    }
}

enum Times {
    /// Times of day: "09:00 and 17:00".
    Of(String),
    /// What goes on all day: "every 15 minutes".
    Every(String),
}

fn times(pattern: &Pattern) -> Times {
    let (seconds, minutes, hours) = (pattern.seconds, pattern.minutes, u64::from(pattern.hours));
    let told = seconds.count_ones() * minutes.count_ones() * hours.count_ones();
    if told <= TIMES {
        let times = set(hours).flat_map(|hour| set(minutes).map(move |minute| (hour, minute)));
        let times =
            times.flat_map(|(hour, minute)| set(seconds).map(move |second| clock(hour, minute, second)));
        return Times::Of(list(&times.collect::<Vec<_>>()));
    }
    let minutes_told = units(minutes, 60, "minute");
    let within = match (seconds, minutes) {
        (1, _) => minutes_told,
        (_, minutes) if minutes.count_ones() == 60 => units(seconds, 60, "second"),
        _ => format!("{} of {minutes_told}", units(seconds, 60, "second")),
    };
    Times::Every(match pattern.follows_elapsed_time() {
        true if (seconds, minutes) == (1, 1) => "every hour".to_owned(),
        true if seconds == 1 && minutes.count_ones() == 1 => format!("every hour at {within}"),
        true => within,
        false => format!("{within} of {}", units(hours, 24, "hour")),
    })
}

/// "every minute", "every 15 minutes", "minutes 0, 7 and 30".
fn units(values: u64, all: u32, unit: &str) -> String {
    let count = values.count_ones();
    let step = all / count;
    let even = all.is_multiple_of(count) && set(values).zip(0..).all(|(value, nth)| value == nth * step);
    match count {
        _ if count == all => format!("every {unit}"),
        1 => format!("{unit} {}", values.trailing_zeros()),
        _ if even => format!("every {step} {unit}s"),
        _ => format!("{unit}s {}", runs(values, |value| value.to_string())),
    }
}

/// Nothing if every day is admitted.
fn days(days: &Days) -> Option<String> {
    if days.is_every_day() {
        return None;
    }
    let said = match (dates(&days.dates), weekdays(&days.weekdays)) {
        (Some(dates), Some(weekdays)) => {
            let both = days.dates.starred || days.weekdays.starred;
            let joint = if both { "if it is" } else { "and" };
            format!("{dates} {joint} {weekdays}")
        }
        (Some(dates), None) => dates,
        (None, Some(weekdays)) => weekdays,
        (None, None) => "every day".to_owned(),
    };
    Some(match days.every_month() {
        true => said,
        false => format!("{said} in {}", runs(u64::from(days.months), month)),
    })
}

/// "on the 1st and the last day of the month"; nothing if all are admitted.
fn dates(dates: &Dates) -> Option<String> {
    if dates.plain == u32::MAX - 1 {
        return None;
    }
    let mut said = Vec::new();
    if dates.plain != 0 {
        said.push(format!("the {}", runs(u64::from(dates.plain), ordinal)));
    }
    said.extend(bits(dates.nearest).map(|day| format!("the working day nearest to the {}", ordinal(day))));
    said.extend(bits(dates.from_last).map(|back| match back {
        0 => "the last day".to_owned(),
        1 => "the last day but one".to_owned(),
        back => format!("the day {back} days before the last"),
    }));
    if dates.last_working_day {
        said.push("the last working day".to_owned());
    }
    Some(format!("on {} of the month", list(&said)))
}

/// "every Monday and Friday"; nothing if all are admitted.
fn weekdays(weekdays: &Weekdays) -> Option<String> {
    if weekdays.plain.count_ones() == 7 {
        return None;
    }
    let mut said = Vec::new();
    match weekdays.plain {
        0 => {}
        WORKING_DAYS => said.push("every weekday".to_owned()),
        plain => {
            // From Monday on, as people tell them.
            let from_monday = u64::from(plain) | (u64::from(plain & 1) << 7);
            said.push(format!("every {}", runs(from_monday & !1, weekday)));
        }
    }
    for (days, nth) in weekdays.nth.iter().zip(1..) {
        said.extend(bits(u32::from(*days)).map(|day| format!("on the {} {}", ordinal(nth), weekday(day))));
    }
    said.extend(bits(u32::from(weekdays.last)).map(|day| format!("on the last {}", weekday(day))));
    Some(list(&said))
}

fn weekday(day: u32) -> String {
    WEEKDAYS[day as usize % 7].to_owned()
}

fn month(month: u32) -> String {
    MONTHS[month as usize - 1].to_owned()
}

fn clock(hour: u32, minute: u32, second: u32) -> String {
    match second {
        0 => format!("{hour:02}:{minute:02}"),
        second => format!("{hour:02}:{minute:02}:{second:02}"),
    }
}

fn ordinal(number: u32) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

/// Three and more values in a row are told as a range: "1, 5 to 9 and 12".
fn runs(values: u64, name: impl Fn(u32) -> String) -> String {
    let mut said: Vec<(u32, u32)> = Vec::new();
    for value in set(values) {
        match said.last_mut() {
            Some((_, last)) if *last + 1 == value => *last = value,
            _ => said.push((value, value)),
        }
    }
    let said = said.into_iter().flat_map(|(first, last)| match last - first {
        0 => vec![name(first)],
        1 => vec![name(first), name(last)],
        _ => vec![format!("{} to {}", name(first), name(last))],
    });
    list(&said.collect::<Vec<_>>())
}

/// "a, b and c".
fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// The numbers of the bits that are set.
fn set(values: u64) -> impl Iterator<Item = u32> + Clone {
    (0..u64::BITS).filter(move |bit| values & (1 << bit) != 0)
}
