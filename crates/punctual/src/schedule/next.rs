//! What comes next of a schedule, as far as it can be known.

use std::time::Duration;

use xxhash_rust::xxh3::xxh3_64;

use super::cron::Decision;
use super::{Calendars, Plan, Schedule, ScheduleId, Spec, Standing};
use crate::limits::GAPS_PASSED;
use crate::time::{Timestamp, micros};

impl Schedule {
    /// The next nominal instant at which it fires, unless a policy says otherwise then. None while it is paused, once it has
    /// ended, while a run is live from whose end it counts, and while a calendar that it names cannot be read.
    pub fn next_nominal(&self, calendars: &Calendars) -> Option<Timestamp> {
        let Schedule { plan, standing, .. } = self;
        if standing.paused.is_some() || plan.max_runs.is_some_and(|max| standing.fired >= max) {
            return None;
        }
        if plan.exclude.unreadable(calendars).is_some() {
            return None;
        }
        if let Spec::After(delay) = plan.spec {
            return plan.after_the_last(delay, standing, self.created_at, calendars);
        }
        plan.fired_after(standing.settled_until, calendars)
    }
}

impl Plan {
    /// The first nominal instant later than `after` that the clocks of its zone do not leave out.
    pub(crate) fn fired_after(&self, after: Timestamp, calendars: &Calendars) -> Option<Timestamp> {
        let mut after = after;
        for _ in 0..GAPS_PASSED {
            let nominal = self.nominal_after(after, calendars)?;
            if nominal.decision != Decision::Skipped {
                return Some(nominal.at);
            }
            after = nominal.at;
        }
        None
    }

    /// How much later than their instants the jobs of this schedule are due: always the same, and spread evenly over all
    /// schedules. In whole seconds, where that leaves a choice.
    pub(crate) fn spread_of(&self, schedule: ScheduleId) -> Duration {
        const SECOND: u64 = 1_000_000;
        let window = self.spread.map_or(0, micros);
        let window = u64::try_from(window).unwrap_or(0);
        let unit = if window >= 10 * SECOND { SECOND } else { 1 };
        let place = xxh3_64(schedule.0.as_bytes()).checked_rem(window / unit);
        Duration::from_micros(place.unwrap_or(0) * unit)
    }

    /// The instant that comes next after so long a delay, if no run is live.
    pub(crate) fn after_the_last(
        &self,
        delay: Duration,
        standing: &Standing,
        created_at: Timestamp,
        calendars: &Calendars,
    ) -> Option<Timestamp> {
        if !standing.live.is_empty() {
            return None;
        }
        let begins = self.start.unwrap_or(created_at);
        let at = match (standing.last_ended, standing.last_fired) {
            (Some(ended_at), _) => ended_at + delay,
            // A plan that did not count from there never saw its end.
            (None, Some(last)) => last + delay,
            (None, None) => created_at,
        };
        let at = self.next_working(at.max(begins), calendars)?;
        self.end.is_none_or(|end| at < end).then_some(at)
    }
}
