//! What a caller holds of a job: its name, its row as it was stored, and the way to its result.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::time::Duration;

use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::job::{Failure, FailureReason, Job, JobId, Json, NewJob, State, Task};
use crate::limits::LENGTH_MAX;

use super::Engine;

/// Something that can be enqueued: a [`Task`], or a [`NewJob`] that says more.
pub trait IntoJob {
    /// What the job's result is read as.
    type Output;

    /// The job to enqueue. Fails as `Invalid` if the task has no JSON form.
    fn into_job(self) -> Result<NewJob<Self::Output>, Error>;
}

impl<T: Task> IntoJob for T {
    type Output = T::Output;

    fn into_job(self) -> Result<NewJob<T::Output>, Error> {
        NewJob::task(&self)
    }
}

impl<O> IntoJob for NewJob<O> {
    type Output = O;

    fn into_job(self) -> Result<NewJob<O>, Error> {
        Ok(self)
    }
}

/// A job that was asked for, durable by now: the new one, or the one that was there. Derefs to its [`JobHandle`].
pub struct Enqueued<O = Json> {
    handle: JobHandle<O>,
    row: Job,
    how: How,
}

/// How a job that was asked for came to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    Inserted,
    Existed,
    Deduplicated,
}

impl<O> Enqueued<O> {
    pub(super) fn new(engine: &Engine, (row, how): (Job, How)) -> Enqueued<O> {
        Enqueued {
            handle: engine.job(row.id()).typed(),
            row,
            how,
        }
    }

    /// The row, as it was stored or found.
    pub fn row(&self) -> &Job {
        &self.row
    }

    /// Whether another job held the unique key, and this is that job.
    pub fn deduplicated(&self) -> bool {
        self.how == How::Deduplicated
    }

    /// Whether the same job had been sent before, under the same id.
    pub fn existed(&self) -> bool {
        self.how == How::Existed
    }
}

impl<O> Deref for Enqueued<O> {
    type Target = JobHandle<O>;

    fn deref(&self) -> &JobHandle<O> {
        &self.handle
    }
}

impl<O> fmt::Debug for Enqueued<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (id, how) = (self.id(), self.how);
        f.debug_struct("Enqueued")
            .field("id", &id)
            .field("how", &how)
            .finish()
    }
}

/// One job of an engine, by its name. It need not exist.
pub struct JobHandle<O = Json> {
    engine: Engine,
    id: JobId,
    output: PhantomData<fn() -> O>,
}

impl JobHandle {
    pub(super) fn new(engine: Engine, id: JobId) -> JobHandle {
        JobHandle {
            engine,
            id,
            output: PhantomData,
        }
    }
}

impl<O> JobHandle<O> {
    /// The job's name.
    pub fn id(&self) -> JobId {
        self.id
    }

    /// The same job with a result that is read as `P`.
    pub fn typed<P>(self) -> JobHandle<P> {
        JobHandle {
            engine: self.engine,
            id: self.id,
            output: PhantomData,
        }
    }

    /// How the job ends, or stands when `wait` is over. Errors are those of [`Engine::result`].
    pub async fn ending(&self, wait: Duration) -> Result<Ending, Error> {
        self.engine.result(self.id, wait).await
    }

    /// Cancels the job. Errors are those of [`Engine::cancel`].
    pub async fn cancel(&self, reason: &str) -> Result<Job, Error> {
        self.engine.cancel(self.id, reason, None).await
    }
}

impl<O: DeserializeOwned> JobHandle<O> {
    /// What the handler returned, as soon as the job has ended; dropping the wait cancels nothing.
    ///
    /// # Errors
    ///
    /// How the job ended otherwise; or why that cannot be told: errors of [`Engine::result`], and `Invalid` for a result
    /// that cannot be read as `O`.
    pub async fn result(&self) -> Result<O, ResultError> {
        loop {
            match self.ending(LENGTH_MAX).await? {
                Ending::Pending(_) => {}
                Ending::Succeeded(_, result) => return read(&result).map_err(ResultError::Error),
                Ending::Failed(_, failure) => return Err(ResultError::Failed(failure)),
                Ending::Cancelled(_, reason) => return Err(ResultError::Cancelled(reason)),
            }
        }
    }
}

impl<O> Clone for JobHandle<O> {
    fn clone(&self) -> Self {
        JobHandle {
            engine: self.engine.clone(),
            id: self.id,
            output: PhantomData,
        }
    }
}

impl<O> fmt::Debug for JobHandle<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JobHandle").field(&self.id).finish()
    }
}

/// An empty result is what a handler without an answer leaves: it reads as `null` does.
fn read<O: DeserializeOwned>(result: &[u8]) -> Result<O, Error> {
    let json: &[u8] = if result.is_empty() { b"null" } else { result };
    serde_json::from_slice(json)
        .map_err(|error| Error::invalid("the result is not of the type that is asked for").caused_by(error))
}

/// How a job ended, if it has.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// It has not ended yet.
    Pending(Job),
    /// It is done, with this result.
    Succeeded(Job, Bytes),
    /// It failed.
    Failed(Job, Failure),
    /// It was cancelled, for this reason, which may be empty.
    Cancelled(Job, String),
}

impl Ending {
    /// How this row ended.
    pub fn of(job: Job) -> Ending {
        match job.status.state {
            State::Waiting | State::Running => Ending::Pending(job),
            State::Succeeded => {
                let result = job.status.result.clone().unwrap_or_default();
                Ending::Succeeded(job, result)
            }
            State::Failed => {
                let failure = job.status.failure.clone().unwrap_or_else(|| Failure {
                    reason: FailureReason::Failed,
                    message: "the row does not say why".to_owned(),
                });
                Ending::Failed(job, failure)
            }
            State::Cancelled => {
                let reason = job.status.cancel.clone().unwrap_or_default();
                Ending::Cancelled(job, reason)
            }
        }
    }

    /// The row.
    pub fn job(&self) -> &Job {
        match self {
            Ending::Pending(job)
            | Ending::Succeeded(job, _)
            | Ending::Failed(job, _)
            | Ending::Cancelled(job, _) => job,
        }
    }
}

/// Why there is no result.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ResultError {
    /// The job failed.
    #[error("the job failed: {0}")]
    Failed(Failure),
    /// The job was cancelled, for this reason, which may be empty.
    #[error("the job was cancelled: {0}")]
    Cancelled(String),
    /// It cannot be told.
    #[error(transparent)]
    Error(#[from] Error),
}
