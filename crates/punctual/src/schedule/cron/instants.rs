//! When a pattern fires in a zone.
//!
//! The life of a zone is a row of stretches, in each of which its clocks are off from UTC by the same amount:
//!
//! ```text
//!   clock   01:00 ─────────── 02:00┐               ┌03:00 ─────────── 02:00 again ──▶
//!                                  └ the gap: 02:00 ┘                    the fold
//!   stretches   ── offset +1 h ─────┼──────── offset +2 h ────────────┼─── offset +1 h ──▶
//! ```
//!
//! Within a stretch, local times and instants are the same but for a number, so the next admitted local time is the next
//! instant. What is special happens at a stretch's ends alone: a gap before its first instant, and a fold, which is
//! told once, or twice, by leaving out its local times from the stretch before or the one after.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

use crate::limits::GAPS_PASSED;
use crate::schedule::Zone;
use crate::time::Timestamp;

use super::Pattern;

/// Stretches that are looked at for one instant. A look goes to the next day that the pattern admits, about which there are
/// at most a few; a day that a zone leaves out costs some more.
const STRETCHES_MAX: usize = 1_000;
/// Seconds in a day.
const DAY: i64 = 86_400;

/// A pattern in a zone, and what holds when the zone's clocks change.
///
/// ```
/// use punctual::Timestamp;
/// use punctual::schedule::cron::{Cron, Fold, Gap};
///
/// let nightly = Cron {
///     pattern: "30 2 * * *".parse()?,
///     zone: "Europe/Ljubljana".parse()?,
///     gap: Gap::Shift,
///     fold: Fold::First,
/// };
/// // On 28 March 2027 the clocks go from 02:00 to 03:00.
/// let before: Timestamp = "2027-03-27T12:00:00Z".parse()?;
/// let nominal = nightly.nominal_after(before).unwrap();
/// assert_eq!(nominal.at.to_string(), "2027-03-28T01:00:00.000000Z");
/// assert_eq!(nominal.local.to_string(), "2027-03-28T02:30:00");
/// # Ok::<(), punctual::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    /// Which local times.
    pub pattern: Pattern,
    /// Whose local times.
    pub zone: Zone,
    /// What becomes of a time of day that is left out.
    pub gap: Gap,
    /// What becomes of a time of day that comes twice.
    pub fold: Fold,
}

/// What becomes of a time of day that the clocks leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Gap {
    /// It fires at the first instant after the gap; several that meet there are one. A date that is left out whole is
    /// skipped.
    #[default]
    Shift,
    /// It is skipped.
    Skip,
}

/// What becomes of a time of day that the clocks show twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Fold {
    /// It fires the first time.
    #[default]
    First,
    /// It fires the second time.
    Second,
    /// It fires both times.
    Both,
}

/// An instant at which a pattern fires, or at which it would have, had the clocks not left out its local time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nominal {
    /// The instant; for a local time that is left out, the first one after the gap.
    pub at: Timestamp,
    /// The local time that the pattern admits.
    pub local: DateTime,
    /// Whether the clocks had a say in it.
    pub decision: Decision,
}

/// What a change of the clocks did to a local time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing: there is one such local time, and it fires then.
    Plain,
    /// There is none, and it fires after the gap.
    Shifted,
    /// There is none, and it does not fire.
    Skipped,
    /// There are two, and this is the first.
    First,
    /// There are two, and this is the second.
    Second,
}

/// A part of a zone's life with one offset. All in seconds.
struct Stretch {
    /// Its first instant, if it has one.
    from: Option<i64>,
    /// The first instant after it, if there is one.
    until: Option<i64>,
    /// The offsets of the stretch before, of itself, and of the one after.
    before: i64,
    offset: i64,
    after: i64,
}

impl Cron {
    /// The first instant later than `after` at which it fires; none if that is beyond the year 9999, or the clocks leave all of
    /// them out.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let mut after = after;
        for _ in 0..GAPS_PASSED {
            let nominal = self.nominal_after(after)?;
            if nominal.decision != Decision::Skipped {
                return Some(nominal.at);
            }
            after = nominal.at;
        }
        None
    }

    /// The first instant later than `after` at which it fires, or is skipped since the clocks leave its local time out.
    pub fn nominal_after(&self, after: Timestamp) -> Option<Nominal> {
        let mut at = after.as_micros().div_euclid(1_000_000) + 1;
        for _ in 0..STRETCHES_MAX {
            let stretch = Stretch::around(self.zone.rules(), at)?;
            let (candidate, nominal) = self.look(&stretch, at);
            if nominal.is_some() {
                return nominal;
            }
            // No two offsets of a zone are further apart than two days. So what clocks show sooner after a change may have been
            // shown before, and counts again; later, nothing is admitted until shortly before the candidate.
            let until = stretch.until?;
            at = match until < at + 2 * DAY {
                true => until,
                false => until.max(candidate? - 2 * DAY),
            };
        }
        None
    }

    /// The next local time that the pattern admits as far as this stretch can tell, and what fires within it.
    fn look(&self, stretch: &Stretch, at: i64) -> (Option<i64>, Option<Nominal>) {
        let elapsed = self.pattern.follows_elapsed_time();
        let mut local = at + stretch.offset;
        if self.fold == Fold::First && !elapsed {
            local = local.max(stretch.told_until().unwrap_or(i64::MIN));
        }
        let candidate = self.next_local(local);
        if stretch.from == Some(at)
            && !elapsed
            && candidate != Some(local)
            && let Some(missing) = self.missing(stretch, at)
        {
            return (candidate, Some(missing));
        }
        let Some(found) = candidate else {
            return (None, None);
        };
        let second = stretch.told_until().is_some_and(|until| found < until);
        let first = stretch.told_from().is_some_and(|from| found >= from);
        let instant = found - stretch.offset;
        let left = stretch.until.is_some_and(|until| instant >= until);
        if left || (first && self.fold == Fold::Second && !elapsed) {
            return (candidate, None);
        }
        let decision = match (first, second) {
            (true, _) => Decision::First,
            (_, true) => Decision::Second,
            _ => Decision::Plain,
        };
        (candidate, nominal(instant, found, decision))
    }

    /// What becomes of the local times that were left out before the stretch that begins at `at`.
    fn missing(&self, stretch: &Stretch, at: i64) -> Option<Nominal> {
        let (from, until) = (at + stretch.before, at + stretch.offset);
        let admitted = |from: i64, until: i64| self.next_local(from).filter(|local| *local < until);
        let first = admitted(from, until)?;
        // Between these two, all dates are left out whole.
        let (exists_until, exists_from) = (
            (from + DAY - 1).div_euclid(DAY) * DAY,
            until.div_euclid(DAY) * DAY,
        );
        let on_a_date = match exists_until < exists_from {
            true => admitted(from, exists_until).or_else(|| admitted(exists_from, until)),
            false => Some(first),
        };
        match on_a_date {
            Some(local) if self.gap == Gap::Shift => nominal(at, local, Decision::Shifted),
            _ => nominal(at, first, Decision::Skipped),
        }
    }

    /// [`Pattern::next_local`] in seconds of a clock that never changes.
    fn next_local(&self, from: i64) -> Option<i64> {
        let from = civil(from)?;
        let found = self.pattern.next_local(from)?;
        Some(Offset::UTC.to_timestamp(found).ok()?.as_second())
    }
}

impl Stretch {
    /// The one that `at` lies in.
    fn around(zone: &TimeZone, at: i64) -> Option<Stretch> {
        let offset = |second: i64| {
            let instant = jiff::Timestamp::from_second(second).ok()?;
            Some(i64::from(zone.to_offset(instant).seconds()))
        };
        let from = zone.preceding(jiff::Timestamp::from_second(at + 1).ok()?).next();
        let until = zone.following(jiff::Timestamp::from_second(at).ok()?).next();
        let here = offset(at)?;
        let from = from.map(|from| from.timestamp().as_second());
        let until = until.map(|until| (until.timestamp().as_second(), i64::from(until.offset().seconds())));
        Some(Stretch {
            before: from.and_then(|from| offset(from - 1)).unwrap_or(here),
            offset: here,
            after: until.map_or(here, |(_, offset)| offset),
            from,
            until: until.map(|(until, _)| until),
        })
    }

    /// After a fold: the local time until which the stretch before has told them all.
    fn told_until(&self) -> Option<i64> {
        self.from
            .filter(|_| self.before > self.offset)
            .map(|from| from + self.before)
    }

    /// Before a fold: the local time from which the stretch after will tell them again.
    fn told_from(&self) -> Option<i64> {
        self.until
            .filter(|_| self.after < self.offset)
            .map(|until| until + self.after)
    }
}

fn nominal(at: i64, local: i64, decision: Decision) -> Option<Nominal> {
    Some(Nominal {
        at: jiff::Timestamp::from_second(at).ok()?.into(),
        local: civil(local)?,
        decision,
    })
}

/// The date and time that so many seconds of a clock are which never changes.
fn civil(local: i64) -> Option<DateTime> {
    let instant = jiff::Timestamp::from_second(local).ok()?;
    Some(Offset::UTC.to_datetime(instant))
}
