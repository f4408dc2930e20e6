//! What the client changes: one job, all that a filter matches, and many that it adds at once.
//!
//! With `expect`, a job is changed only if its row has this version, which is the `rev` that every answer tells. One that has
//! moved on is a refusal with status 412.

use http::Method;

use super::{Client, ClientError, NOTHING, job_path};
use crate::wire::{Batch, BatchItem, Bulk, Bulked, Cancel, Job, JobEdit, NewJob, Verb};

impl Client {
    /// Adds up to [`BATCH_JOBS`](crate::limits::BATCH_JOBS) jobs, and answers for each in order: one that cannot be is refused alone.
    pub async fn enqueue_all(&self, jobs: &[NewJob]) -> Result<Vec<BatchItem>, ClientError> {
        let batch: Batch = self
            .change(Method::POST, "/v1/jobs/batch", Some(&jobs), None)
            .await?;
        Ok(batch.items)
    }

    /// Changes a job that has not started.
    pub async fn edit(&self, id: &str, edit: &JobEdit, expect: Option<u64>) -> Result<Job, ClientError> {
        self.change(Method::PATCH, &job_path(id, ""), Some(edit), expect)
            .await
    }

    /// Cancels a job, for this reason, which may be empty.
    pub async fn cancel(&self, id: &str, reason: &str, expect: Option<u64>) -> Result<Job, ClientError> {
        let cancel = Cancel {
            reason: reason.to_owned(),
        };
        let path = job_path(id, "/cancel");
        self.change(Method::POST, &path, Some(&cancel), expect).await
    }

    /// Begins a new life of a job that has ended.
    pub async fn retry(&self, id: &str, expect: Option<u64>) -> Result<Job, ClientError> {
        self.change(Method::POST, &job_path(id, "/retry"), NOTHING, expect)
            .await
    }

    /// Makes a waiting job due now.
    pub async fn run_now(&self, id: &str, expect: Option<u64>) -> Result<Job, ClientError> {
        self.change(Method::POST, &job_path(id, "/run"), NOTHING, expect)
            .await
    }

    /// Deletes a job that does not run.
    pub async fn delete(&self, id: &str, expect: Option<u64>) -> Result<(), ClientError> {
        self.remove(&job_path(id, ""), expect).await
    }

    /// Cancels, retries or deletes a bounded piece of what a filter matches. Where the answer has a `next`, the same call with
    /// it as `cursor` goes on.
    pub async fn bulk(&self, verb: Verb, bulk: &Bulk) -> Result<Bulked, ClientError> {
        let path = format!("/v1/jobs/{}", verb.as_str());
        self.change(Method::POST, &path, Some(bulk), None).await
    }
}
