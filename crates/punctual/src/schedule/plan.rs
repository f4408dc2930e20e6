//! What a schedule's user wrote: when, what, and what to do when it does not go to plan.

use std::time::Duration;

use jiff::civil::Date;

use super::cron::{Cron, Decision, Fold, Gap, Nominal};
use super::{Calendars, Every, Exclusions, Zone};
use crate::error::Error;
use crate::job::NewJob;
use crate::limits::{EXCLUDED_DAYS_PASSED, MISFIRE_GRACE, MISFIRE_MAX};
use crate::time::Timestamp;

/// The half of a schedule that changes with its user's edits alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Which instants.
    pub spec: Spec,
    /// The zone of dates, for exclusions and for people; a cron pattern has its own.
    pub zone: Zone,
    /// Nothing is nominal before.
    pub start: Option<Timestamp>,
    /// Nothing is nominal from then on.
    pub end: Option<Timestamp>,
    /// After so many runs by plan it has ended.
    pub max_runs: Option<u64>,
    /// Days on which it rests.
    pub exclude: Exclusions,
    /// Its jobs are due later than their instants, by a part of this length that is always the same for this schedule, so
    /// that a thousand hourly ones do not all start at once.
    pub spread: Option<Duration>,
    /// What becomes of instants that nobody was there to fire.
    pub misfire: Misfire,
    /// What becomes of an instant while the last run is live.
    pub overlap: Overlap,
    /// What its jobs are like. It has no id, no start and no unique key.
    pub job: NewJob,
}

/// Which instants are nominal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spec {
    /// Local times of a zone.
    Cron(Cron),
    /// A distance from the epoch on.
    Every(Every),
    /// So long after the end of the last run; the first at once, or at the start.
    After(Duration),
    /// These, ascending; at most [`AT_INSTANTS`](crate::limits::AT_INSTANTS).
    At(Vec<Timestamp>),
}

/// What becomes of instants that nobody was there to fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misfire {
    /// Which of them are fired late.
    pub mode: MisfireMode,
    /// An instant that is fired no later than this is on time.
    pub grace: Duration,
    /// With [`MisfireMode::All`], so many of the newest; at most [`SCHEDULE_OWED`](crate::limits::SCHEDULE_OWED).
    pub max: u32,
}

/// [`MisfireMode::Latest`], with a grace of [`MISFIRE_GRACE`].
impl Default for Misfire {
    fn default() -> Misfire {
        Misfire {
            mode: MisfireMode::default(),
            grace: MISFIRE_GRACE,
            max: MISFIRE_MAX,
        }
    }
}

/// Which of the missed instants are fired late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum MisfireMode {
    /// None.
    Skip,
    /// The latest, in one job that knows for how many it stands.
    #[default]
    Latest,
    /// All of them, oldest first.
    All,
}

/// What becomes of an instant while the last run is live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Overlap {
    /// It is skipped.
    #[default]
    Skip,
    /// It is fired when the last run has ended; at most one waits so.
    BufferOne,
    /// The last run is cancelled, and this one fired when that has ended.
    CancelOther,
    /// It is fired beside the last run.
    Allow,
}

impl Spec {
    /// Local times of a zone, such as `30 2 * * *` in `Europe/Ljubljana`, with the defaults of [`Gap`](super::cron::Gap) and
    /// [`Fold`](super::cron::Fold) where its clocks change.
    ///
    /// # Errors
    ///
    /// `Invalid`: what is wrong with the pattern, and at which column, or with the zone's name.
    pub fn cron(pattern: &str, zone: &str) -> Result<Spec, Error> {
        Ok(Spec::Cron(Cron {
            pattern: pattern.parse()?,
            zone: zone.parse()?,
            gap: Gap::default(),
            fold: Fold::default(),
        }))
    }

    /// Every so often, counted from the epoch on.
    pub fn every(length: Duration) -> Spec {
        let phase = Duration::ZERO;
        Spec::Every(Every { length, phase })
    }

    /// So long after the end of the last run.
    pub fn after(delay: Duration) -> Spec {
        Spec::After(delay)
    }

    /// At these instants, in whatever order, each once.
    pub fn at(instants: impl IntoIterator<Item = Timestamp>) -> Spec {
        let mut instants: Vec<Timestamp> = instants.into_iter().collect();
        instants.sort_unstable();
        instants.dedup();
        Spec::At(instants)
    }
}

impl Plan {
    /// The plan with this spec and these jobs, and defaults for all else. What the jobs' results are read as is for whoever
    /// reads them.
    pub fn new<O>(spec: Spec, job: NewJob<O>) -> Plan {
        Plan {
            spec,
            zone: Zone::default(),
            start: None,
            end: None,
            max_runs: None,
            exclude: Exclusions::default(),
            spread: None,
            misfire: Misfire::default(),
            overlap: Overlap::default(),
            job: job.untyped(),
        }
    }

    /// The zone whose dates it means.
    pub fn zone(&self) -> &Zone {
        match &self.spec {
            Spec::Cron(cron) => &cron.zone,
            Spec::Every(_) | Spec::After(_) | Spec::At(_) => &self.zone,
        }
    }

    /// The first nominal instant later than `after`, or one that the clocks of its zone leave out. None once it has ended,
    /// and none for [`Spec::After`], whose instants depend on its runs.
    pub fn nominal_after(&self, after: Timestamp, calendars: &Calendars) -> Option<Nominal> {
        let mut after = match self.start {
            Some(start) => after.max(start - Duration::from_micros(1)),
            None => after,
        };
        for _ in 0..EXCLUDED_DAYS_PASSED {
            let nominal = self.spec_after(after)?;
            if self.end.is_some_and(|end| nominal.at >= end) {
                return None;
            }
            let date = nominal.local.date();
            if self.exclude.is_empty() || !self.exclude.has(date, calendars) {
                return Some(nominal);
            }
            after = nominal.at.max(self.before_next(date)?);
        }
        None
    }

    /// `at`, or the first instant of the first day after it on which the schedule does not rest.
    pub fn next_working(&self, at: Timestamp, calendars: &Calendars) -> Option<Timestamp> {
        let mut at = at;
        for _ in 0..EXCLUDED_DAYS_PASSED {
            let date = self.zone().rules().to_datetime(at.into()).date();
            if !self.exclude.has(date, calendars) {
                return Some(at);
            }
            at = self.before_next(date)? + Duration::from_micros(1);
        }
        None
    }

    fn spec_after(&self, after: Timestamp) -> Option<Nominal> {
        let at = match &self.spec {
            Spec::Cron(cron) => return cron.nominal_after(after),
            Spec::Every(every) => every.next_after(after)?,
            Spec::After(_) => return None,
            Spec::At(instants) => *instants.get(instants.partition_point(|at| *at <= after))?,
        };
        Some(self.plain(at))
    }

    /// This instant, as the clocks of its zone show it.
    pub(crate) fn plain(&self, at: Timestamp) -> Nominal {
        let offset = self.zone().rules().to_offset(at.into());
        Nominal {
            at,
            local: offset.to_datetime(at.into()),
            decision: Decision::Plain,
        }
    }

    /// The last microsecond of a local date.
    fn before_next(&self, date: Date) -> Option<Timestamp> {
        let midnight = date.tomorrow().ok()?.to_zoned(self.zone().rules().clone()).ok()?;
        Some(Timestamp::from(midnight.timestamp()) - Duration::from_micros(1))
    }
}
