//! What comes next of a schedule, as far as it can be known.

use std::time::Duration;

use super::cron::Decision;
use super::{Calendars, Plan, Schedule, Spec, Standing};
use crate::time::Timestamp;

impl Schedule {
    /// The next nominal instant at which it fires, unless a policy says otherwise then. None while it is paused, once it has
    /// ended, and while a run is live from whose end it counts.
    pub fn next_nominal(&self, calendars: &Calendars) -> Option<Timestamp> {
        let Schedule { plan, standing, .. } = self;
        if standing.paused.is_some() || plan.max_runs.is_some_and(|max| standing.fired >= max) {
            return None;
        }
        if let Spec::After(delay) = plan.spec {
            return plan.after_the_last(delay, standing, self.created_at, calendars);
        }
        let mut after = standing.settled_until;
        // Each turn is later than the one before it, and the years end.
        loop {
            let nominal = plan.nominal_after(after, calendars)?;
            if nominal.decision != Decision::Skipped {
                return Some(nominal.at);
            }
            after = nominal.at;
        }
    }
}

impl Plan {
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
