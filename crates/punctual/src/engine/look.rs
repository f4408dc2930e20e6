//! Looking at one job: its row, and its result once there is one.

use std::time::Duration;

use crate::error::Error;
use crate::job::{Job, JobId};
use crate::limits::FLUSH_ITEMS;
use crate::queue::QueueName;
use crate::rules::is_husk;
use crate::store::Store;

use super::Core;
use super::lane::{closed, is_of_an_item};
use super::results::unknown;
use super::settings::retention_of;

impl Core {
    pub(super) async fn fetch(&self, id: JobId) -> Result<Job, Error> {
        self.read(id).await?.ok_or_else(|| unknown(id))
    }

    /// The rows of these jobs, each by itself: one that cannot be read is an error of its own.
    pub(super) async fn fetch_each(&self, ids: &[JobId]) -> Result<Vec<Fetched>, Error> {
        fetch_each(self.store.as_ref(), ids).await
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

/// A row, or nothing where there is none, or why it cannot be read.
pub(super) type Fetched = Result<Option<Job>, Error>;

/// Reads rows in batches. A batch that fails for a row's reason is halved until that row stands alone.
pub(super) async fn fetch_each(store: &dyn Store, ids: &[JobId]) -> Result<Vec<Fetched>, Error> {
    let mut parts: Vec<&[JobId]> = ids.rchunks(FLUSH_ITEMS).collect();
    let mut rows = Vec::with_capacity(ids.len());
    while let Some(part) = parts.pop() {
        match store.fetch(part).await {
            Ok(found) => rows.extend(found.into_iter().map(Ok)),
            Err(error) if !is_of_an_item(&error) => return Err(error),
            Err(error) if part.len() == 1 => rows.push(Err(error)),
            Err(_) => {
                let (first, second) = part.split_at(part.len() / 2);
                parts.extend([second, first]);
            }
        }
    }
    Ok(rows)
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
