//! What has to be known of schedules, beside their rows, before a rule decides about them.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Error;
use crate::job::{Job, JobId};
use crate::limits::BULK_ROWS;
use crate::rules::fire::Sight;
use crate::schedule::{Calendars, Plan, Schedule};
use crate::time::Timestamp;

use super::super::Core;
use super::super::calendars::check_readable;

/// What is known of the jobs of some schedules, and of calendars.
pub(in crate::engine) struct Known {
    /// The jobs that have ended, and when.
    ended: BTreeMap<JobId, Timestamp>,
    calendars: Calendars,
}

/// What is known of one schedule.
pub(in crate::engine) struct Facts {
    live: Vec<JobId>,
    ended_at: Option<Timestamp>,
}

impl Known {
    /// What this says of one of the schedules that it was read for.
    ///
    /// # Errors
    ///
    /// `Internal` if a calendar that it names cannot be read, so that nothing can be decided about it.
    pub(in crate::engine) fn of(&self, schedule: &Schedule) -> Result<Facts, Error> {
        check_readable(&schedule.plan, &self.calendars)?;
        let jobs = &schedule.standing.live;
        let ends = jobs.iter().filter_map(|id| self.ended.get(id).copied());
        Ok(Facts {
            live: jobs
                .iter()
                .filter(|id| !self.ended.contains_key(id))
                .copied()
                .collect(),
            ended_at: ends.max(),
        })
    }

    /// The sight of a schedule.
    pub(in crate::engine) fn sight<'a>(&'a self, schedule: &'a Schedule, facts: &'a Facts) -> Sight<'a> {
        Sight {
            schedule,
            live: &facts.live,
            ended_at: facts.ended_at,
            calendars: &self.calendars,
        }
    }
}

impl Core {
    /// Reads what has to be known to decide about these schedules, and about giving one of them this plan.
    pub(in crate::engine) async fn know(
        &self,
        schedules: &[Schedule],
        plan: Option<&Plan>,
    ) -> Result<Known, Error> {
        let plans = schedules.iter().map(|row| row.plan.as_ref()).chain(plan);
        let calendars = self.calendars_of(plans).await?;
        let jobs: BTreeSet<JobId> = schedules
            .iter()
            .flat_map(|row| row.standing.live.iter().copied())
            .collect();
        let ended = self.ended(&jobs.into_iter().collect::<Vec<_>>()).await?;
        Ok(Known { ended, calendars })
    }

    /// Those of these jobs that are not live, and when each ended: one that is gone, now. One that cannot be read counts as live,
    /// since a newer version may be at it.
    async fn ended(&self, jobs: &[JobId]) -> Result<BTreeMap<JobId, Timestamp>, Error> {
        let mut ended = BTreeMap::new();
        for part in jobs.chunks(BULK_ROWS) {
            let rows = self.fetch_each(part).await?;
            let now = self.clock.now();
            let end = |row: Option<Job>| match row {
                Some(job) if !job.status.state.is_ended() => None,
                Some(job) => Some(job.status.ended_at.unwrap_or(now)),
                None => Some(now),
            };
            let ends = part.iter().zip(rows);
            ended.extend(ends.filter_map(|(id, row)| Some((*id, end(row.ok()?)?))));
        }
        Ok(ended)
    }
}
