//! Why a schedule fires, or does not: in plain sentences.

use std::iter;
use std::time::Duration;

use crate::error::Error;
use crate::limits::FIRE_LATE;
use crate::schedule::{
    AT_ONCE, Calendars, MisfireMode, Overlap, Plan, Schedule, ScheduleName, Spec, Standing,
};
use crate::store::Schedules;
use crate::time::{Timestamp, format_length};

use super::super::Core;
use super::operate::unknown;

impl Core {
    pub(super) async fn explain_schedule(&self, name: &ScheduleName) -> Result<Vec<String>, Error> {
        name.check()?;
        let rows = self.store.schedules(Schedules::Named(vec![name.clone()])).await?;
        if let Some(unreadable) = rows.unreadable.first() {
            return Ok(vec![
                format!(
                    "It cannot be read by this version of Punctual: {}.",
                    unreadable.why
                ),
                "A newer version wrote it, as a rule; nothing of it is fired by this one.".to_owned(),
            ]);
        }
        let schedule = rows.items.into_iter().next().ok_or_else(|| unknown(name))?;
        let calendars = self.calendars_of(iter::once(&*schedule.plan)).await?;
        let mut said = vec![format!("It fires {}.", schedule.plan.describe())];
        if let Some(calendar) = schedule.plan.exclude.unreadable(&calendars) {
            said.push(format!(
                "Calendar {calendar} cannot be read, so nobody knows on which days it rests: nothing of it is fired until \
                 somebody sets that calendar anew, or deletes it."
            ));
        }
        said.extend(standing(&schedule, &calendars, self.clock.now()));
        Ok(said)
    }
}

/// How it stands, what comes next, and what holds it.
fn standing(schedule: &Schedule, calendars: &Calendars, now: Timestamp) -> Vec<String> {
    let (plan, standing) = (&schedule.plan, &schedule.standing);
    let mut said = Vec::new();
    if let Some(last) = standing.last_fired {
        said.push(format!(
            "It has made {}, the last one for {}.",
            runs(standing.fired),
            plan.show(last)
        ));
    }
    if let Some(pause) = &standing.paused {
        let reason = match pause.reason.as_str() {
            "" => String::new(),
            reason => format!(" ({reason})"),
        };
        said.push(format!(
            "It is paused since {}{reason}: what comes due is skipped until somebody resumes it.",
            plan.show(pause.since)
        ));
        return said;
    }
    if let Some(max) = plan.max_runs.filter(|max| standing.fired >= *max) {
        said.push(format!("It has ended: it was to make {}.", runs(max)));
        return said;
    }
    said.extend(live(plan, standing));
    said.extend(next(schedule, calendars, now));
    said
}

/// What a live run means for the next one.
fn live(plan: &Plan, standing: &Standing) -> Option<String> {
    if standing.live.is_empty() {
        return None;
    }
    let live = format!("As of its last look, {} of it had not ended", runs_live(standing));
    if let Spec::After(_) = plan.spec {
        return Some(format!("{live}: the next one comes after that."));
    }
    let then = match plan.overlap {
        Overlap::Skip => "an instant that comes meanwhile is skipped",
        Overlap::BufferOne => {
            "one instant that comes meanwhile is fired when it has ended, others are skipped"
        }
        Overlap::CancelOther => "the next instant cancels it, and is fired when it has ended",
        Overlap::Allow => return None,
    };
    let owed = match (standing.owed.front(), standing.owed.len()) {
        (None, _) => String::new(),
        (Some(owed), 1) => format!(" The instant {} waits for that.", plan.show(owed.nominal_at)),
        (Some(owed), count) => format!(
            " {count} instants wait for that, the first of them {}.",
            plan.show(owed.nominal_at)
        ),
    };
    Some(format!("{live}: {then}.{owed}"))
}

/// When its next job is due.
fn next(schedule: &Schedule, calendars: &Calendars, now: Timestamp) -> Option<String> {
    let (plan, standing) = (&schedule.plan, &schedule.standing);
    match standing.next {
        None if !standing.live.is_empty() => None,
        None => Some("It has ended: no instant of its plan is left.".to_owned()),
        Some(AT_ONCE) => Some("A run of it has just ended, and it is looked at now.".to_owned()),
        Some(next) if next + FIRE_LATE < now => Some(format!(
            "It is overdue since {}: no node fires it. {}",
            plan.show(next),
            late(plan)
        )),
        Some(next) if next <= now => Some("It is due, and is fired now.".to_owned()),
        Some(_) if !standing.owed.is_empty() => None,
        // Somebody may look earlier, for another reason.
        Some(_) => {
            let due = schedule.next_nominal(calendars)? + plan.spread_of(schedule.id);
            Some(format!(
                "It fires next at {}, in {}.",
                plan.show(due),
                // Nobody reads an hour's microseconds.
                format_length(Duration::from_secs(due.since(now).as_secs()))
            ))
        }
    }
}

/// What happens to instants that nobody fires.
fn late(plan: &Plan) -> &'static str {
    match plan.misfire.mode {
        MisfireMode::Skip => "What is missed so is skipped.",
        MisfireMode::Latest => "When one does, the latest of the missed instants is fired for all of them.",
        MisfireMode::All => "When one does, the missed instants are fired one by one.",
    }
}

fn runs(count: u64) -> String {
    match count {
        1 => "1 run".to_owned(),
        count => format!("{count} runs"),
    }
}

fn runs_live(standing: &Standing) -> String {
    runs(u64::try_from(standing.live.len()).unwrap_or(u64::MAX))
}
