//! Looking at one job: its row, and its result once there is one.

use std::time::Duration;

use crate::error::Error;
use crate::job::{Job, JobId};
use crate::queue::QueueName;
use crate::rules::is_husk;

use super::Core;
use super::lane::closed;
use super::results::unknown;
use super::settings::retention_of;

impl Core {
    pub(super) async fn fetch(&self, id: JobId) -> Result<Job, Error> {
        self.read(id).await?.ok_or_else(|| unknown(id))
    }

    /// The row of a job as soon as it has ended, or as it stands when `wait` is over.
    pub(super) async fn result(&self, id: JobId, wait: Duration) -> Result<Job, Error> {
        if wait.is_zero() {
            return with_result(self.fetch(id).await?);
        }
        let mut waiter = self.results.join(id)?;
        let job = waiter.read().await?;
        if !job.status.state.is_ended() {
            self.check_waitable(&job.body.queue).await?;
        }
        tokio::select! {
            biased;
            job = waiter.ended(job, wait) => with_result(job?),
            () = self.stopping.cancelled() => Err(closed()),
        }
    }

    pub(super) async fn check_waitable(&self, queue: &QueueName) -> Result<(), Error> {
        let queues = self.settings.known().await?;
        let kept = retention_of(&queues, queue, self.defaults.retention);
        let all = [kept.succeeded, kept.failed, kept.cancelled];
        if all.iter().all(|length| !length.is_zero()) {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "queue {queue} deletes jobs as they end (its retention is 0), so there is no result to wait for"
        )))
    }
}

/// The row, unless it is what is left of a job to hold its unique key: its result was dropped as it ended, and none is
/// something else than an empty one.
fn with_result(job: Job) -> Result<Job, Error> {
    if is_husk(&job) {
        return Err(Error::not_found(format!(
            "job {} has ended, and its queue keeps no results (its retention is 0): what is left holds its unique key",
            job.id()
        )));
    }
    Ok(job)
}
