//! What operators do with jobs, one by one.

use tracing::Instrument;

use crate::change::{Applied, Change, Edit};
use crate::error::Error;
use crate::job::{Job, JobId, OnConflict, State};
use crate::limits::CONFLICT_ROUNDS;
use crate::rules::admit::Admitted;
use crate::rules::{self, Moment};

use super::results::unknown;
use super::settings::is_limited;
use super::settle::tell_of;
use super::{Core, Engine};

impl Engine {
    /// Cancels a job: one that waits at once, one that runs as soon as its worker has stopped. Once this returns, the job
    /// can end in no other way. A job that was cancelled before is answered as it is. With `expect`, only a row of that version
    /// is cancelled; each heartbeat of a running job makes a new one.
    ///
    /// # Errors
    ///
    /// `NotFound`; `Conflict` if it has ended otherwise, does not stand still or has [another
    /// version](Error::version_there); `Invalid` for a reason that is too long.
    pub async fn cancel(&self, id: JobId, reason: &str, expect: Option<u64>) -> Result<Job, Error> {
        let span = tracing::debug_span!("cancel", job = %id);
        self.core.cancel(id, reason, expect).instrument(span).await
    }

    /// Begins a new life of a job that has ended, if its row has the version `expect`, where that is set: due now, its
    /// attempts allowed anew.
    ///
    /// # Errors
    ///
    /// `NotFound`; `Conflict` if it has not ended, another job holds its unique key, or it has another version.
    pub async fn retry(&self, id: JobId, expect: Option<u64>) -> Result<Job, Error> {
        let span = tracing::debug_span!("retry", job = %id);
        self.core.retry(id, expect).instrument(span).await
    }

    /// Makes a waiting job due now, if its row has the version `expect`, where that is set.
    ///
    /// # Errors
    ///
    /// `NotFound`; `Conflict` if it does not wait or has another version.
    pub async fn run_now(&self, id: JobId, expect: Option<u64>) -> Result<Job, Error> {
        let span = tracing::debug_span!("run_now", job = %id);
        self.core.run_now(id, expect).instrument(span).await
    }

    /// Deletes a job that does not run, if its row has the version `expect`, where that is set.
    ///
    /// # Errors
    ///
    /// `NotFound`; `Conflict` if it runs or has another version.
    pub async fn delete(&self, id: JobId, expect: Option<u64>) -> Result<(), Error> {
        let span = tracing::debug_span!("delete", job = %id);
        self.core.delete(id, expect).instrument(span).await
    }

    /// Changes a job that has not started, if its row has the version `expect`, where that is set.
    ///
    /// # Errors
    ///
    /// `NotFound`; `Conflict` if it has started or has another version; `Invalid` with every field that is wrong.
    pub async fn edit(&self, id: JobId, edit: Edit, expect: Option<u64>) -> Result<Job, Error> {
        self.edit_if(id, edit, expect, |_| Ok(())).await
    }

    /// As [`edit`](Self::edit), but only if `check` has nothing against it, given the row that the edit is made on. Its errors are
    /// answered as they are.
    pub async fn edit_if(
        &self,
        id: JobId,
        edit: Edit,
        expect: Option<u64>,
        check: impl Fn(&Job) -> Result<(), Error>,
    ) -> Result<Job, Error> {
        let span = tracing::debug_span!("edit", job = %id);
        let edited = self.core.edit(id, edit, expect, check);
        edited.instrument(span).await
    }
}

impl Core {
    pub(super) async fn cancel(&self, id: JobId, reason: &str, expect: Option<u64>) -> Result<Job, Error> {
        let (mut job, _) = self
            .operate(id, expect, |job, moment| rules::edit::cancel(job, reason, moment))
            .await?;
        if job.status.state == State::Waiting {
            // Where nothing is kept the row is gone. What is answered is the end that it came to.
            job.status.state = State::Cancelled;
            job.status.cancel = Some(reason.to_owned());
            job.status.ended_at = Some(self.clock.now());
        }
        Ok(job)
    }

    pub(super) async fn retry(&self, id: JobId, expect: Option<u64>) -> Result<Job, Error> {
        let rule = |job: &Job, moment: &Moment<'_>| rules::edit::retry(job, moment).map(Some);
        Ok(self.operate(id, expect, rule).await?.0)
    }

    pub(super) async fn run_now(&self, id: JobId, expect: Option<u64>) -> Result<Job, Error> {
        let rule = |job: &Job, moment: &Moment<'_>| rules::edit::run_now(job, moment).map(Some);
        Ok(self.operate(id, expect, rule).await?.0)
    }

    async fn edit(
        &self,
        id: JobId,
        edit: Edit,
        expect: Option<u64>,
        check: impl Fn(&Job) -> Result<(), Error>,
    ) -> Result<Job, Error> {
        let rule = |job: &Job, moment: &Moment<'_>| {
            check(job)?;
            rules::edit::edit(job, edit.clone(), moment).map(Some)
        };
        Ok(self.operate(id, expect, rule).await?.0)
    }

    pub(super) async fn delete(&self, id: JobId, expect: Option<u64>) -> Result<(), Error> {
        self.operate(id, expect, |job, _| rules::edit::delete(job).map(Some))
            .await?;
        Ok(())
    }

    /// Lets a rule decide about a job and writes what it decided, on a fresh row whenever the row moved on. Answers the
    /// row as it is afterwards, or as it was if it was deleted, and whether anything was written. With `expect`, only the row
    /// of that version is changed: the store compares it in the same step.
    pub(super) async fn operate(
        &self,
        id: JobId,
        expect: Option<u64>,
        rule: impl Fn(&Job, &Moment<'_>) -> Result<Option<Change>, Error>,
    ) -> Result<(Job, bool), Error> {
        let mut job = self.fetch(id).await?;
        let queues = self.settings.known().await?;
        for _ in 0..CONFLICT_ROUNDS {
            let rev = job.status.rev;
            if let Some(expect) = expect.filter(|expect| *expect != rev) {
                let message = format!("the job is at version {rev}, not {expect}; look at it again");
                return Err(Error::moved_on(message, rev));
            }
            let moment = self.moment(&queues, &job);
            let Some(change) = rule(&job, &moment)? else {
                return Ok((job, false));
            };
            let tell = tell_of(&job, &change, is_limited(&queues, &job.body.queue), moment.now);
            let after = changed(&job, &change).unwrap_or_else(|| job.clone());
            job = match self.changes.submit(change, tell).await? {
                Applied::Applied => return Ok((after, true)),
                Applied::Stale(row) => *row,
                Applied::Missing => return Err(unknown(id)),
                Applied::Held(holder) => {
                    // A holder whose window is over gives way, as it does to a new job.
                    let on_conflict = OnConflict::Reject;
                    let asks = Admitted {
                        job: after,
                        on_conflict,
                    };
                    self.meet(&asks, holder).await?;
                    job
                }
            };
        }
        Err(Error::conflict(format!(
            "the job changed {CONFLICT_ROUNDS} times while it was looked at; try again"
        )))
    }
}

/// The row after this change; nothing if the change deletes it.
pub(super) fn changed(job: &Job, change: &Change) -> Option<Job> {
    let status = change.becomes.clone()?;
    let body = change.body.clone().unwrap_or_else(|| job.body.clone());
    Some(Job { body, status })
}
