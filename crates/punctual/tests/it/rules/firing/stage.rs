//! A schedule at work, with all that a store and a caretaker do.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use punctual::change::{Forget, ScheduleChange};
use punctual::limits::{FIRED_PER_LOOK, LEDGER_PER_LOOK};
use punctual::rules::fire::{self, Backfilled, Fired, Sight};
use punctual::schedule::{Calendars, Cause, Occurrence, Outcome, Plan, Schedule, ScheduleId, ScheduleName};
use uuid::Uuid;

use super::super::*;

/// A schedule at work: what a store and a caretaker do with what the rules decide.
pub(in crate::rules) struct Stage {
    pub(in crate::rules) world: World,
    pub(in crate::rules) row: Schedule,
    pub(in crate::rules) live: Vec<JobId>,
    pub(in crate::rules) ended_at: Option<Timestamp>,
    pub(in crate::rules) ledger: BTreeMap<(Timestamp, bool), Occurrence>,
    pub(in crate::rules) fired: Vec<Job>,
    pub(in crate::rules) cancelled: Vec<JobId>,
    /// What the last write let the ledger forget.
    pub(in crate::rules) forget: Option<Forget>,
    calendars: Calendars,
}

/// What somebody knows of a schedule who is about to decide.
#[derive(Clone, Debug)]
pub(in crate::rules) struct Known {
    row: Schedule,
    live: Vec<JobId>,
    ended_at: Option<Timestamp>,
    ledger: BTreeMap<Timestamp, Occurrence>,
    calendars: Calendars,
}

impl Known {
    pub(in crate::rules) fn sight(&self) -> Sight<'_> {
        Sight {
            schedule: &self.row,
            live: &self.live,
            ended_at: self.ended_at,
            calendars: &self.calendars,
        }
    }

    /// Decides about a backfill of this range.
    pub(in crate::rules) fn backfill(
        &self,
        range: RangeInclusive<Timestamp>,
        moment: &Moment<'_>,
    ) -> Backfilled {
        let overlaps =
            |entry: &&Occurrence| entry.until >= *range.start() && entry.nominal_at <= *range.end();
        let ledger = self.ledger.values().filter(overlaps);
        let ledger = ledger.map(|entry| (entry.nominal_at, entry.clone())).collect();
        fire::backfill(&self.sight(), &ledger, range, moment)
    }
}

impl Stage {
    pub(in crate::rules) fn new(plan: Plan) -> Stage {
        Stage::at(NOON, plan)
    }

    /// A schedule that is made then.
    pub(in crate::rules) fn at(now: Timestamp, plan: Plan) -> Stage {
        let world = World { now, ..World::new() };
        let calendars = Calendars::default();
        let id = ScheduleId(Uuid::from_u128(7));
        let change = fire::create(id, ScheduleName::from("s"), plan, &calendars, &world.moment());
        assert_eq!(change.expect, 0);
        Stage {
            row: change.becomes.expect("it is made"),
            world,
            live: Vec::new(),
            ended_at: None,
            ledger: BTreeMap::new(),
            fired: Vec::new(),
            cancelled: Vec::new(),
            forget: None,
            calendars,
        }
    }

    /// What somebody who looks now knows.
    pub(in crate::rules) fn known(&self) -> Known {
        let planned = self.ledger.iter().filter(|((_, triggered), _)| !triggered);
        Known {
            row: self.row.clone(),
            live: self.live.clone(),
            ended_at: self.ended_at,
            ledger: planned.map(|((at, _), entry)| (*at, entry.clone())).collect(),
            calendars: self.calendars.clone(),
        }
    }

    /// Writes a change, if the row is as whoever decided knew it.
    pub(in crate::rules) fn write(&mut self, change: ScheduleChange) -> bool {
        if change.expect != self.row.rev {
            return false;
        }
        assert!(change.jobs.len() <= FIRED_PER_LOOK && change.ledger.len() <= LEDGER_PER_LOOK);
        assert!(change.drops.is_empty());
        let is_backfill = change.ledger.iter().any(|entry| entry.cause == Cause::Backfilled);
        self.row = change.becomes.expect("no rule deletes a schedule");
        self.ended_at = None;
        self.forget = change.forget;
        let mut keys = BTreeSet::new();
        for entry in change.ledger {
            let key = (entry.nominal_at, entry.cause == Cause::Triggered);
            assert!(keys.insert(key), "an entry is written once");
            self.ledger.insert(key, entry);
        }
        if !is_backfill {
            self.live.extend(change.jobs.iter().map(Job::id));
        }
        self.fired.extend(change.jobs);
        true
    }

    /// Decides, until there is no more, and writes; answers how many jobs were made.
    pub(in crate::rules) fn decide(&mut self, rule: impl Fn(&Sight<'_>, &Moment<'_>) -> Fired) -> usize {
        let before = self.fired.len();
        loop {
            let known = self.known();
            let fired = rule(&known.sight(), &self.world.moment());
            assert!(self.write(fired.change));
            self.cancelled = fired.cancel;
            if !fired.more {
                return self.fired.len() - before;
            }
        }
    }

    /// Makes up for what was skipped in this range; answers how many jobs were made, and how many instants stay as they are.
    pub(in crate::rules) fn backfill(&mut self, range: RangeInclusive<Timestamp>) -> (usize, u64) {
        let (mut made, mut left, mut next) = (0, 0, Some(*range.start()));
        while let Some(from) = next {
            let decided = self.known().backfill(from..=*range.end(), &self.world.moment());
            assert_eq!(decided.made, decided.change.jobs.len());
            assert!(self.write(decided.change));
            (made, left, next) = (made + decided.made, left + decided.left, decided.next);
        }
        (made, left)
    }

    /// Looks at what is due at so long after noon.
    pub(in crate::rules) fn look_at(&mut self, length: Duration) -> usize {
        self.world.now = NOON + length;
        self.decide(fire::look)
    }

    /// All live jobs end now.
    pub(in crate::rules) fn end(&mut self) {
        if !self.live.is_empty() {
            self.ended_at = Some(self.world.now);
        }
        self.live.clear();
    }

    /// The ledger in short: `5 fired`, `1-4 misfire`, in minutes after noon.
    pub(in crate::rules) fn told(&self) -> Vec<String> {
        let minute = |at: Timestamp| at.since(NOON).as_secs() / 60;
        let told = self.ledger.values().map(|entry| match &entry.outcome {
            Outcome::Fired { .. } if entry.cause == Cause::Backfilled => {
                format!("{} backfilled", minute(entry.nominal_at))
            }
            Outcome::Fired { missed: 0, .. } => format!("{} fired", minute(entry.nominal_at)),
            Outcome::Fired { missed, .. } => format!("{} fired for {missed}", minute(entry.nominal_at)),
            Outcome::Skipped(reason) if entry.count == 1 => format!("{} {reason}", minute(entry.nominal_at)),
            Outcome::Skipped(reason) => {
                let (first, last) = (minute(entry.nominal_at), minute(entry.until));
                format!("{first}-{last} {} {reason}", entry.count)
            }
        });
        told.collect()
    }
}
