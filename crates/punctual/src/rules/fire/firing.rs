//! One decision about a schedule, as it is being made.

use std::borrow::Cow;
use std::time::Duration;

use crate::change::{Forget, ScheduleChange};
use crate::job::{Job, JobId, Origin};
use crate::limits::{
    FIRED_PER_LOOK, FORGET_AFTER, FORGET_EVERY, KEEP_LEDGER, LEDGER_ENTRIES, LEDGER_PER_LOOK, OWED_LOOK,
    SCHEDULE_LIVE,
};
use crate::rules::{Moment, admit};
use crate::schedule::{
    Cause, MisfireMode, Occurrence, OpenSkips, Outcome, Overlap, Owed, Plan, Reason, Spec, Standing,
};
use crate::time::Timestamp;

use super::{Fired, Sight};

/// The parts that a change will be made of.
pub(super) struct Firing<'a> {
    pub(super) sight: &'a Sight<'a>,
    pub(super) moment: &'a Moment<'a>,
    pub(super) plan: Cow<'a, Plan>,
    pub(super) standing: Standing,
    pub(super) more: bool,
    /// Instants that were given their place.
    pub(super) passed: usize,
    jobs: Vec<Job>,
    ledger: Vec<Occurrence>,
    cancel: Vec<JobId>,
}

impl<'a> Firing<'a> {
    pub(super) fn new(sight: &'a Sight<'a>, moment: &'a Moment<'a>) -> Firing<'a> {
        let mut standing = sight.schedule.standing.clone();
        standing.live.retain(|id| sight.live.contains(id));
        standing.last_ended = standing.last_ended.max(sight.ended_at);
        standing.watched &= !standing.live.is_empty();
        Firing {
            sight,
            moment,
            plan: Cow::Borrowed(&sight.schedule.plan),
            standing,
            more: false,
            passed: 0,
            jobs: Vec::new(),
            ledger: Vec::new(),
            cancel: Vec::new(),
        }
    }

    /// The last instant whose job is due by now.
    pub(super) fn horizon(&self) -> Timestamp {
        self.moment.now - self.spread()
    }

    /// Whether so much comes of this look already that the rest is left to the next one.
    pub(super) fn is_full(&self) -> bool {
        self.ledger.len() >= FIRED_PER_LOOK
    }

    /// Whether a run is live that a further one would overlap.
    pub(super) fn is_busy(&self) -> bool {
        self.plan.overlap != Overlap::Allow && !self.standing.live.is_empty()
    }

    /// Whether all runs are made.
    pub(super) fn has_made_all(&self) -> bool {
        self.plan.max_runs.is_some_and(|max| self.standing.fired >= max)
    }

    /// Makes the job of an instant.
    pub(super) fn fire(&mut self, owed: Owed) {
        let Owed { nominal_at, missed } = owed;
        let job = self.sight.schedule.id.job_at(nominal_at);
        self.make(job, nominal_at + self.spread(), owed);
        self.standing.fired += 1;
        self.standing.last_fired = Some(nominal_at);
        self.standing.last_ended = None;
        self.standing.makes_way = false;
        if self.standing.skips.is_some_and(|skips| skips.until < nominal_at) {
            self.standing.skips = None;
        }
        self.write(
            nominal_at,
            nominal_at,
            1,
            Cause::Planned,
            Outcome::Fired { job, missed },
        );
    }

    /// Makes a job out of turn.
    pub(super) fn trigger(&mut self, job: JobId) {
        let (now, missed) = (self.moment.now, 0);
        self.make(
            job,
            now,
            Owed {
                nominal_at: now,
                missed,
            },
        );
        self.write(now, now, 1, Cause::Triggered, Outcome::Fired { job, missed });
    }

    /// Makes the job of an instant that has passed, for which no policy holds. It is due behind what is due already, and
    /// behind those that are made up for before it.
    pub(super) fn make_up(&mut self, nominal_at: Timestamp) {
        let job = self.sight.schedule.id.job_at(nominal_at);
        let place = u64::try_from(self.jobs.len()).unwrap_or(u64::MAX);
        let due = self.moment.now + Duration::from_micros(place);
        let missed = 0;
        self.add(job, due, Owed { nominal_at, missed }, false);
        self.write(
            nominal_at,
            nominal_at,
            1,
            Cause::Backfilled,
            Outcome::Fired { job, missed },
        );
    }

    /// Whether a change may make no further job.
    pub(super) fn has_no_room(&self) -> bool {
        self.jobs.len() >= FIRED_PER_LOOK
    }

    /// Writes an entry that is known already.
    pub(super) fn tell(&mut self, entry: Occurrence) {
        self.ledger.push(entry);
    }

    fn add(&mut self, id: JobId, due: Timestamp, owed: Owed, pokes: bool) {
        let schedule = self.sight.schedule;
        let origin = Origin {
            schedule: schedule.id,
            name: schedule.name.clone(),
            nominal_at: owed.nominal_at,
            missed: owed.missed,
            pokes,
        };
        let template = self.plan.job.clone();
        self.jobs
            .push(admit::row(template, id, due, Some(origin), self.moment).job);
    }

    fn make(&mut self, id: JobId, due: Timestamp, owed: Owed) {
        self.add(id, due, owed, self.waits_for_ends());
        let counts = self.plan.overlap != Overlap::Allow || matches!(self.plan.spec, Spec::After(_));
        if counts && self.standing.live.len() < SCHEDULE_LIVE {
            self.standing.live.push(id);
        }
    }

    /// Notes that an instant is skipped: in the entry before it, if that tells of skips for the same reason.
    pub(super) fn skip(&mut self, at: Timestamp, reason: Reason) {
        self.standing.missed += u64::from(reason == Reason::Misfire);
        let alone = OpenSkips {
            from: at,
            until: at,
            count: 1,
            reason,
        };
        match self.standing.skips {
            // It waited for its turn, and what came after it has its place already.
            Some(open) if at < open.until => self.tell_skips(alone),
            Some(open) if self.goes_on(&open, at, reason) => self.open_skips(OpenSkips {
                count: open.count + 1,
                until: at,
                ..open
            }),
            _ => self.open_skips(alone),
        }
    }

    /// Whether this instant belongs to these skips: no other that waits for its turn lies between.
    fn goes_on(&self, open: &OpenSkips, at: Timestamp, reason: Reason) -> bool {
        let lies_between = |owed: &Owed| (open.until..at).contains(&owed.nominal_at);
        open.reason == reason && open.count > 0 && !self.standing.owed.back().is_some_and(lies_between)
    }

    fn open_skips(&mut self, skips: OpenSkips) {
        self.standing.skips = Some(skips);
        self.tell_skips(skips);
    }

    fn tell_skips(&mut self, skips: OpenSkips) {
        let OpenSkips {
            from,
            until,
            count,
            reason,
        } = skips;
        self.write(from, until, count, Cause::Planned, Outcome::Skipped(reason));
    }

    /// Asks for every live run to be cancelled.
    pub(super) fn cancel_live(&mut self) {
        self.cancel.clone_from(&self.standing.live);
    }

    fn write(&mut self, nominal_at: Timestamp, until: Timestamp, count: u64, cause: Cause, outcome: Outcome) {
        let entry = Occurrence {
            schedule: self.sight.schedule.id,
            nominal_at,
            until,
            count,
            at: self.moment.now,
            cause,
            outcome,
        };
        // An entry that grows within one look is written once. It is the last one, as a rule.
        let mut told = self.ledger.iter_mut().rev();
        match told.find(|told| told.key() == entry.key()) {
            Some(told) => *told = entry,
            None => self.ledger.push(entry),
        }
    }

    /// Goes on by another plan.
    pub(super) fn replan(&mut self, plan: Plan) {
        let waited = self.waits_for_ends();
        self.plan = Cow::Owned(plan);
        let standing = &mut self.standing;
        if let Some(skips) = &mut standing.skips {
            skips.close();
        }
        standing.makes_way &= self.plan.overlap == Overlap::CancelOther;
        standing.settled_until = standing.settled_until.max(self.moment.now);
        standing.watched |= !waited && !standing.live.is_empty();
    }

    /// The write, and when the next look is.
    pub(super) fn finish(mut self) -> Fired {
        self.drop_what_is_never_paid();
        self.standing.next = self.next_look();
        let forget = self.forget();
        let mut change = ScheduleChange::to(self.sight.schedule, self.standing);
        change.replans = change.expect == 0;
        if let (Cow::Owned(plan), Some(becomes)) = (self.plan, &mut change.becomes) {
            becomes.plan = plan.into();
            change.replans = true;
        }
        change.jobs = self.jobs;
        change.ledger = self.ledger;
        change.forget = forget;
        Fired {
            change,
            cancel: self.cancel,
            more: self.more,
            passed: self.passed,
        }
    }

    /// Whether the ledger still has all that was ever written to it, but what is too old to be asked for. It counts what
    /// this change writes at most.
    pub(super) fn tells_all(&self) -> bool {
        self.standing.written + LEDGER_PER_LOOK as u64 <= LEDGER_ENTRIES as u64
    }

    /// What the ledger need not tell any more, looked at now and then.
    fn forget(&mut self) -> Option<Forget> {
        let now = self.moment.now;
        let standing = &mut self.standing;
        let before = standing.written;
        standing.written += self.ledger.len() as u64;
        let last = standing.forgot_at.unwrap_or(self.sight.schedule.created_at);
        let are_many = standing.written / FORGET_AFTER > before / FORGET_AFTER;
        let is_time = are_many || now.since(last) >= FORGET_EVERY;
        (is_time && standing.written > 0).then(|| {
            standing.forgot_at = Some(now);
            Forget {
                before: now - (KEEP_LEDGER + FORGET_EVERY),
                keep: LEDGER_ENTRIES,
            }
        })
    }

    fn next_look(&self) -> Option<Timestamp> {
        if self.standing.paused.is_some() {
            return None;
        }
        if self.more {
            return Some(self.moment.now);
        }
        let owes = !self.standing.owed.is_empty();
        let waits = match self.is_busy() || !owes {
            true => (owes || self.standing.watched).then(|| self.moment.now + OWED_LOOK),
            false => Some(self.moment.now),
        };
        waits.into_iter().chain(self.next_planned()).min()
    }

    /// When the job of the next instant is due.
    fn next_planned(&self) -> Option<Timestamp> {
        if self.has_made_all() {
            return None;
        }
        let settled = self.standing.settled_until;
        let next = match self.plan.spec {
            Spec::After(delay) => self.after_the_last(delay)?,
            _ => self.plan.nominal_after(settled, self.sight.calendars)?.at,
        };
        Some(next + self.spread())
    }

    /// Whether a job's end has to wake the schedule.
    fn waits_for_ends(&self) -> bool {
        let waits = matches!(self.plan.overlap, Overlap::BufferOne | Overlap::CancelOther);
        let catches_up = self.plan.misfire.mode == MisfireMode::All && self.plan.overlap == Overlap::Skip;
        waits || catches_up || matches!(self.plan.spec, Spec::After(_))
    }

    /// How much later than their instants its jobs are due.
    pub(super) fn spread(&self) -> Duration {
        self.plan.spread_of(self.sight.schedule.id)
    }
}
