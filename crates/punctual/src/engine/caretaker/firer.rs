//! Firing: schedules whose next look has come are looked at, a batch at a time.
//!
//! ```text
//!   sleep until the next look, or until a hint asks for an earlier one
//!     └▶ read those that are due ─▶ my turn? ─▶ rules::fire::look ─▶ change_schedules ─▶ cancel what makes way
//!                                    └ no: in a moment, if nobody else has
//! ```
//!
//! Nobody leads. Each write compares the schedule's `rev`, so that of several nodes that fire one instant one does, and the
//! jobs' ids follow from it. Only to save the others the work, one goes first: see [`ranks`].

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::change::{ScheduleApplied, ScheduleChange};
use crate::error::Error;
use crate::job::JobId;
use crate::limits::{
    FIRE_GAP, FIRE_LATE, FIRE_PAGES, FIRE_REFUSED, FIRE_ROWS, LOCK_WAIT, RESCAN, UNREADABLE_PAUSE,
    UNREADABLE_TOLD,
};
use crate::rules::fire::{self, Fired};
use crate::schedule::{AT_ONCE, Schedule, ScheduleId};
use crate::store::{ScheduleRows, Schedules, UnreadableSchedule};
use crate::time::{Timestamp, format_length};

use super::super::Core;
use super::super::lane::is_of_an_item;
use super::after_failure;

mod ranks;

use ranks::Ranks;

/// Where a page of looks ended.
type Place = (Timestamp, ScheduleId);

/// Fires again and again.
pub(super) async fn fire(core: &Core) {
    let mut firer = Firer::new(core);
    let mut failures = 0;
    loop {
        match firer.round().await {
            Ok(next) => {
                failures = 0;
                firer.rest(next).await;
            }
            Err(error) => {
                let pause = after_failure(&error, "due schedules were not fired", &mut failures);
                core.clock.sleep(pause).await;
            }
        }
    }
}

/// Fires what is due by now, once.
#[cfg(feature = "testing")]
pub(in crate::engine) async fn fire_due(core: &Core) -> Result<(), Error> {
    let mut firer = Firer::new(core);
    loop {
        firer.round().await?;
        if firer.known > core.clock.now() {
            return Ok(());
        }
    }
}

struct Firer<'a> {
    core: &'a Core,
    ranks: Ranks,
    /// When somebody has to be looked at, by what was read and written.
    known: Timestamp,
    /// The same, or earlier: somebody asked for a look.
    next: Timestamp,
    /// Due schedules that are left alone for a while.
    held: BTreeMap<ScheduleId, Held>,
    /// When it was said that a schedule cannot be read.
    said: BTreeMap<ScheduleId, Duration>,
    /// Jobs that have to make way, and could not be cancelled.
    to_cancel: Vec<JobId>,
}

/// A due schedule that is left alone.
#[derive(Clone, Copy)]
struct Held {
    /// As long as it has this version,
    rev: u64,
    /// and the uptime is less.
    until: Duration,
}

/// One round through all that is due.
struct Round {
    now: Timestamp,
    /// When the next one is to be, by what was read and written.
    next: Option<Timestamp>,
    /// The same, by the uptime.
    held_until: Option<Duration>,
    seen: BTreeSet<ScheduleId>,
    overdue: usize,
}

impl Round {
    fn look(&mut self, at: Option<Timestamp>) {
        self.next = self.next.into_iter().chain(at).min();
    }

    fn hold(&mut self, until: Duration) {
        self.held_until = Some(self.held_until.map_or(until, |held| held.min(until)));
    }

    fn count_overdue(&mut self, next: Option<Timestamp>) {
        let since = next.filter(|next| *next != AT_ONCE);
        self.overdue += usize::from(since.is_some_and(|next| next + FIRE_LATE < self.now));
    }
}

impl<'a> Firer<'a> {
    fn new(core: &'a Core) -> Firer<'a> {
        Firer {
            core,
            ranks: Ranks::default(),
            known: AT_ONCE,
            next: AT_ONCE,
            held: BTreeMap::new(),
            said: BTreeMap::new(),
            to_cancel: Vec::new(),
        }
    }

    /// Sleeps until the next look, or a while: what no hint told of is found then.
    async fn rest(&mut self, pause: Duration) {
        let core = self.core;
        let wake_at = core.clock.uptime() + pause.min(RESCAN);
        loop {
            let uptime = core.clock.uptime();
            let by_time = self.next.since(core.clock.now());
            let left = wake_at.saturating_sub(uptime).min(by_time);
            if left.is_zero() {
                return;
            }
            tokio::select! {
                biased;
                at = core.looks.asked() => self.next = self.next.min(at),
                () = core.clock.sleep(left) => {}
            }
        }
    }

    /// Looks at all that is due, once. Answers after how long to look again at the latest.
    async fn round(&mut self) -> Result<Duration, Error> {
        self.to_cancel = self.core.cancel_each(&std::mem::take(&mut self.to_cancel)).await;
        let now = self.core.clock.now();
        // Where nothing is known to be due, one row tells whether anything is.
        let mut limit = if self.known <= now { FIRE_ROWS } else { 1 };
        let mut round = Round {
            now,
            next: None,
            held_until: None,
            seen: BTreeSet::new(),
            overdue: 0,
        };
        let mut after: Option<Place> = None;
        let mut is_whole = false;
        for _ in 0..FIRE_PAGES {
            let rows = self
                .core
                .store
                .schedules(Schedules::Next { after, limit })
                .await?;
            let last = last_place(&rows);
            let is_last = rows.items.len() + rows.unreadable.len() < limit;
            let all_due = last.is_none_or(|(next, _)| next <= now);
            if limit == 1 && !is_last && all_due {
                limit = FIRE_ROWS;
                continue;
            }
            self.page(rows, &mut round).await?;
            after = last;
            if is_last || !all_due {
                is_whole = true;
                break;
            }
        }
        self.end(round, is_whole)
    }

    /// Notes what a round came to.
    fn end(&mut self, round: Round, is_whole: bool) -> Result<Duration, Error> {
        self.core.counters.overdue(round.overdue);
        if is_whole || self.held.len() > FIRE_ROWS * FIRE_PAGES {
            self.held.retain(|id, _| round.seen.contains(id));
        }
        self.known = round.next.unwrap_or(Timestamp::MAX);
        self.next = self.known;
        let held = round
            .held_until
            .map(|until| until.saturating_sub(self.core.clock.uptime()));
        let rest = if is_whole { RESCAN } else { FIRE_GAP };
        Ok(held.map_or(rest, |held| held.min(rest)))
    }

    /// Fires what is due on a page, as far as it is this node's turn.
    async fn page(&mut self, rows: ScheduleRows, round: &mut Round) -> Result<(), Error> {
        self.tell_unreadable(&rows.unreadable, round);
        let mut mine = Vec::new();
        for row in rows.items {
            let is_due = row.standing.next.is_some_and(|next| next <= round.now);
            match is_due {
                false => round.look(row.standing.next),
                true if self.is_mine(&row, round).await? => mine.push(row),
                true => {}
            }
        }
        if mine.is_empty() {
            return Ok(());
        }
        let decided = self.decide(&mine).await?;
        self.write(decided, round).await
    }

    /// Whether it is this node's turn to fire a due schedule.
    async fn is_mine(&mut self, row: &Schedule, round: &mut Round) -> Result<bool, Error> {
        round.seen.insert(row.id);
        let uptime = self.core.clock.uptime();
        let held = match self.held.get(&row.id) {
            Some(held) if held.rev == row.rev => *held,
            _ => {
                let rank = self.ranks.of(self.core, row.id).await?;
                let held = Held {
                    rev: row.rev,
                    until: uptime + rank,
                };
                self.held.insert(row.id, held);
                held
            }
        };
        if held.until <= uptime {
            return Ok(true);
        }
        round.hold(held.until);
        round.count_overdue(row.standing.next);
        Ok(false)
    }

    async fn decide<'s>(&self, rows: &'s [Schedule]) -> Result<Vec<(&'s Schedule, Fired)>, Error> {
        let known = self.core.know(rows, None).await?;
        let moment = self.core.moment_with(self.core.defaults.retention);
        let mut decided = Vec::with_capacity(rows.len());
        for row in rows {
            let facts = known.of(row);
            let fired = fire::look(&known.sight(row, &facts), &moment);
            if fired.more {
                // It went through as many instants as one look may, which takes a while.
                tokio::task::yield_now().await;
            }
            decided.push((row, fired));
        }
        Ok(decided)
    }

    async fn write(&mut self, decided: Vec<(&Schedule, Fired)>, round: &mut Round) -> Result<(), Error> {
        let mut writes = Vec::with_capacity(decided.len());
        let mut then = Vec::with_capacity(decided.len());
        for (row, fired) in decided {
            then.push((row, next_of(&fired.change), fired.cancel, fired.more));
            writes.push((row, fired.change));
        }
        let answers = self.core.write_all_fired(writes).await;
        let mut failed = None;
        for ((row, next, cancel, more), answer) in then.into_iter().zip(answers) {
            match answer {
                Ok(ScheduleApplied::Applied) => {
                    round.look(next);
                    self.to_cancel.extend(self.core.cancel_each(&cancel).await);
                    if more {
                        // Whoever began with a long past goes on with it.
                        let (rev, until) = (row.rev + 1, Duration::ZERO);
                        self.held.insert(row.id, Held { rev, until });
                    }
                }
                // Somebody else was quicker.
                Ok(ScheduleApplied::Stale(there)) => round.look(there.and_then(|row| row.standing.next)),
                Ok(ScheduleApplied::Refused(error)) if error.is_locked() => self.wait_for(row, round),
                Ok(ScheduleApplied::Refused(error)) | Err(error) => match is_of_an_item(&error) {
                    true => self.leave(row, &error, round),
                    false => failed = Some(error),
                },
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Leaves a schedule alone for a moment that another transaction has locked: the end of one of its runs is being written, or
    /// another node fires it.
    fn wait_for(&mut self, row: &Schedule, round: &mut Round) {
        tracing::debug!(schedule = %row.name, "a due schedule is locked by another transaction; it is tried again");
        let until = self.core.clock.uptime() + LOCK_WAIT;
        self.held.insert(row.id, Held { rev: row.rev, until });
        round.hold(until);
        round.count_overdue(row.standing.next);
    }

    /// Leaves a schedule alone that cannot be written.
    fn leave(&mut self, row: &Schedule, error: &Error, round: &mut Round) {
        tracing::error!(
            schedule = %row.name, %error,
            "a schedule cannot be fired; it is tried again in {}", format_length(FIRE_REFUSED)
        );
        let until = self.core.clock.uptime() + FIRE_REFUSED;
        self.held.insert(row.id, Held { rev: row.rev, until });
        round.count_overdue(row.standing.next);
    }

    /// Says now and then which due schedules cannot be read.
    fn tell_unreadable(&mut self, rows: &[UnreadableSchedule], round: &mut Round) {
        let uptime = self.core.clock.uptime();
        self.said
            .retain(|_, at| uptime.saturating_sub(*at) < UNREADABLE_PAUSE);
        for row in rows {
            match row.next {
                Some(next) if next > round.now => continue,
                next => round.count_overdue(next),
            }
            if self.said.len() < UNREADABLE_TOLD && !self.said.contains_key(&row.id) {
                self.said.insert(row.id, uptime);
                tracing::error!(
                    schedule = %row.name, why = row.why,
                    "a schedule cannot be read, and is not fired by this version"
                );
            }
        }
    }
}

fn next_of(change: &ScheduleChange) -> Option<Timestamp> {
    change.becomes.as_ref().and_then(|row| row.standing.next)
}

/// Where the next page begins.
fn last_place(rows: &ScheduleRows) -> Option<Place> {
    let read = rows.items.iter().map(|row| (row.standing.next, row.id));
    let unreadable = rows.unreadable.iter().map(|row| (row.next, row.id));
    read.chain(unreadable)
        .filter_map(|(next, id)| Some((next?, id)))
        .max()
}
