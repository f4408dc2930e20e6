//! Instants and lengths as people write and read them: local times, with their zone.

use std::str::FromStr;
use std::time::Duration;

use jiff::civil;
use jiff::fmt::temporal::Pieces;
use jiff::tz::TimeZone;
use punctual::Timestamp;
use punctual::clock::{Clock, SystemClock};
use punctual::time::{format_length, parse_length};

use crate::print;

/// What is said of a text that is no instant at all.
const FORM: &str = "write a date and a time, such as 2026-12-01T09:00 or 2026-12-01T09:00:00Z";

/// An instant that somebody wrote.
#[derive(Clone, Copy, Debug)]
pub(crate) struct When {
    /// The instant.
    pub(crate) at: Timestamp,
    /// Whether it had no zone and was read as local.
    pub(crate) assumed_local: bool,
}

/// Reads RFC 3339, or a date and a time without a zone, which is local then. A local time that does not exist, or exists
/// twice, is refused.
impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<When, String> {
        let refused = match text.parse::<Timestamp>() {
            Ok(at) => {
                return Ok(When {
                    at,
                    assumed_local: false,
                });
            }
            Err(error) => error.to_string(),
        };
        let civil: civil::DateTime = text.parse().map_err(|_| match has_offset(text) {
            true => refused,
            false => FORM.to_owned(),
        })?;
        let local = TimeZone::system().to_ambiguous_zoned(civil);
        if local.is_ambiguous() {
            return Err(
                "clocks change then, and this local time does not exist or exists twice; write it with its offset, \
                 such as 2026-12-01T09:00:00+01:00"
                    .to_owned(),
            );
        }
        let zoned = local
            .unambiguous()
            .map_err(|_| format!("{text} is beyond the latest instant, {}", Timestamp::MAX))?;
        Ok(When {
            at: zoned.timestamp().into(),
            assumed_local: true,
        })
    }
}

/// Whether the text names an instant, if only one that is out of range, rather than a local time.
fn has_offset(text: &str) -> bool {
    Pieces::parse(text).is_ok_and(|pieces| pieces.offset().is_some())
}

/// Reads a length of time, for `clap`.
pub(crate) fn length(text: &str) -> Result<Duration, String> {
    parse_length(text).map_err(|error| error.to_string())
}

/// Reads an instant, or a length of time from now.
pub(crate) fn deadline(text: &str) -> Result<When, String> {
    beside_now(text, |now, length| now + length)
}

/// Reads an instant, or a length of time before now.
pub(crate) fn ago(text: &str) -> Result<When, String> {
    beside_now(text, |now, length| now - length)
}

fn beside_now(text: &str, at: impl FnOnce(Timestamp, Duration) -> Timestamp) -> Result<When, String> {
    match parse_length(text) {
        Ok(length) => Ok(When {
            at: at(now(), length),
            assumed_local: false,
        }),
        Err(_) => text.parse().map_err(|why: String| match why == FORM {
            true => format!("{FORM}; or a length of time, such as 2h"),
            false => why,
        }),
    }
}

/// Tells whoever wrote instants without a zone how they were read, each behind its flag.
pub(crate) fn tell_what_was_assumed(instants: &[(&str, Option<When>)]) {
    for (flag, when) in instants {
        if let Some(when) = when.filter(|when| when.assumed_local) {
            print::note(&format!(
                "{flag} has no zone and is read as local time: {}",
                local(when.at)
            ));
        }
    }
}

/// Now, by this machine's clock.
pub(crate) fn now() -> Timestamp {
    SystemClock::new().now()
}

/// The instant as a local time with its zone, to the second: `2026-12-01 09:00:00 CET`.
pub(crate) fn local(at: Timestamp) -> String {
    let zoned = jiff::Timestamp::from(at).to_zoned(TimeZone::system());
    zoned.strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

/// The instant as the clocks of this zone show it, with their offset: `2026-12-01 09:00:00 +01:00`. Of no zone, or of one that
/// is not known here, those of this machine.
pub(crate) fn in_zone(at: Timestamp, zone: Option<&str>) -> String {
    let zone = zone.and_then(|name| TimeZone::get(name).ok());
    let zoned = jiff::Timestamp::from(at).to_zoned(zone.unwrap_or_else(TimeZone::system));
    zoned.strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
}

/// The instant as a local time, and how far it is: `2026-12-01 09:00:00 CET (in 5m)`.
pub(crate) fn local_and_distance(at: Timestamp) -> String {
    format!("{} ({})", local(at), distance_from_now(at))
}

/// How far the instant is: `in 5m`, `3s ago`.
pub(crate) fn distance_from_now(at: Timestamp) -> String {
    distance(at, now())
}

fn distance(at: Timestamp, now: Timestamp) -> String {
    match at > now {
        true => format!("in {}", coarse(at.since(now))),
        false => format!("{} ago", coarse(now.since(at))),
    }
}

/// A day, in seconds.
const DAY: u64 = 24 * 60 * 60;
/// A mean year of the calendar, in seconds: beyond it, nobody counts in days.
const YEAR: u64 = 31_556_952;

/// A length as people say it: its two largest units, rounded, or milliseconds below a second.
pub(crate) fn coarse(length: Duration) -> String {
    if length < Duration::from_secs(1) {
        return format!("{}ms", length.as_millis());
    }
    let seconds = length.saturating_add(Duration::from_millis(500)).as_secs();
    if seconds >= YEAR {
        let days = format_length(Duration::from_secs(seconds % YEAR / DAY * DAY));
        return format!("{}y{}", seconds / YEAR, days.trim_start_matches('0'));
    }
    let unit = match seconds {
        0..3_600 => 1,
        3_600..86_400 => 60,
        _ => 3_600,
    };
    format_length(Duration::from_secs(seconds / unit * unit))
}

#[cfg(test)]
mod tests {
    use punctual::{days, hours, milliseconds, minutes, seconds};

    use super::*;

    #[test]
    fn distances_are_told_in_two_units_at_most() {
        let now = Timestamp::EPOCH + days(10);
        assert_eq!(distance(now + minutes(5), now), "in 5m");
        assert_eq!(distance(now - milliseconds(20), now), "20ms ago");
        assert_eq!(distance(now + hours(25) + minutes(3), now), "in 1d1h");
        assert_eq!(distance(now - hours(1) - seconds(59), now), "1h ago");
        assert_eq!(distance(now + days(26_672) + hours(15), now), "in 73y9d");
        assert_eq!(distance(now + days(365) + hours(6), now), "in 1y");
    }

    #[test]
    fn an_instant_without_a_zone_is_local() {
        let zoned: When = "2026-12-01T09:00:00Z".parse().expect("RFC 3339");
        assert!(!zoned.assumed_local);
        for text in ["2026-12-01T09:00", "2026-12-01 09:00:30", "2026-12-01"] {
            assert!(text.parse::<When>().expect(text).assumed_local);
        }
        assert!("tomorrow".parse::<When>().is_err());
        for beyond in ["9999-12-31T00:00:00Z", "9999-12-31T23:00"] {
            let told = beyond.parse::<When>().expect_err(beyond);
            assert!(told.contains("9999-12-30T22:00:00"), "{told}");
        }
    }
}
