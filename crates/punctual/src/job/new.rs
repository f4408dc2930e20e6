//! A new job: what somebody wants done, before rules made a row of it.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;

use super::{Backoff, JobId, Json, OnLost, Options, Task};
use crate::error::Error;
use crate::queue::QueueName;
use crate::time::Timestamp;

/// A job as somebody asks for it. Only what is set is stored; the rest takes its default when it is needed.
///
/// `O` is what the job's result is read as.
///
/// ```
/// use punctual::{NewJob, minutes};
/// use serde_json::json;
///
/// let job = NewJob::new("mail.welcome", &json!({"user": 7}))?.delay(minutes(5)).unique("welcome:7").priority(2);
/// assert_eq!(job.kind, "mail.welcome");
/// # Ok::<(), punctual::Error>(())
/// ```
#[derive(PartialEq)]
pub struct NewJob<O = Json> {
    /// The id, if the caller chooses it; sending it again is the same job.
    pub id: Option<JobId>,
    /// `http`, `command` or the name of a handler.
    pub kind: String,
    /// What the handler is given: JSON, or any bytes.
    pub payload: Bytes,
    /// The queue; unset, `default`, or for a target's job the queue named after the target.
    pub queue: Option<QueueName>,
    /// 0 (first) to 9; unset, 5.
    pub priority: Option<u8>,
    /// When it may start.
    pub start: Start,
    /// For people and filters.
    pub tags: Vec<String>,
    /// Limits and policies of its runs.
    pub options: Options,
    /// At most one live job holds a unique key.
    pub unique: Option<Unique>,
    output: PhantomData<fn() -> O>,
}

impl NewJob {
    /// A job for the handler of `kind`, with a payload written as JSON. Fails if `payload` has no JSON form.
    pub fn new(kind: impl Into<String>, payload: &impl Serialize) -> Result<NewJob, Error> {
        Ok(NewJob::bytes(kind, json_bytes(payload)?))
    }

    /// A job for the handler of `kind`, with a payload of any bytes.
    pub fn bytes(kind: impl Into<String>, payload: impl Into<Bytes>) -> NewJob {
        NewJob::of(kind.into(), payload.into())
    }

    /// A job for this task, whose result is read as the task's output. Fails if the task has no JSON form.
    pub fn task<T: Task>(task: &T) -> Result<NewJob<T::Output>, Error> {
        Ok(NewJob::of(T::KIND.to_owned(), json_bytes(task)?))
    }
}

impl<O> NewJob<O> {
    fn of(kind: String, payload: Bytes) -> NewJob<O> {
        NewJob {
            id: None,
            kind,
            payload,
            queue: None,
            priority: None,
            start: Start::Now,
            tags: Vec::new(),
            options: Options::default(),
            unique: None,
            output: PhantomData,
        }
    }

    /// Chooses the id. The same id and the same job again is the same job; another job under it is a conflict.
    pub fn id(mut self, id: JobId) -> Self {
        self.id = Some(id);
        self
    }

    /// Chooses the queue.
    pub fn queue(mut self, queue: impl Into<QueueName>) -> Self {
        self.queue = Some(queue.into());
        self
    }

    /// 0 (first) to 9 (last).
    pub fn priority(mut self, priority: u8) -> Self {
        self.priority = Some(priority);
        self
    }

    /// Not before this instant; one that is past means now.
    pub fn at(mut self, instant: impl Into<Timestamp>) -> Self {
        self.start = Start::At(instant.into());
        self
    }

    /// Not before this long from now, by the clock of whoever admits the job.
    pub fn delay(mut self, length: Duration) -> Self {
        self.start = Start::In(length);
        self
    }

    /// Adds a tag.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Lets at most one live job hold this key; the caller of a second one is given the first.
    pub fn unique(mut self, key: impl Into<String>) -> Self {
        self.unique.get_or_insert_default().key = Some(key.into());
        self
    }

    /// As [`unique`](Self::unique), with a key made of the kind and the payload.
    pub fn unique_by_payload(mut self) -> Self {
        self.unique.get_or_insert_default().key = None;
        self
    }

    /// Holds the unique key for this long from now, whatever becomes of the job.
    pub fn unique_for(mut self, window: Duration) -> Self {
        self.unique.get_or_insert_default().window = Some(window);
        self
    }

    /// What happens when a live job holds the key.
    pub fn on_conflict(mut self, on_conflict: OnConflict) -> Self {
        self.unique.get_or_insert_default().on_conflict = on_conflict;
        self
    }

    /// The longest that one attempt may take.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = Some(timeout);
        self
    }

    /// Attempts before the job fails, the first one included.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.options.max_attempts = Some(attempts);
        self
    }

    /// The delays between attempts.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.options.backoff = Some(backoff);
        self
    }

    /// No further attempt begins this long after the first one began.
    pub fn max_elapsed(mut self, length: Duration) -> Self {
        self.options.max_elapsed = Some(length);
        self
    }

    /// A job not started by then fails, with the reason `expired`.
    pub fn start_deadline(mut self, instant: impl Into<Timestamp>) -> Self {
        self.options.start_deadline = Some(instant.into());
        self
    }

    /// What becomes of a run whose worker was lost.
    pub fn on_lost(mut self, on_lost: OnLost) -> Self {
        self.options.on_lost = Some(on_lost);
        self
    }

    /// The same job with a result that is read as any JSON.
    pub fn untyped(self) -> NewJob {
        NewJob {
            id: self.id,
            kind: self.kind,
            payload: self.payload,
            queue: self.queue,
            priority: self.priority,
            start: self.start,
            tags: self.tags,
            options: self.options,
            unique: self.unique,
            output: PhantomData,
        }
    }
}

impl<O> Clone for NewJob<O> {
    fn clone(&self) -> Self {
        NewJob {
            id: self.id,
            kind: self.kind.clone(),
            payload: self.payload.clone(),
            queue: self.queue.clone(),
            priority: self.priority,
            start: self.start,
            tags: self.tags.clone(),
            options: self.options.clone(),
            unique: self.unique.clone(),
            output: PhantomData,
        }
    }
}

/// Shows what identifies it; payloads may hold secrets and stay out of logs.
impl<O> fmt::Debug for NewJob<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewJob")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("queue", &self.queue)
            .field("start", &self.start)
            .field("payload_bytes", &self.payload.len())
            .finish_non_exhaustive()
    }
}

fn json_bytes(value: &impl Serialize) -> Result<Bytes, Error> {
    serde_json::to_vec(value)
        .map(Bytes::from)
        .map_err(|error| Error::invalid_field("/payload", format!("it has no JSON form: {error}")))
}

/// When a job may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Start {
    /// As soon as a worker is free.
    #[default]
    Now,
    /// Not before this instant.
    At(Timestamp),
    /// Not before this long after it was admitted.
    In(Duration),
}

/// What makes a job unique.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Unique {
    /// The key; unset, a hash of kind and canonical payload.
    pub key: Option<String>,
    /// How long from creation the key is held at least, whatever becomes of the job; unset, while the job is live.
    pub window: Option<Duration>,
    /// What happens when another job holds the key.
    pub on_conflict: OnConflict,
}

/// What becomes of a new job whose unique key another job holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnConflict {
    /// The caller is given the job that holds the key.
    #[default]
    Existing,
    /// The caller is told of a conflict.
    Reject,
    /// The holder, if it is not yet running, takes the new payload and due time; otherwise as `Existing`.
    Replace,
    /// The holder, if it is not yet running, takes the new due time; otherwise as `Existing`.
    Debounce,
}
