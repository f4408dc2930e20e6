//! Lets a rule decide about a schedule and writes what it decided, on a fresh row whenever the row moved on.

use std::{iter, slice};

use futures_util::future::join_all;
use futures_util::{StreamExt, stream};

use crate::change::{ScheduleApplied, ScheduleChange};
use crate::error::{Error, Kind};
use crate::job::JobId;
use crate::limits::{
    CONFLICT_ROUNDS, FIRE_CANCELS, FIRE_ROWS, FLUSH_PAUSE, LANE_DEADLINE, OWED_LOOK, REASON_BYTES,
    SETTLE_ROUNDS,
};
use crate::rules::fire::{self, Fired, Sight};
use crate::rules::{self, Moment};
use crate::schedule::{Calendars, Plan, Schedule, ScheduleId, ScheduleName};
use crate::store::Schedules;
use crate::time::format_length;

use super::super::Core;
use super::super::calendars::check_readable;
use super::super::counters::Made;
use super::super::lane::{Write, is_of_an_item};
use super::super::results::unknown as unknown_job;
use super::{SchedulePage, ScheduleWrites, Upsert};

impl Core {
    /// The schedule of this name, if there is one.
    pub(super) async fn find_schedule(&self, name: &ScheduleName) -> Result<Option<Schedule>, Error> {
        name.check()?;
        let rows = self.store.schedules(Schedules::Named(vec![name.clone()])).await?;
        if let Some(unreadable) = rows.unreadable.first() {
            return Err(unreadable.error());
        }
        Ok(rows.items.into_iter().next())
    }

    pub(super) async fn schedule(&self, name: &ScheduleName) -> Result<Schedule, Error> {
        let found = self.find_schedule(name).await?;
        found.ok_or_else(|| unknown(name))
    }

    pub(super) async fn schedules_after(
        &self,
        after: Option<ScheduleName>,
        limit: usize,
    ) -> Result<SchedulePage, Error> {
        let rows = self.store.schedules(Schedules::All { after, limit }).await?;
        let last = rows.items.last().map(|row| row.name.clone());
        let last_unreadable = rows.unreadable.last().map(|row| row.name.clone());
        let full = rows.items.len() + rows.unreadable.len() == limit;
        Ok(SchedulePage {
            items: rows.items,
            unreadable: rows.unreadable,
            next: last.max(last_unreadable).filter(|_| full),
        })
    }

    pub(super) async fn set_schedule(
        &self,
        name: &ScheduleName,
        plan: Plan,
        expect: Option<u64>,
    ) -> Result<(Schedule, Upsert), Error> {
        self.check_open()?;
        let mut fresh = None;
        for _ in 0..CONFLICT_ROUNDS {
            let calendars = self.calendars_of(iter::once(&plan)).await?;
            let set = match self.find_schedule(name).await? {
                // It was made by the round before, of which no answer came.
                Some(there) if Some(there.id) == fresh => Some((there, Upsert::Created)),
                Some(there) => self.give(there, &plan, expect, &calendars).await?,
                None => {
                    check_version(name, 0, expect)?;
                    let id = *fresh.get_or_insert_with(|| ScheduleId(self.clock.fresh_id()));
                    let made = self.make(id, name, &plan, &calendars).await?;
                    made.map(|row| (row, Upsert::Created))
                }
            };
            if let Some((row, upsert)) = set {
                return Ok((self.mind(row, &calendars).await?, upsert));
            }
        }
        Err(restless(name))
    }

    /// Gives a schedule this plan. Nothing, if somebody deletes it meanwhile.
    async fn give(
        &self,
        there: Schedule,
        plan: &Plan,
        expect: Option<u64>,
        calendars: &Calendars,
    ) -> Result<Option<(Schedule, Upsert)>, Error> {
        check_version(&there.name, there.rev, expect)?;
        if *there.plan == *plan {
            return Ok(Some((there, Upsert::Unchanged)));
        }
        self.check_plan(plan, calendars)?;
        let rule = |sight: &Sight<'_>, moment: &Moment<'_>| {
            (*sight.schedule.plan != *plan).then(|| fire::edit(sight, plan.clone(), moment))
        };
        match self.decide_on(there, expect, Some(plan), rule).await {
            Err(error) if error.kind() == Kind::NotFound => Ok(None),
            given => Ok(Some((given?, Upsert::Changed))),
        }
    }

    /// Makes a schedule. Nothing, if there is one of its name meanwhile.
    async fn make(
        &self,
        id: ScheduleId,
        name: &ScheduleName,
        plan: &Plan,
        calendars: &Calendars,
    ) -> Result<Option<Schedule>, Error> {
        self.check_plan(plan, calendars)?;
        let moment = self.moment_with(self.defaults.retention);
        let change = fire::create(id, name.clone(), plan.clone(), calendars, &moment);
        let made = change.becomes.clone();
        match self.write_schedule(change).await? {
            ScheduleApplied::Applied => Ok(made),
            ScheduleApplied::Stale(_) => Ok(None),
            ScheduleApplied::Refused(error) => Err(error),
        }
    }

    fn check_plan(&self, plan: &Plan, calendars: &Calendars) -> Result<(), Error> {
        check_readable(plan, calendars)?;
        rules::plan::check(plan, calendars, &self.moment_with(self.defaults.retention))
    }

    /// A schedule that was set by these calendars. Who set one of them meanwhile did not know of it, so it is looked at again.
    async fn mind(&self, row: Schedule, calendars: &Calendars) -> Result<Schedule, Error> {
        if self.calendars_of(iter::once(&*row.plan)).await? == *calendars {
            return Ok(row);
        }
        let look = |sight: &Sight<'_>, moment: &Moment<'_>| Some(fire::look(sight, moment));
        match self.decide_on(row.clone(), None, None, look).await {
            Err(error) if error.kind() == Kind::NotFound => Ok(row),
            looked => looked,
        }
    }

    pub(super) async fn delete_schedule(
        &self,
        name: &ScheduleName,
        expect: Option<u64>,
    ) -> Result<(), Error> {
        self.check_open()?;
        name.check()?;
        for _ in 0..CONFLICT_ROUNDS {
            let (id, rev) = self.version_of(name).await?;
            check_version(name, rev, expect)?;
            let change = ScheduleChange::deletion(id, name.clone(), rev);
            match self.write_schedule(change).await? {
                ScheduleApplied::Applied => return Ok(()),
                ScheduleApplied::Refused(error) if error.is_locked() || error.is_unknown() => {
                    return Err(error);
                }
                // It moved on, and may be one by now that cannot be read.
                ScheduleApplied::Stale(_) | ScheduleApplied::Refused(_) => {}
            }
        }
        Err(restless(name))
    }

    /// The id and the version of the schedule of this name, also of one that cannot be read.
    async fn version_of(&self, name: &ScheduleName) -> Result<(ScheduleId, u64), Error> {
        let rows = self.store.schedules(Schedules::Named(vec![name.clone()])).await?;
        match (rows.items.first(), rows.unreadable.first()) {
            (Some(row), _) => Ok((row.id, row.rev)),
            (None, Some(row)) => Ok((row.id, row.rev.ok_or_else(|| row.error())?)),
            (None, None) => Err(unknown(name)),
        }
    }

    pub(super) async fn pause_schedule(
        &self,
        name: &ScheduleName,
        reason: &str,
        expect: Option<u64>,
    ) -> Result<Schedule, Error> {
        if reason.len() > REASON_BYTES {
            let message = format!("must have at most {REASON_BYTES} bytes, and has {}", reason.len());
            return Err(Error::invalid_field("/reason", message));
        }
        let rule = |sight: &Sight<'_>, moment: &Moment<'_>| {
            let paused = &sight.schedule.standing.paused;
            let is_so = paused.as_ref().is_some_and(|pause| pause.reason == reason);
            (!is_so).then(|| fire::pause(sight, reason.to_owned(), moment))
        };
        let there = self.schedule(name).await?;
        self.decide_on(there, expect, None, rule).await
    }

    pub(super) async fn resume_schedule(
        &self,
        name: &ScheduleName,
        expect: Option<u64>,
    ) -> Result<Schedule, Error> {
        let rule = |sight: &Sight<'_>, moment: &Moment<'_>| {
            let is_paused = sight.schedule.standing.paused.is_some();
            is_paused.then(|| fire::resume(sight, moment))
        };
        let there = self.schedule(name).await?;
        self.decide_on(there, expect, None, rule).await
    }

    pub(super) async fn trigger_schedule(
        &self,
        name: &ScheduleName,
        id: Option<JobId>,
    ) -> Result<JobId, Error> {
        self.check_open()?;
        let job = id.unwrap_or_else(|| JobId(self.clock.fresh_id()));
        let mut there = self.schedule(name).await?;
        for _ in 0..CONFLICT_ROUNDS {
            // Looked for again in each round: one whose answer was lost may have made it.
            if self.was_triggered(&there, job).await? {
                return Ok(job);
            }
            let known = self.know(slice::from_ref(&there), None).await?;
            let facts = known.of(&there)?;
            let sight = known.sight(&there, &facts);
            let fired = fire::trigger(&sight, job, &self.moment_with(self.defaults.retention));
            match self.write_fired(&there, fired.change).await? {
                ScheduleApplied::Applied => return Ok(job),
                ScheduleApplied::Stale(row) => there = *row.ok_or_else(|| unknown(name))?,
                ScheduleApplied::Refused(error) => return Err(error),
            }
        }
        Err(restless(name))
    }

    /// Whether there is this job, made for this schedule.
    async fn was_triggered(&self, schedule: &Schedule, id: JobId) -> Result<bool, Error> {
        let rows = self.fetch_each(slice::from_ref(&id)).await?;
        let row = rows.into_iter().next().ok_or_else(|| unknown_job(id))?;
        match row? {
            None => Ok(false),
            Some(job) => match &job.body.origin {
                Some(origin) if origin.schedule == schedule.id => Ok(true),
                _ => Err(Error::conflict(format!(
                    "the id {id} is that of another job, which this schedule did not make"
                ))),
            },
        }
    }

    /// Lets a rule decide about a schedule, and about giving it this plan if there is one, and writes what it decided, until it
    /// has no more. Answers the row as it is afterwards.
    pub(super) async fn decide_on(
        &self,
        schedule: Schedule,
        expect: Option<u64>,
        plan: Option<&Plan>,
        rule: impl Fn(&Sight<'_>, &Moment<'_>) -> Option<Fired>,
    ) -> Result<Schedule, Error> {
        self.check_open()?;
        let (mut there, mut expect) = (schedule, expect);
        let mut conflicts = 0;
        for _ in 0..SETTLE_ROUNDS {
            check_version(&there.name, there.rev, expect)?;
            let known = self.know(slice::from_ref(&there), plan).await?;
            let facts = known.of(&there)?;
            let sight = known.sight(&there, &facts);
            let decided = rule(&sight, &self.moment_with(self.defaults.retention));
            let Some(Fired {
                change, cancel, more, ..
            }) = decided
            else {
                return Ok(there);
            };
            let after = change.becomes.clone();
            match self.write_fired(&there, change).await? {
                ScheduleApplied::Applied => {
                    self.make_way(cancel).await;
                    there = after.unwrap_or(there);
                    if !more {
                        return Ok(there);
                    }
                    expect = expect.map(|_| there.rev);
                    tokio::task::yield_now().await;
                }
                ScheduleApplied::Stale(row) => {
                    there = *row.ok_or_else(|| unknown(&there.name))?;
                    conflicts += 1;
                }
                ScheduleApplied::Refused(error) => return Err(error),
            }
            if conflicts > CONFLICT_ROUNDS {
                break;
            }
        }
        Err(restless(&there.name))
    }

    /// Writes what was decided about this row.
    pub(in crate::engine) async fn write_fired(
        &self,
        before: &Schedule,
        change: ScheduleChange,
    ) -> Result<ScheduleApplied, Error> {
        let made = Made::by(before, &change);
        let written = self.write_schedule(change).await;
        if matches!(written, Ok(ScheduleApplied::Applied)) {
            self.counters.made(made);
        }
        written
    }

    /// Writes a change of a schedule. Where another transaction has locked its row, it is sent again and again for a while: a node
    /// that fires it is through in a moment. That may also be the transaction of an earlier try, whose answer was lost.
    pub(in crate::engine) async fn write_schedule(
        &self,
        change: ScheduleChange,
    ) -> Result<ScheduleApplied, Error> {
        let give_up_at = self.clock.uptime() + LANE_DEADLINE;
        let mut may_stand = false;
        loop {
            let mut written = self.schedules.submit(change.clone(), ()).await?;
            if may_stand {
                written = ScheduleWrites::repeated(&change, written);
            }
            let error = match &written {
                ScheduleApplied::Refused(error) if error.is_locked() || error.is_unknown() => error,
                _ => return Ok(written),
            };
            may_stand |= error.is_unknown();
            if self.clock.uptime() >= give_up_at {
                return Ok(written);
            }
            self.clock.sleep(FLUSH_PAUSE).await;
        }
    }

    /// Writes what was decided about these rows, and counts what was made so.
    pub(in crate::engine) async fn write_all_fired(
        &self,
        changes: Vec<(&Schedule, ScheduleChange)>,
    ) -> Vec<Result<ScheduleApplied, Error>> {
        let made = changes.iter().map(|(before, change)| Made::by(before, change));
        let made: Vec<Made> = made.collect();
        let writes: Vec<(ScheduleChange, ())> = changes.into_iter().map(|(_, change)| (change, ())).collect();
        let answers = self.schedules.submit_all(writes.into_iter()).await;
        for (made, answer) in made.into_iter().zip(&answers) {
            if matches!(answer, Ok(ScheduleApplied::Applied)) {
                self.counters.made(made);
            }
        }
        answers
    }

    /// Has every schedule with such a plan looked at, and so its next instant worked out anew.
    pub(in crate::engine) async fn look_again(&self, which: impl Fn(&Plan) -> bool) -> Result<(), Error> {
        let mut after = None;
        loop {
            let page = self.schedules_after(after, FIRE_ROWS).await?;
            let look = |sight: &Sight<'_>, moment: &Moment<'_>| Some(fire::look(sight, moment));
            let concerned = page.items.into_iter().filter(|row| which(&row.plan));
            let looks = concerned.map(|row| self.decide_on(row, None, None, look));
            for looked in join_all(looks).await {
                match looked {
                    Ok(_) => {}
                    // It is gone, or is looked at once it stands still, or its other calendars can be read.
                    Err(error) if is_of_an_item(&error) => {}
                    Err(error) => return Err(error),
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// Cancels the jobs that have to make way for the next ones. Where that fails, the next look at their schedule asks again.
    pub(in crate::engine) async fn make_way(&self, jobs: Vec<JobId>) {
        stream::iter(jobs)
            .for_each_concurrent(FIRE_CANCELS, |id| async move {
                let reason = "the next run of its schedule has come";
                match self.cancel(id, reason, None).await {
                    Ok(_) => {}
                    // It has ended, and makes way so.
                    Err(error) if matches!(error.kind(), Kind::NotFound | Kind::Conflict) => {}
                    Err(error) => tracing::warn!(
                        job = %id, %error,
                        "a run could not be cancelled; it is asked to make way again in {}", format_length(OWED_LOOK)
                    ),
                }
            })
            .await;
    }
}

fn check_version(name: &ScheduleName, rev: u64, expect: Option<u64>) -> Result<(), Error> {
    match expect.filter(|expect| *expect != rev) {
        None => Ok(()),
        Some(expect) => {
            let is = match rev {
                0 => format!("there is no schedule {name}"),
                _ => format!("schedule {name} is at version {rev}"),
            };
            let message = format!("{is}, not {expect}; look at it again");
            Err(Error::moved_on(message, rev))
        }
    }
}

/// There is no schedule of this name.
pub(super) fn unknown(name: &ScheduleName) -> Error {
    Error::not_found(format!("there is no schedule {name}"))
}

pub(super) fn restless(name: &ScheduleName) -> Error {
    Error::conflict(format!(
        "schedule {name} changed again and again while it was looked at; try again"
    ))
}
