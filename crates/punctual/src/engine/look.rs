//! Looking at one job: its row, and its result once there is one.

use std::time::Duration;

use crate::error::Error;
use crate::job::{Job, JobId};
use crate::queue::QueueName;

use super::Core;
use super::results::unknown;
use super::settings::retention_of;

impl Core {
    pub(super) async fn fetch(&self, id: JobId) -> Result<Job, Error> {
        self.read(id).await?.ok_or_else(|| unknown(id))
    }

    /// The row of a job as soon as it has ended, or as it stands when `wait` is over.
    pub(super) async fn result(&self, id: JobId, wait: Duration) -> Result<Job, Error> {
        if wait.is_zero() {
            return self.fetch(id).await;
        }
        let mut waiter = self.results.join(id)?;
        let job = waiter.read().await?;
        if !job.status.state.is_ended() {
            self.check_waitable(&job.body.queue).await?;
        }
        tokio::select! {
            biased;
            job = waiter.ended(job, wait) => job,
            () = self.stopping.cancelled() => Err(Error::unavailable("the engine is closed")),
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
