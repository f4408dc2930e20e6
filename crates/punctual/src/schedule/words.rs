//! What a plan means, in words.

use std::time::Duration;

use jiff::civil::Weekday;

use super::preview::clock;
use super::{Every, Exclusions, Plan, Spec, Zone};
use crate::time::{Timestamp, format_length};

/// The units in which a length is told, longest first, in seconds.
const UNITS: [(&str, u64); 4] = [("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)];

impl Plan {
    /// Which instants it means, in words: "every weekday at 09:00, Europe/Ljubljana".
    ///
    /// ```
    /// use punctual::NewJob;
    /// use punctual::schedule::cron::{Cron, Fold, Gap};
    /// use punctual::schedule::{Plan, Spec};
    ///
    /// let cron = Cron {
    ///     pattern: "30 2 * * *".parse()?,
    ///     zone: "Europe/Ljubljana".parse()?,
    ///     gap: Gap::Shift,
    ///     fold: Fold::First,
    /// };
    /// let plan = Plan::new(Spec::Cron(cron), NewJob::new("report", &())?);
    /// assert_eq!(plan.describe(), "every day at 02:30, Europe/Ljubljana");
    /// # Ok::<(), punctual::Error>(())
    /// ```
    pub fn describe(&self) -> String {
        let mut said = vec![self.describe_spec()];
        let is_local = matches!(self.spec, Spec::Cron(_) | Spec::At(_)) || !self.exclude.is_empty();
        if is_local || self.start.is_some() || self.end.is_some() {
            said.push(self.zone().to_string());
        }
        said.extend(rest(&self.exclude));
        let bound = |word: &str, at: Timestamp| format!("{word} {}", moment(at, self.zone()));
        said.extend(self.start.map(|at| bound("from", at)));
        said.extend(self.end.map(|at| bound("until", at)));
        said.extend(self.max_runs.map(|runs| match runs {
            1 => "at most one run".to_owned(),
            runs => format!("at most {runs} runs"),
        }));
        said.join(", ")
    }

    /// An instant as the clocks of its zone show it: "2026-06-01 14:01 CEST".
    pub(crate) fn show(&self, at: Timestamp) -> String {
        let offset = self.zone().rules().to_offset_info(at.into());
        format!("{} {}", moment(at, self.zone()), offset.abbreviation())
    }

    fn describe_spec(&self) -> String {
        match &self.spec {
            Spec::Cron(cron) => cron.pattern.describe(),
            Spec::Every(Every { length, phase }) if phase.is_zero() => format!("every {}", each(*length)),
            Spec::Every(Every { length, phase }) => {
                format!("every {}, shifted by {}", each(*length), counted(*phase))
            }
            Spec::After(delay) => format!("{} after the end of the last run", counted(*delay)),
            Spec::At(instants) => match instants.as_slice() {
                [] => "never".to_owned(),
                [only] => format!("at {}", moment(*only, &self.zone)),
                [first, .., last] => format!(
                    "at {} instants from {} to {}",
                    instants.len(),
                    moment(*first, &self.zone),
                    moment(*last, &self.zone)
                ),
            },
        }
    }
}

/// On which days nothing happens: "except Saturday, 2 dates and the days of holidays".
fn rest(exclude: &Exclusions) -> Option<String> {
    let mut said: Vec<String> = exclude.weekdays.iter().map(|day| name(*day).to_owned()).collect();
    match exclude.dates.len() {
        0 => {}
        1 => said.extend(exclude.dates.iter().map(ToString::to_string)),
        dates => said.push(format!("{dates} dates")),
    }
    said.extend(
        exclude
            .calendars
            .iter()
            .map(|calendar| format!("the days of {calendar}")),
    );
    let last = said.pop()?;
    Some(match said.is_empty() {
        true => format!("except {last}"),
        false => format!("except {} and {last}", said.join(", ")),
    })
}

/// "minute", "15 minutes", "1h30m".
fn each(length: Duration) -> String {
    match whole(length) {
        Some((1, unit)) => unit.to_owned(),
        _ => counted(length),
    }
}

/// "1 minute", "15 minutes", "1h30m".
fn counted(length: Duration) -> String {
    match whole(length) {
        Some((1, unit)) => format!("1 {unit}"),
        Some((count, unit)) => format!("{count} {unit}s"),
        None => format_length(length),
    }
}

/// The length as a number of one unit, if it is one.
fn whole(length: Duration) -> Option<(u64, &'static str)> {
    let seconds = length.as_secs();
    let fits = |(_, size): &&(&str, u64)| seconds >= *size && seconds.is_multiple_of(*size);
    let (unit, size) = UNITS.iter().find(fits).filter(|_| length.subsec_nanos() == 0)?;
    // What takes more than a few digits in a small unit is told in several.
    let count = seconds / size;
    (count < 100 || *unit == "day").then_some((count, *unit))
}

/// A date and a time as the clocks of the zone show them.
fn moment(at: Timestamp, zone: &Zone) -> String {
    let local = zone.rules().to_datetime(at.into());
    format!("{} {}", local.date(), clock(local.time()))
}

fn name(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    }
}
