//! Leaps of time: forward steps of the store's clock, and suspends of the machine.
//!
//! A lease ends at an instant of the store's clock, and after a leap that instant comes too early: its worker has counted
//! less time than the clock has. Which lease is meant needs no telling, neither its length nor who gave it: what was set
//! before the leap is over later by as much as the leap was long. A lease was set when its run began, or when its worker
//! beat last; a worker that has beaten since the leap has set its leases anew, and they are as good as any.
//!
//! ```text
//!             beat        leap              alarm             alarm + leap
//!  ────────────┴───────────╫─────────────────┴─────────────────┴────────────▶ the store's clock
//!                          ╫    a lease that was set before is not over here ┤
//! ```
//!
//! Whoever a run was deferred to prolongs it without a worker's beat. So the ends of all leases are noted as a leap is
//! noticed: one that has changed since was set since.
//!
//! Where it is not known that a lease was set since (its worker beats so seldom that it is [forgotten](WORKER_FORGOTTEN), or more
//! runs were going on than are noted), its run is taken back late, by as much as the leap was long, and never early. A
//! process that begins after a leap does not know of it.
//!
//! [WORKER_FORGOTTEN]: crate::limits::WORKER_FORGOTTEN

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::job::{Job, State};
use crate::limits::{CLOCK_STEP, LEAPS, LEASE};
use crate::run::{RunId, WorkerId};
use crate::time::{Timestamp, micros};

/// When workers beat last.
pub(super) type Beats = BTreeMap<WorkerId, Timestamp>;

/// When the leases of runs end.
pub(super) type Ends = BTreeMap<RunId, Timestamp>;

/// The leaps that were noticed.
#[derive(Default)]
pub(super) struct Leaps {
    /// The store's clock less the uptime, in microseconds, at the last look: at least, and at most this.
    ahead: Option<(i64, i64)>,
    suspended: Duration,
    hold_off_until: Duration,
    /// Oldest first.
    leaps: VecDeque<Leap>,
}

struct Leap {
    /// What the store's clock would have said without it as it was noticed. What was set later was set after it.
    before: Timestamp,
    length: Duration,
    /// When leases ended, as the store said just after it was noticed.
    ends: Ends,
}

impl Leaps {
    /// Looks at the clocks: the store's said `now` between two readings of the uptime. Answers whether time made a leap
    /// since the last look.
    pub(super) fn look(&mut self, now: Timestamp, uptime: (Duration, Duration), suspended: Duration) -> bool {
        let ahead = |uptime| now.as_micros().saturating_sub(micros(uptime));
        // How long the store took to answer is not known, and is no leap.
        let is = (ahead(uptime.1), ahead(uptime.0));
        let slept = suspended.saturating_sub(self.suspended);
        self.suspended = suspended;
        let Some(was) = self.ahead.replace(is) else {
            return false;
        };
        let (least, most) = (is.0.saturating_sub(was.1), is.1.saturating_sub(was.0));
        if most < -micros(CLOCK_STEP) {
            self.undo(Duration::from_micros(most.unsigned_abs()));
        }
        let stepped = least > micros(CLOCK_STEP);
        if !stepped && slept <= CLOCK_STEP {
            return false;
        }
        let by = |step: i64| slept + Duration::from_micros(step.max(0).unsigned_abs());
        self.leaps.push_back(Leap {
            before: now - by(if stepped { least } else { 0 }),
            length: by(if stepped { most } else { 0 }),
            ends: Ends::new(),
        });
        if self.leaps.len() > LEAPS {
            self.leaps.pop_front();
        }
        self.hold_off_until = uptime.1.saturating_add(LEASE);
        true
    }

    /// Notes when leases end, just after a leap was noticed.
    pub(super) fn note(&mut self, ends: Ends) {
        if let Some(leap) = self.leaps.back_mut() {
            leap.ends = ends;
        }
    }

    /// Whether a leap was so lately that nothing is taken back as yet.
    pub(super) fn hold_off(&self, uptime: Duration) -> bool {
        self.hold_off_until > uptime
    }

    /// Whether this run began before a leap.
    pub(super) fn may_concern(&self, job: &Job) -> bool {
        let last = self.leaps.back();
        job.status.state == State::Running
            && last.is_some_and(|leap| job.status.started_at <= Some(leap.before))
    }

    /// Whether the alarm of a row has passed, in the time that its worker has counted.
    pub(super) fn is_over(&self, job: &Job, beats: &Beats, now: Timestamp) -> bool {
        let status = &job.status;
        let (State::Running, Some(alarm)) = (status.state, status.alarm) else {
            return true;
        };
        let worker = status.worker.as_ref().filter(|_| !status.deferred);
        let beat = worker.and_then(|worker| beats.get(worker).copied());
        let set = beat.max(status.started_at);
        let run = RunId {
            job: job.id(),
            run: status.run,
        };
        let stood = |leap: &&Leap| leap.ends.get(&run).is_none_or(|end| *end == alarm);
        let since = self
            .leaps
            .iter()
            .filter(|leap| set <= Some(leap.before))
            .filter(stood);
        since.fold(alarm, |end, leap| end + leap.length) <= now
    }

    /// The clock stepped back: the last leaps are undone by as much.
    fn undo(&mut self, mut length: Duration) {
        while let Some(last) = self.leaps.back_mut() {
            if last.length > length {
                last.length -= length;
                return;
            }
            length -= last.length;
            self.leaps.pop_back();
        }
    }
}
