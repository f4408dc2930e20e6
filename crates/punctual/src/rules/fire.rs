//! Firing: what becomes of the instants of a schedule whose time has come.
//!
//! ```text
//!                    ┌ left out by the clocks ──────────────────────────────▶ skipped: dst_gap
//!                    │ missed, and let go by the misfire policy ────────────▶ skipped: misfire
//!  nominal instant ──┤                       ┌ all runs made ───────────────▶ skipped: ended
//!                    │                       │ a run is live ┬ skip ────────▶ skipped: overlap
//!                    └ on time, or fired late┤               ├ buffer_one ──▶ owed ──┐
//!                                            │               └ cancel_other ▶ owed ──┤ when no run is live
//!                                            └ else ────────────────────────▶ fired ◀┘
//! ```
//!
//! A look settles all instants from the last one that was settled until now, each in one of these ways, and says when the
//! next look is. It is a pure function of the row, of which of its jobs are live, and of the instant taken for now; the write
//! compares the row's `rev`, so that of several nodes that look at once one fires, and the others have changed nothing.

mod arrival;
mod backfill;
mod due;
mod firing;

use std::sync::Arc;

use crate::change::ScheduleChange;
use crate::job::JobId;
use crate::rules::Moment;
use crate::schedule::{Calendars, Pause, Plan, Schedule, ScheduleId, ScheduleName, Standing};
use crate::time::Timestamp;

pub use backfill::{Backfilled, backfill};

use firing::Firing;

/// A schedule, and what has to be known to decide about it.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    /// The row.
    pub schedule: &'a Schedule,
    /// Which of the jobs that its standing names as live still are.
    pub live: &'a [JobId],
    /// When the last of the others ended; if it is not known any more, now.
    pub ended_at: Option<Timestamp>,
    /// The dates of the calendars that its plan names.
    pub calendars: &'a Calendars,
}

/// What was decided.
#[derive(Clone, Debug, PartialEq)]
pub struct Fired {
    /// The write.
    pub change: ScheduleChange,
    /// Jobs to cancel once it is written.
    pub cancel: Vec<JobId>,
    /// There is more to settle up to the same instant: ask again with what the row has become.
    pub more: bool,
    /// Instants that it went through, which tells how long it took.
    pub passed: usize,
}

/// A new schedule, whose instants begin after now. Its plan is [checked](crate::rules::plan::check) before.
pub fn create(
    id: ScheduleId,
    name: ScheduleName,
    plan: Plan,
    calendars: &Calendars,
    moment: &Moment<'_>,
) -> ScheduleChange {
    let nothing = Schedule {
        id,
        name,
        rev: 0,
        created_at: moment.now,
        plan: Arc::new(plan),
        standing: Standing::new(moment.now),
    };
    let sight = Sight {
        schedule: &nothing,
        live: &[],
        ended_at: None,
        calendars,
    };
    Firing::new(&sight, moment).finish().change
}

/// Settles what is due by now. A schedule that is paused has nothing due.
pub fn look(sight: &Sight<'_>, moment: &Moment<'_>) -> Fired {
    let mut firing = Firing::new(sight, moment);
    if firing.standing.paused.is_none() {
        firing.pay();
        firing.drop_what_is_never_paid();
        firing.settle(firing.horizon());
        firing.ask_again_to_make_way();
    }
    firing.finish()
}

/// Settles what is due by now, and then fires nothing until it is [resumed](resume). A schedule that is paused takes the new
/// reason, and stays paused since when it was.
pub fn pause(sight: &Sight<'_>, reason: String, moment: &Moment<'_>) -> Fired {
    let mut firing = Firing::new(sight, moment);
    match &mut firing.standing.paused {
        Some(pause) => pause.reason = reason,
        None => {
            let since = moment.now;
            firing.settle(firing.horizon());
            if !firing.more {
                firing.standing.paused = Some(Pause { reason, since });
            }
        }
    }
    firing.finish()
}

/// Ends a pause: what came due meanwhile is skipped.
pub fn resume(sight: &Sight<'_>, moment: &Moment<'_>) -> Fired {
    let mut firing = Firing::new(sight, moment);
    if firing.standing.paused.is_some() {
        firing.settle(firing.horizon());
        if !firing.more {
            firing.standing.paused = None;
        }
    }
    firing.finish()
}

/// Settles all instants up to now by the old plan, also those whose jobs are due later, and goes on by the new one: no
/// instant is fired twice by it, or lost.
pub fn edit(sight: &Sight<'_>, plan: Plan, moment: &Moment<'_>) -> Fired {
    let mut firing = Firing::new(sight, moment);
    firing.settle(moment.now);
    if !firing.more {
        firing.replan(plan);
    }
    firing.finish()
}

/// Makes a job out of turn, under this id, whatever is live or paused. The plan goes on where it was; as long as the job is live,
/// its overlap policy counts it as any other.
pub fn trigger(sight: &Sight<'_>, id: JobId, moment: &Moment<'_>) -> Fired {
    let mut firing = Firing::new(sight, moment);
    firing.trigger(id);
    firing.finish()
}
