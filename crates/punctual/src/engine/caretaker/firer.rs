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
//!
//! All that is due is gone through in laps, each from the earliest look to the last: where a lap takes several rounds, each begins
//! where the one before it stopped, so that what cannot be fired keeps nothing behind it from being fired.

use std::collections::BTreeMap;
use std::slice;
use std::time::Duration;

use crate::change::{ScheduleApplied, ScheduleChange};
use crate::error::Error;
use crate::limits::{
    FIRE_GAP, FIRE_HELD, FIRE_INSTANTS, FIRE_LATE, FIRE_PAGES, FIRE_REFUSED, FIRE_ROWS, LOCK_WAIT, RESCAN,
    UNREADABLE_PAUSE, UNREADABLE_TOLD,
};
use crate::rules::fire::{self, Fired};
use crate::schedule::{AT_ONCE, Schedule, ScheduleId};
use crate::store::{ScheduleRows, Schedules, UnreadableSchedule};
use crate::time::{Timestamp, format_length};

use super::super::Core;
use super::super::lane::is_of_an_item;
use super::super::schedules::Known;
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
        if firer.lap.after.is_none() && firer.known > core.clock.now() {
            return Ok(());
        }
    }
}

struct Firer<'a> {
    core: &'a Core,
    ranks: Ranks,
    lap: Lap,
    /// When somebody has to be looked at, by what was read and written.
    known: Timestamp,
    /// The same, or earlier: somebody asked for a look.
    next: Timestamp,
    /// Due schedules that are left alone for a while.
    held: BTreeMap<ScheduleId, Held>,
    /// When it was said that a schedule cannot be read.
    said: BTreeMap<ScheduleId, Duration>,
}

/// A due schedule that is left alone.
#[derive(Clone, Copy)]
struct Held {
    /// As long as it has this version,
    rev: u64,
    /// and the uptime is less.
    until: Duration,
    /// The lap that met it last.
    lap: u64,
}

/// One way through all that is due.
#[derive(Default)]
struct Lap {
    number: u64,
    /// When it began: what comes due later is left to the next one, so that each ends.
    now: Timestamp,
    /// Where its last round stopped.
    after: Option<Place>,
    /// When somebody has to be looked at next, by what was read and written.
    next: Option<Timestamp>,
    /// The same, by the uptime.
    held_until: Option<Duration>,
    overdue: usize,
}

impl Lap {
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
            lap: Lap::default(),
            known: AT_ONCE,
            next: AT_ONCE,
            held: BTreeMap::new(),
            said: BTreeMap::new(),
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

    /// Looks at all that is due, or at as much of it as one round does. Answers after how long to go on at the latest.
    async fn round(&mut self) -> Result<Duration, Error> {
        let begins = self.lap.after.is_none();
        if begins {
            self.lap.now = self.core.clock.now();
        }
        // Where nothing is known to be due, one row tells whether anything is.
        let is_quiet = begins && self.known > self.lap.now;
        let mut limit = if is_quiet { 1 } else { FIRE_ROWS };
        for _ in 0..FIRE_PAGES {
            let after = self.lap.after;
            let rows = self
                .core
                .store
                .schedules(Schedules::Next { after, limit })
                .await?;
            let last = last_place(&rows);
            let is_last = rows.items.len() + rows.unreadable.len() < limit;
            let all_due = last.is_none_or(|(next, _)| next <= self.lap.now);
            if limit == 1 && !is_last && all_due {
                limit = FIRE_ROWS;
                continue;
            }
            let fired = self.page(rows).await;
            // A page that fails is met again by the next lap: first come those behind it.
            self.lap.after = last;
            let rest = (is_last || !all_due).then(|| self.end_lap());
            fired?;
            if let Some(rest) = rest {
                return Ok(rest);
            }
        }
        self.next = self.lap.next.unwrap_or(Timestamp::MAX);
        Ok(FIRE_GAP)
    }

    /// Notes what a lap came to.
    fn end_lap(&mut self) -> Duration {
        let number = self.lap.number;
        let ended = std::mem::take(&mut self.lap);
        self.lap.number = number + 1;
        self.held.retain(|_, held| held.lap == number);
        self.core.counters.overdue(ended.overdue);
        self.known = ended.next.unwrap_or(Timestamp::MAX);
        self.next = self.known;
        let uptime = self.core.clock.uptime();
        let held = ended.held_until.map(|until| until.saturating_sub(uptime));
        held.map_or(RESCAN, |held| held.min(RESCAN))
    }

    /// Fires what is due on a page, as far as it is this node's turn.
    async fn page(&mut self, rows: ScheduleRows) -> Result<(), Error> {
        self.tell_unreadable(&rows.unreadable);
        let mut mine = Vec::new();
        for row in rows.items {
            let is_due = row.standing.next.is_some_and(|next| next <= self.lap.now);
            match is_due {
                false => self.lap.look(row.standing.next),
                true if self.is_mine(&row).await? => mine.push(row),
                true => {}
            }
        }
        if mine.is_empty() {
            return Ok(());
        }
        let known = self.core.know(&mine, None).await?;
        let mut rows = mine.iter();
        while rows.len() > 0 {
            let decided = self.decide(&mut rows, &known);
            self.write(decided).await?;
            // Some schedules take a while, and a store may answer without one.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Whether it is this node's turn to fire a due schedule.
    async fn is_mine(&mut self, row: &Schedule) -> Result<bool, Error> {
        let uptime = self.core.clock.uptime();
        let is_full = self.held.len() >= FIRE_HELD;
        let until = match self.held.get_mut(&row.id) {
            Some(held) if held.rev == row.rev => {
                held.lap = self.lap.number;
                held.until
            }
            _ if is_full => uptime,
            _ => {
                let until = uptime + self.ranks.of(self.core, row.id).await?;
                self.hold(row.id, row.rev, until);
                until
            }
        };
        if until <= uptime {
            return Ok(true);
        }
        self.lap.hold(until);
        self.lap.count_overdue(row.standing.next);
        Ok(false)
    }

    /// Leaves a schedule alone until then, as long as it has this version.
    fn hold(&mut self, id: ScheduleId, rev: u64, until: Duration) {
        if self.held.len() < FIRE_HELD || self.held.contains_key(&id) {
            let lap = self.lap.number;
            self.held.insert(id, Held { rev, until, lap });
        }
    }

    /// Decides about as many of these as do not take long together.
    fn decide<'s>(
        &mut self,
        rows: &mut slice::Iter<'s, Schedule>,
        known: &Known,
    ) -> Vec<(&'s Schedule, Fired)> {
        let core = self.core;
        let moment = core.moment_with(core.defaults.retention);
        let (mut decided, mut passed) = (Vec::with_capacity(rows.len()), 0);
        while passed < FIRE_INSTANTS
            && let Some(row) = rows.next()
        {
            match known.of(row) {
                Ok(facts) => {
                    let fired = fire::look(&known.sight(row, &facts), &moment);
                    passed += fired.passed;
                    decided.push((row, fired));
                }
                Err(error) => self.leave(row, &error),
            }
        }
        decided
    }

    async fn write(&mut self, decided: Vec<(&Schedule, Fired)>) -> Result<(), Error> {
        let mut writes = Vec::with_capacity(decided.len());
        let mut then = Vec::with_capacity(decided.len());
        for (row, fired) in decided {
            then.push((row, next_of(&fired.change), fired.cancel, fired.more));
            writes.push((row, fired.change));
        }
        let answers = self.core.write_all_fired(writes).await;
        let (mut failed, mut to_cancel) = (None, Vec::new());
        for ((row, next, cancel, more), answer) in then.into_iter().zip(answers) {
            match answer {
                Ok(ScheduleApplied::Applied) => {
                    self.lap.look(next);
                    to_cancel.extend(cancel);
                    if more {
                        // Whoever began with a long past goes on with it.
                        self.hold(row.id, row.rev + 1, Duration::ZERO);
                    }
                }
                // Somebody else was quicker.
                Ok(ScheduleApplied::Stale(there)) => self.lap.look(there.and_then(|row| row.standing.next)),
                Ok(ScheduleApplied::Refused(error)) | Err(error) if error.is_locked() => self.wait_for(row),
                Ok(ScheduleApplied::Refused(error)) | Err(error) if is_of_an_item(&error) => {
                    self.leave(row, &error);
                }
                Ok(ScheduleApplied::Refused(error)) | Err(error) => failed = Some(error),
            }
        }
        self.core.make_way(to_cancel).await;
        failed.map_or(Ok(()), Err)
    }

    /// Leaves a schedule alone for a moment that another transaction has locked: the end of one of its runs is being written, or
    /// another node fires it.
    fn wait_for(&mut self, row: &Schedule) {
        tracing::debug!(schedule = %row.name, "a due schedule is locked by another transaction; it is tried again");
        let until = self.core.clock.uptime() + LOCK_WAIT;
        self.hold(row.id, row.rev, until);
        self.lap.hold(until);
        self.lap.count_overdue(row.standing.next);
    }

    /// Leaves a schedule alone about which nothing can be decided, or which cannot be written.
    fn leave(&mut self, row: &Schedule, error: &Error) {
        tracing::error!(
            schedule = %row.name, %error,
            "a schedule cannot be fired; it is tried again in {}", format_length(FIRE_REFUSED)
        );
        let until = self.core.clock.uptime() + FIRE_REFUSED;
        self.hold(row.id, row.rev, until);
        self.lap.count_overdue(row.standing.next);
    }

    /// Says now and then which due schedules cannot be read.
    fn tell_unreadable(&mut self, rows: &[UnreadableSchedule]) {
        let uptime = self.core.clock.uptime();
        self.said
            .retain(|_, at| uptime.saturating_sub(*at) < UNREADABLE_PAUSE);
        for row in rows {
            match row.next {
                Some(next) if next > self.lap.now => continue,
                next => self.lap.count_overdue(next),
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
