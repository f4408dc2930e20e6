//! Which instants have come since the last look, and which of them were missed.

use std::time::Duration;

use crate::limits::SETTLED_PER_LOOK;
use crate::schedule::cron::{Decision, Nominal};
use crate::schedule::{MisfireMode, Owed, Reason, Spec};
use crate::time::Timestamp;

use super::firing::Firing;

/// What lies between the last settled instant and the horizon, as far as one look goes.
#[derive(Clone, Copy, Default)]
struct Past {
    /// Instants that are later than the grace allows.
    missed: u64,
    /// There is one that is on time.
    on_time: bool,
    /// There are more than one look settles.
    goes_on: bool,
}

impl Firing<'_> {
    /// Gives every instant up to `horizon` its place, as far as one look can.
    pub(super) fn settle(&mut self, horizon: Timestamp) {
        if let Spec::After(delay) = self.plan.spec {
            return self.settle_after(delay);
        }
        let past = self.past(horizon);
        let mut let_go = self.let_go(past);
        // Which of them are the newest is seen by the look that comes to the end of them.
        let keeps_rest = past.goes_on && let_go > 0;
        for _ in 0..SETTLED_PER_LOOK {
            let Some(nominal) = self.nominal(self.standing.settled_until, horizon) else {
                self.standing.settled_until = self.standing.settled_until.max(horizon);
                return;
            };
            if self.is_full() || (keeps_rest && let_go == 0) || !self.place(nominal, &mut let_go) {
                break;
            }
            self.standing.settled_until = nominal.at;
            self.passed += 1;
        }
        self.more = true;
    }

    /// Gives one instant its place, unless there is no room for what has to be told before it. So many of the missed ones, from
    /// the oldest on, are still to be `let_go`.
    fn place(&mut self, nominal: Nominal, let_go: &mut u64) -> bool {
        let at = nominal.at;
        let is_missed = self.is_missed(at);
        if self.standing.paused.is_some() {
            self.skip(at, Reason::Paused);
        } else if nominal.decision == Decision::Skipped {
            self.skip(at, Reason::DstGap);
        } else if is_missed && *let_go > 0 {
            *let_go -= 1;
            self.skip(at, Reason::Misfire);
        } else if is_missed && self.plan.misfire.mode == MisfireMode::All {
            self.arrive_late(at);
        } else {
            return self.arrive(at);
        }
        true
    }

    /// How many of the missed instants, from the oldest on, the policy lets go, if these are all.
    fn let_go(&self, past: Past) -> u64 {
        let fired = match self.plan.misfire.mode {
            MisfireMode::Skip => 0,
            // The latest stands for all before it, whether it was missed or is on time.
            MisfireMode::Latest => u64::from(!past.on_time),
            MisfireMode::All => u64::from(self.plan.misfire.max),
        };
        past.missed.saturating_sub(fired)
    }

    fn past(&self, horizon: Timestamp) -> Past {
        let mut past = Past::default();
        let mut after = self.standing.settled_until;
        for _ in 0..SETTLED_PER_LOOK {
            let Some(nominal) = self.nominal(after, horizon) else {
                return past;
            };
            after = nominal.at;
            // What the clocks leave out is neither missed nor stands for anything.
            if nominal.decision == Decision::Skipped {
                continue;
            }
            past.on_time = !self.is_missed(after);
            if past.on_time {
                return past;
            }
            past.missed += 1;
        }
        past.goes_on = self.nominal(after, horizon).is_some();
        past
    }

    fn nominal(&self, after: Timestamp, horizon: Timestamp) -> Option<Nominal> {
        let next = self.plan.nominal_after(after, self.sight.calendars);
        next.filter(|nominal| nominal.at <= horizon)
    }

    fn is_missed(&self, at: Timestamp) -> bool {
        at + self.spread() + self.plan.misfire.grace < self.moment.now
    }

    /// A schedule that counts from its last run misses nothing: its instant comes when it comes.
    fn settle_after(&mut self, delay: Duration) {
        let due = |at: &Timestamp| *at <= self.horizon();
        let Some(at) = self.after_the_last(delay).filter(due) else {
            return;
        };
        if self.standing.paused.is_none() && !self.has_made_all() {
            self.fire(Owed {
                nominal_at: at,
                missed: 0,
            });
            self.standing.settled_until = self.standing.settled_until.max(at);
        }
    }

    /// The instant that comes next after so long a delay, if no run is live.
    pub(super) fn after_the_last(&self, delay: Duration) -> Option<Timestamp> {
        let created_at = self.sight.schedule.created_at;
        self.plan
            .after_the_last(delay, &self.standing, created_at, self.sight.calendars)
    }
}
