//! Days as texts.

use std::collections::BTreeSet;

use jiff::civil::{Date, Weekday};

use super::super::faults::Faults;

/// A date as it is written: `2026-12-25`.
const DATE_BYTES: usize = 10;

/// Days of the week, as they are written and as they are read, too.
const WEEKDAYS: [(Weekday, &str, &str); 7] = [
    (Weekday::Monday, "mon", "monday"),
    (Weekday::Tuesday, "tue", "tuesday"),
    (Weekday::Wednesday, "wed", "wednesday"),
    (Weekday::Thursday, "thu", "thursday"),
    (Weekday::Friday, "fri", "friday"),
    (Weekday::Saturday, "sat", "saturday"),
    (Weekday::Sunday, "sun", "sunday"),
];

/// The dates of a list that stands at `place`.
pub(in crate::wire) fn dates(place: &str, texts: Vec<String>, faults: &mut Faults) -> BTreeSet<Date> {
    let mut read = |(n, text): (usize, String)| {
        // A date may stand before a time, which would go unnoticed.
        let date = Some(&text).filter(|text| text.len() == DATE_BYTES);
        let date = date.and_then(|text| text.parse().ok());
        if date.is_none() {
            faults.add(
                &format!("{place}/{n}"),
                "it is not a date; write one such as 2026-12-25",
            );
        }
        date
    };
    texts.into_iter().enumerate().filter_map(&mut read).collect()
}

pub(super) fn weekdays(texts: Vec<String>, faults: &mut Faults) -> Vec<Weekday> {
    let mut read = |(n, text): (usize, String)| {
        let text = text.to_ascii_lowercase();
        let found = WEEKDAYS
            .iter()
            .find(|(_, short, long)| *short == text || *long == text);
        if found.is_none() {
            faults.add(
                &format!("/exclude/weekdays/{n}"),
                "it is not a day of the week; write mon, tue, wed, thu, fri, sat or sun",
            );
        }
        found.map(|(day, ..)| *day)
    };
    texts.into_iter().enumerate().filter_map(&mut read).collect()
}

/// The day as it is written.
pub(super) fn weekday(day: Weekday) -> String {
    let found = WEEKDAYS.iter().find(|(other, ..)| *other == day);
    found.map_or("", |(_, short, _)| short).to_owned()
}
