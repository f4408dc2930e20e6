//! Instants and lengths of time.
//!
//! Punctual counts instants in whole microseconds since the Unix epoch, in UTC, because that is the finest
//! unit that PostgreSQL, SQLite and Redis all keep without loss. Civil time (zones, calendars) is `jiff`'s
//! business; both convert into each other.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use jiff::fmt::temporal::Pieces;

use crate::error::Error;
use crate::limits::LENGTH_MAX;

/// What holds for an instant that somebody names: the range of [`Timestamp`], but not before the epoch.
pub(crate) const INSTANTS: &str = "must lie between 1970-01-01T00:00:00Z and 9999-12-30T22:00:00Z";

/// An instant: microseconds since 1970-01-01T00:00:00Z, between the years -9999 and 9999.
///
/// Arithmetic saturates at both ends, so that no input can make it overflow.
///
/// ```
/// use punctual::time::{Timestamp, minutes};
///
/// let noon: Timestamp = "2026-12-01T12:00:00Z".parse()?;
/// assert_eq!((noon + minutes(5)).to_string(), "2026-12-01T12:05:00.000000Z");
/// # Ok::<(), punctual::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Timestamp = Timestamp(0);
    /// The earliest instant, the same as `jiff`'s.
    pub const MIN: Timestamp = Timestamp(-377_705_023_201_000_000);
    /// The latest instant, the same as `jiff`'s, cut to a whole microsecond: some hours before the year 9999 ends, so that it
    /// has a local time in every zone.
    pub const MAX: Timestamp = Timestamp(253_402_207_200_999_999);

    /// The instant `micros` microseconds after the epoch; beyond the range, the nearer end of it.
    pub const fn from_micros(micros: i64) -> Timestamp {
        if micros < Self::MIN.0 {
            Self::MIN
        } else if micros > Self::MAX.0 {
            Self::MAX
        } else {
            Timestamp(micros)
        }
    }

    /// Microseconds since the epoch, negative before it.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The time from `earlier` until this instant; zero if `earlier` is in fact later.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_micros(u64::try_from(self.0 - earlier.0).unwrap_or(0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Timestamp;

    fn add(self, length: Duration) -> Timestamp {
        Timestamp::from_micros(self.0.saturating_add(micros(length)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Timestamp;

    fn sub(self, length: Duration) -> Timestamp {
        Timestamp::from_micros(self.0.saturating_sub(micros(length)))
    }
}

impl From<jiff::Timestamp> for Timestamp {
    fn from(instant: jiff::Timestamp) -> Timestamp {
        Timestamp::from_micros(instant.as_microsecond())
    }
}

impl From<Timestamp> for jiff::Timestamp {
    fn from(instant: Timestamp) -> jiff::Timestamp {
        // Not `from_microsecond`, which refuses the fractions of jiff's own last second.
        let (second, micros) = (instant.0.div_euclid(1_000_000), instant.0.rem_euclid(1_000_000));
        let nanos = i32::try_from(micros * 1_000).expect("it is less than a second");
        jiff::Timestamp::new(second, nanos).expect("a Timestamp never leaves jiff's range")
    }
}

impl From<SystemTime> for Timestamp {
    fn from(instant: SystemTime) -> Timestamp {
        match instant.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => Timestamp::EPOCH + after,
            Err(before) => Timestamp::EPOCH - before.duration(),
        }
    }
}

/// RFC 3339 in UTC with six decimals: `2026-12-01T09:00:00.000000Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6}", jiff::Timestamp::from(*self))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Reads RFC 3339: a date, a time and an offset; digits below a microsecond are cut off.
impl FromStr for Timestamp {
    type Err = Error;

    fn from_str(text: &str) -> Result<Timestamp, Error> {
        text.parse::<jiff::Timestamp>().map(Timestamp::from).map_err(|_| {
            Error::invalid(match names_an_instant(text) {
                true => format!("{:?} is out of range: it {INSTANTS}", clip(text)),
                false => format!(
                    "{:?} is not an instant; write RFC 3339 with an offset, such as 2026-12-01T09:00:00Z",
                    clip(text)
                ),
            })
        })
    }
}

/// Whether the text has the form of an instant, also of one that lies beyond the range.
fn names_an_instant(text: &str) -> bool {
    Pieces::parse(text).is_ok_and(|pieces| pieces.time().is_some() && pieces.offset().is_some())
}

/// `count` milliseconds.
pub const fn milliseconds(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// `count` seconds.
pub const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// `count` minutes of 60 seconds.
pub const fn minutes(count: u64) -> Duration {
    Duration::from_secs(count.saturating_mul(60))
}

/// `count` hours of 60 minutes.
pub const fn hours(count: u64) -> Duration {
    Duration::from_secs(count.saturating_mul(3_600))
}

/// `count` days of 24 hours, whatever a calendar says.
pub const fn days(count: u64) -> Duration {
    Duration::from_secs(count.saturating_mul(86_400))
}

/// Microseconds of a length, for stores and arithmetic; lengths beyond 292,000 years saturate.
pub fn micros(length: Duration) -> i64 {
    i64::try_from(length.as_micros()).unwrap_or(i64::MAX)
}

/// The units a length is written in, longest first: their text and their microseconds.
const UNITS: [(&str, u64); 7] = [
    ("w", 604_800_000_000),
    ("d", 86_400_000_000),
    ("h", 3_600_000_000),
    ("m", 60_000_000),
    ("s", 1_000_000),
    ("ms", 1_000),
    ("us", 1),
];

/// Reads a length of time: whole numbers with units `w d h m s ms us`, longest unit first, such as `1h30m`,
/// `500ms` or `0`. A day is 24 hours and a week seven of them. At most [`LENGTH_MAX`].
///
/// ```
/// use punctual::time::{minutes, parse_length};
///
/// assert_eq!(parse_length("1h30m")?, minutes(90));
/// assert!(parse_length("soon").is_err());
/// # Ok::<(), punctual::Error>(())
/// ```
pub fn parse_length(text: &str) -> Result<Duration, Error> {
    let refuse = |why: &str| {
        Error::invalid(format!(
            "{:?} is not a length of time: {why}; write whole numbers with units, such as 1h30m, 45s or 500ms",
            clip(text)
        ))
    };
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut total: u64 = 0;
    let mut rest = text;
    let mut units = UNITS.iter();
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: u64 = rest[..digits]
            .parse()
            .map_err(|_| refuse("a number is missing or too large"))?;
        rest = &rest[digits..];
        let letters = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        let unit = &rest[..letters];
        rest = &rest[letters..];
        let (_, size) = units.find(|(name, _)| *name == unit).ok_or_else(|| {
            refuse("each number needs one of the units w, d, h, m, s, ms, us, longest first")
        })?;
        total = number
            .checked_mul(*size)
            .and_then(|part| total.checked_add(part))
            .ok_or_else(|| refuse("it is too long"))?;
    }
    match Duration::from_micros(total) {
        _ if text.is_empty() => Err(refuse("it is empty")),
        length if length > LENGTH_MAX => Err(refuse("the longest is ten years, 3650d")),
        length => Ok(length),
    }
}

/// Writes a length of time so that [`parse_length`] reads it back: `1h30m`. What is below a microsecond is cut off.
pub fn format_length(length: Duration) -> String {
    let mut rest = u64::try_from(length.as_micros()).unwrap_or(u64::MAX);
    let mut text = String::new();
    // Weeks are read but never written: 8d says more to a reader than 1w1d.
    for (unit, size) in UNITS.iter().skip(1) {
        if rest >= *size {
            text.push_str(&format!("{}{unit}", rest / size));
            rest %= size;
        }
    }
    if text.is_empty() { "0".to_owned() } else { text }
}

/// At most the first 40 characters of a text that goes into a message.
fn clip(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_the_range_are_those_of_jiff() {
        assert_eq!(Timestamp::MIN.0, jiff::Timestamp::MIN.as_microsecond());
        assert_eq!(Timestamp::MAX.0, jiff::Timestamp::MAX.as_microsecond());
    }

    #[test]
    fn the_ends_of_the_range_are_written_and_read() {
        for end in [Timestamp::MIN, Timestamp::MAX, Timestamp::from_micros(-1)] {
            assert_eq!(end.to_string().parse(), Ok(end));
        }
    }

    #[test]
    fn an_instant_beyond_the_range_is_told_where_the_range_ends() {
        let latest: Timestamp = "9999-12-30T22:00:00Z".parse().expect("the range says so");
        assert!(INSTANTS.ends_with("9999-12-30T22:00:00Z") && latest <= Timestamp::MAX);
        for beyond in ["9999-12-30T22:00:01Z", "9999-12-31T23:59:59+01:00"] {
            let told = beyond.parse::<Timestamp>().expect_err(beyond).to_string();
            assert!(told.contains(INSTANTS), "{told}");
        }
        for none in [
            "99999-01-01T00:00:00Z",
            "2026-02-30T09:00:00Z",
            "2026-12-01T09:00:00",
        ] {
            let told = none.parse::<Timestamp>().expect_err(none).to_string();
            assert!(told.contains("is not an instant"), "{told}");
        }
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Timestamp::MAX + Duration::MAX, Timestamp::MAX);
        assert_eq!(Timestamp::MIN - Duration::MAX, Timestamp::MIN);
        assert_eq!(Timestamp::EPOCH.since(Timestamp::MAX), Duration::ZERO);
    }

    #[test]
    fn lengths_survive_being_written_and_read() {
        for text in ["1h30m", "500ms", "45s", "8d", "1d2h3m4s5ms6us", "0"] {
            assert_eq!(format_length(parse_length(text).expect(text)), text);
        }
        assert_eq!(parse_length("1w"), Ok(days(7)));
    }

    #[test]
    fn bad_lengths_are_refused() {
        for text in [
            "",
            "5",
            "m",
            "5 m",
            "-5m",
            "5m1h",
            "5m5m",
            "1.5h",
            "5µs",
            "99999999999999999999h",
            "4000d",
        ] {
            assert!(parse_length(text).is_err(), "{text:?} was accepted");
        }
    }
}
