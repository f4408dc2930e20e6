//! The jobs that a schedule has made, as its ledger names them: jobs are in no order by their schedules.

use tracing::Instrument;

use crate::error::Error;
use crate::job::{Job, JobId};
use crate::limits::{BULK_ROWS, PAGE_ITEMS, PAGE_ROWS};
use crate::schedule::{Occurrence, OccurrenceKey, Outcome, ScheduleId, ScheduleName};
use crate::store::{Filter, Head};

use super::super::{Core, Engine};

/// A page of the jobs of a schedule.
#[derive(Clone, Debug, PartialEq)]
pub struct ScheduleJobs {
    /// The jobs, those of the latest instants first.
    pub items: Vec<Head>,
    /// Where the next page begins; unset at the end.
    pub next: Option<OccurrenceKey>,
}

impl Engine {
    /// Jobs that a schedule made and that a filter lets through, those of the latest instants first: behind the place `before`,
    /// where that is set, and at most `limit` of them. The order of the filter's view is of no meaning here.
    ///
    /// It finds what the ledger of the schedule still tells of. A page may be short, even empty, and still have a next one.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such schedule; `Invalid` for a limit that is 0 or more than
    /// [`PAGE_ITEMS`].
    pub async fn jobs_of_schedule(
        &self,
        name: impl Into<ScheduleName>,
        filter: &Filter,
        before: Option<OccurrenceKey>,
        limit: usize,
    ) -> Result<ScheduleJobs, Error> {
        let name = name.into();
        let span = tracing::debug_span!("jobs_of_schedule", schedule = %name);
        let listed = self.core.jobs_of_schedule(&name, filter, before, limit);
        listed.instrument(span).await
    }
}

impl Core {
    async fn jobs_of_schedule(
        &self,
        name: &ScheduleName,
        filter: &Filter,
        mut before: Option<OccurrenceKey>,
        limit: usize,
    ) -> Result<ScheduleJobs, Error> {
        if !(1..=PAGE_ITEMS).contains(&limit) {
            let message = format!("must lie between 1 and {PAGE_ITEMS}, and is {limit}");
            return Err(Error::invalid_field("/limit", message));
        }
        let schedule = self.schedule(name).await?.id;
        let now = filter.now.unwrap_or_else(|| self.clock.now());
        let mut items = Vec::new();
        // Whole rows are read, and few of them held at once.
        for _ in 0..PAGE_ROWS / BULK_ROWS {
            let entries = self.store.occurrences(schedule, before, BULK_ROWS).await?;
            let is_last = entries.len() < BULK_ROWS;
            for (place, job) in self.fired(schedule, &entries).await? {
                let head = Head::of(&job, now);
                if filter.matches(&head) {
                    items.push(head);
                }
                if items.len() == limit {
                    let next = Some(place);
                    return Ok(ScheduleJobs { items, next });
                }
            }
            before = entries.last().map(Occurrence::key).filter(|_| !is_last);
            if before.is_none() {
                break;
            }
        }
        let next = before;
        Ok(ScheduleJobs { items, next })
    }

    /// The jobs of this schedule that these entries tell of, where they are still there and can be read.
    async fn fired(
        &self,
        schedule: ScheduleId,
        entries: &[Occurrence],
    ) -> Result<Vec<(OccurrenceKey, Job)>, Error> {
        let made = entries.iter().filter_map(|entry| match entry.outcome {
            Outcome::Fired { job, .. } => Some((entry.key(), job)),
            Outcome::Skipped(_) => None,
        });
        let (places, ids): (Vec<OccurrenceKey>, Vec<JobId>) = made.unzip();
        let rows = self.fetch_each(&ids).await?;
        let there = places.into_iter().zip(rows);
        // Under the id of a job that was deleted, somebody may have added another one.
        let is_its = |job: &Job| {
            let origin = job.body.origin.as_ref();
            origin.is_some_and(|origin| origin.schedule == schedule)
        };
        Ok(there
            .filter_map(|(place, row)| Some((place, row.ok()??)))
            .filter(|(_, job)| is_its(job))
            .collect())
    }
}
