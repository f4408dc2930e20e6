//! Backfill: jobs for instants that were skipped, or that lie before the schedule was made.
//!
//! ```text
//!   asked for:             ├───────────────┤
//!   ledger:      fired   1───── paused ─────9   fired
//!   becomes:     fired   1──3   4  5  6  7  8──9   fired
//!                        paused  backfilled  paused
//! ```
//!
//! Each instant keeps exactly one place: a range of skips is cut where a job is made for one of them. What is not settled,
//! since it lies ahead or is owed, is left to the plan.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::change::ScheduleChange;
use crate::limits::SETTLED_PER_LOOK;
use crate::rules::Moment;
use crate::schedule::cron::{Decision, Nominal};
use crate::schedule::{Occurrence, Outcome, Reason};
use crate::time::Timestamp;

use super::Sight;
use super::firing::Firing;

/// What a backfill decided.
#[derive(Clone, Debug, PartialEq)]
pub struct Backfilled {
    /// The write; there is nothing to write where no job is made.
    pub change: ScheduleChange,
    /// Jobs that are made.
    pub made: usize,
    /// Instants that stay as they are: skipped by a plan that was changed since, or in a range of more than
    /// [`SETTLED_PER_LOOK`]; or from before the schedule was made, once its ledger has dropped entries since they were too many,
    /// and so cannot tell whether they were made up for.
    pub left: u64,
    /// The instant to go on with; unset, when it is through.
    pub next: Option<Timestamp>,
}

/// Makes jobs for the instants in `range` that were skipped, and for those before the schedule was made that no job was made
/// for, from the oldest on, as many as one change may. They run whatever is live or paused, and count for no policy.
///
/// `ledger` has all entries that overlap the range, by their first instants, but those of runs out of turn. Instants that the
/// clocks left out have no job.
pub fn backfill(
    sight: &Sight<'_>,
    ledger: &BTreeMap<Timestamp, Occurrence>,
    range: RangeInclusive<Timestamp>,
    moment: &Moment<'_>,
) -> Backfilled {
    let mut backfill = Backfill {
        firing: Firing::new(sight, moment),
        range,
        made: 0,
        left: 0,
        next: None,
    };
    backfill.before_it_was_made(ledger);
    for entry in ledger.values() {
        let overlaps = entry.until >= *backfill.range.start() && entry.nominal_at <= *backfill.range.end();
        if let Outcome::Skipped(reason) = entry.outcome
            && overlaps
            && backfill.next.is_none()
        {
            backfill.cut(entry, reason);
        }
    }
    Backfilled {
        made: backfill.made,
        left: backfill.left,
        next: backfill.next,
        change: backfill.firing.finish().change,
    }
}

struct Backfill<'a> {
    firing: Firing<'a>,
    range: RangeInclusive<Timestamp>,
    made: usize,
    left: u64,
    next: Option<Timestamp>,
}

impl Backfill<'_> {
    /// The instants that the plan would have had, had it been there.
    fn before_it_was_made(&mut self, ledger: &BTreeMap<Timestamp, Occurrence>) {
        let created_at = self.firing.sight.schedule.created_at;
        let end = created_at.min(*self.range.end());
        let mut after = *self.range.start() - Duration::from_micros(1);
        for _ in 0..SETTLED_PER_LOOK {
            let Some(nominal) = self.nominal(after).filter(|nominal| nominal.at <= end) else {
                return;
            };
            after = nominal.at;
            if nominal.decision == Decision::Skipped || ledger.contains_key(&nominal.at) {
                continue;
            }
            if !self.firing.tells_all() {
                self.left += 1;
            } else if !self.make(nominal.at) {
                return;
            }
        }
        self.next = Some(after + Duration::from_micros(1));
    }

    /// Makes jobs for those instants of an entry of skips that are asked for.
    fn cut(&mut self, entry: &Occurrence, reason: Reason) {
        if reason == Reason::DstGap {
            return;
        }
        let Some(instants) = self.instants(entry) else {
            self.left = self.left.saturating_add(entry.count);
            return;
        };
        let mut rest: Option<Occurrence> = None;
        let made = self.made;
        for nominal in instants {
            let at = nominal.at;
            let wanted = self.range.contains(&at) && nominal.decision != Decision::Skipped;
            if wanted && self.next.is_none() && self.make_after(&mut rest, at) {
                self.no_more_missed(at, reason);
                continue;
            }
            match &mut rest {
                Some(rest) => {
                    rest.until = at;
                    rest.count += 1;
                }
                None => {
                    let (nominal_at, until, count) = (at, at, 1);
                    rest = Some(Occurrence {
                        nominal_at,
                        until,
                        count,
                        ..entry.clone()
                    });
                }
            }
        }
        if self.made == made {
            return;
        }
        let skips = self.firing.standing.skips.as_mut();
        if let Some(open) = skips.filter(|open| open.from == entry.nominal_at && open.count > 0) {
            match &rest {
                Some(rest) => (open.from, open.until, open.count) = (rest.nominal_at, rest.until, rest.count),
                None => open.close(),
            }
        }
        rest.into_iter().for_each(|rest| self.firing.tell(rest));
    }

    /// Makes the job of an instant, behind skips that are told first.
    fn make_after(&mut self, rest: &mut Option<Occurrence>, at: Timestamp) -> bool {
        if self.firing.has_no_room() {
            self.next = Some(at);
            return false;
        }
        rest.take().into_iter().for_each(|rest| self.firing.tell(rest));
        self.make(at)
    }

    /// Makes the job of an instant. Answers whether there was room for it.
    fn make(&mut self, at: Timestamp) -> bool {
        if self.firing.has_no_room() {
            self.next = Some(at);
            return false;
        }
        self.firing.make_up(at);
        self.made += 1;
        true
    }

    /// An instant that was missed, and for which the next job would have stood, has its own.
    fn no_more_missed(&mut self, at: Timestamp, reason: Reason) {
        let standing = &mut self.firing.standing;
        if reason == Reason::Misfire && standing.last_fired.is_none_or(|last| last < at) {
            standing.missed = standing.missed.saturating_sub(1);
        }
    }

    /// The instants of an entry, if the plan still tells them.
    fn instants(&self, entry: &Occurrence) -> Option<Vec<Nominal>> {
        let (first, last) = (entry.nominal_at, entry.until);
        if entry.count == 1 {
            return Some(vec![self.one(first)]);
        }
        let count = usize::try_from(entry.count).ok();
        let count = count.filter(|count| *count <= SETTLED_PER_LOOK)?;
        let before = first - Duration::from_micros(1);
        let all = std::iter::successors(self.nominal(before), |nominal| self.nominal(nominal.at));
        let all = all.take_while(|nominal| nominal.at <= last);
        let all: Vec<Nominal> = all.take(count + 1).collect();
        let ends = all.first().zip(all.last());
        let is_so = ends.is_some_and(|(one, other)| one.at == first && other.at == last);
        (is_so && all.len() == count).then_some(all)
    }

    /// An instant that stands by itself needs no plan that tells it.
    fn one(&self, at: Timestamp) -> Nominal {
        let nominal = self.nominal(at - Duration::from_micros(1));
        let nominal = nominal.filter(|nominal| nominal.at == at);
        nominal.unwrap_or_else(|| self.firing.plan.plain(at))
    }

    fn nominal(&self, after: Timestamp) -> Option<Nominal> {
        let calendars = self.firing.sight.calendars;
        self.firing.plan.nominal_after(after, calendars)
    }
}
