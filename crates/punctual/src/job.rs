//! A job: what somebody wants done ([`NewJob`]), and the row it becomes ([`Job`]).
//!
//! A row has two halves. The [`Body`] says what is to be done and is written once, save for an edit of a job
//! that waits. The [`Status`] says how far it has come and changes with every step. Rules decide the next
//! status; stores write it if nobody changed the row meanwhile.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::error::Error;
use crate::limits;
use crate::queue::{QueueName, Retention};
use crate::schedule::{ScheduleId, ScheduleName};
use crate::time::Timestamp;

mod new;
mod status;

pub use new::{NewJob, OnConflict, Start, Unique};
pub use status::{Failure, FailureReason, Phase, State, Status};

/// Any JSON value: what an untyped handler returns.
pub type Json = serde_json::Value;

/// The name of one job, for ever: a UUID, made by the caller or for it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub Uuid);

impl JobId {
    /// The id that stands for a caller's own name for a job: the same name gives the same id everywhere.
    /// A version 5 UUID (RFC 9562) in a name space of Punctual's own.
    ///
    /// ```
    /// use punctual::JobId;
    ///
    /// assert_eq!(JobId::named("invoice 1234"), JobId::named("invoice 1234"));
    /// assert_ne!(JobId::named("invoice 1234"), JobId::named("invoice 1235"));
    /// ```
    pub fn named(name: &str) -> JobId {
        const NAMES: Uuid = Uuid::from_u128(0x7a1c_9a52_6c0b_4c0e_9d55_7075_6e63_7475);
        JobId(Uuid::new_v5(&NAMES, name.as_bytes()))
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for JobId {
    type Err = Error;

    fn from_str(text: &str) -> Result<JobId, Error> {
        Uuid::try_parse(text).map(JobId).map_err(|_| {
            Error::invalid("a job id is a UUID, such as 0199c1f0-5b7e-7c3e-9a0e-3f6d2f1c8a11".to_owned())
        })
    }
}

/// A typed unit of work. Its kind is explicit and stable, never derived from a type's path, so that code may
/// move while jobs wait.
///
/// ```
/// use punctual::Task;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Welcome { user: u64 }
///
/// impl Task for Welcome {
///     const KIND: &'static str = "mail.welcome";
///     type Output = String;
/// }
/// ```
pub trait Task: Serialize + DeserializeOwned + Send + 'static {
    /// The name by which workers find the handler.
    const KIND: &'static str;
    /// What the handler returns when it is done.
    type Output: Serialize + DeserializeOwned + Send + 'static;
}

/// What a job's user set about its runs; what is unset takes its default when a rule needs it.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Options {
    /// The longest that one attempt may take.
    pub timeout: Option<Duration>,
    /// Attempts before the job fails, the first one included.
    pub max_attempts: Option<u32>,
    /// The delays between attempts.
    pub backoff: Option<Backoff>,
    /// No further attempt begins this long after the first one of its life began.
    pub max_elapsed: Option<Duration>,
    /// Not started by then: failed, with the reason `expired`.
    pub start_deadline: Option<Timestamp>,
    /// What becomes of a run whose worker was lost.
    pub on_lost: Option<OnLost>,
}

/// The delay before the next attempt, counted from the end of the last one.
#[derive(Clone, Debug, PartialEq)]
pub enum Backoff {
    /// `base · factor^(attempt − 1)`, at most `max`, with full jitter: a random length between zero and that
    /// ("Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
    Exponential {
        /// The first delay, before jitter.
        base: Duration,
        /// Each delay is this many times the one before; at least 1.
        factor: f64,
        /// No delay is longer.
        max: Duration,
    },
    /// Always the same; zero means at once.
    Fixed(Duration),
    /// One after the other; the last one repeats. Never empty.
    List(Vec<Duration>),
}

impl Default for Backoff {
    fn default() -> Backoff {
        Backoff::Exponential {
            base: Duration::from_secs(1),
            factor: 2.0,
            max: Duration::from_secs(3_600),
        }
    }
}

/// What becomes of a run whose lease ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnLost {
    /// Another attempt, if any is left.
    #[default]
    Retry,
    /// The job fails: for work that must not run twice.
    Fail,
}

/// What is in force where a job's user set nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Defaults {
    /// The longest that an attempt may take; unset, 30 s for `http` and `amqp`, one hour for all else.
    pub timeout: Option<Duration>,
    /// Attempts before a job fails.
    pub max_attempts: u32,
    /// The delays between attempts.
    pub backoff: Backoff,
    /// How long ended jobs are kept in queues that do not say.
    pub retention: Retention,
    /// Largest payload, in bytes.
    pub payload_bytes: usize,
    /// Largest result, in bytes.
    pub result_bytes: usize,
}

impl Default for Defaults {
    fn default() -> Defaults {
        Defaults {
            timeout: None,
            max_attempts: limits::ATTEMPTS,
            backoff: Backoff::default(),
            retention: Retention::default(),
            payload_bytes: limits::PAYLOAD_BYTES,
            result_bytes: limits::RESULT_BYTES,
        }
    }
}

impl Defaults {
    /// The longest that one attempt of `body` may take.
    pub fn timeout_of(&self, body: &Body) -> Duration {
        let calls = matches!(body.kind.as_str(), "http" | "amqp");
        let unset = if calls {
            limits::CALL_TIMEOUT
        } else {
            limits::RUN_TIMEOUT
        };
        body.options.timeout.or(self.timeout).unwrap_or(unset)
    }

    /// How many attempts `body` has.
    pub fn max_attempts_of(&self, body: &Body) -> u32 {
        body.options.max_attempts.unwrap_or(self.max_attempts)
    }

    /// The delays between the attempts of `body`.
    pub fn backoff_of<'a>(&'a self, body: &'a Body) -> &'a Backoff {
        body.options.backoff.as_ref().unwrap_or(&self.backoff)
    }
}

/// One row: a job as a store keeps it. Cheap to clone, since the body is shared.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// What is to be done.
    pub body: Arc<Body>,
    /// How far it has come.
    pub status: Status,
}

impl Job {
    /// The job's name, for ever.
    pub fn id(&self) -> JobId {
        self.body.id
    }

    /// The job's state as people see it at `now`.
    pub fn phase(&self, now: Timestamp) -> Phase {
        self.status.phase(now)
    }
}

/// What is to be done: written once, save for an edit of a job that waits.
#[derive(Clone, PartialEq)]
pub struct Body {
    /// The job's name, for ever.
    pub id: JobId,
    /// `http`, `command` or the name of a handler.
    pub kind: String,
    /// The line it stands in.
    pub queue: QueueName,
    /// 0 (first) to 9.
    pub priority: u8,
    /// When it was admitted.
    pub created_at: Timestamp,
    /// What the handler is given.
    pub payload: Bytes,
    /// For people and filters.
    pub tags: Vec<String>,
    /// What its user set about its runs.
    pub options: Options,
    /// The unique key that each life of the job takes. An end gives it back in the [`Status`]; a retry takes it from
    /// here again. Gone, like the payload, from a row that is kept for nothing but its key.
    pub unique_key: Option<String>,
    /// A hash of the job as it was first sent, which tells the same job sent again from another one under
    /// the same id. No edit changes it.
    pub fingerprint: u128,
    /// Which schedule made it, if one did.
    pub origin: Option<Origin>,
}

/// The occurrence of a schedule that a job was made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The schedule.
    pub schedule: ScheduleId,
    /// What people called it then.
    pub name: ScheduleName,
    /// The instant.
    pub nominal_at: Timestamp,
    /// Earlier instants that nobody fired, and for which this job stands too.
    pub missed: u64,
    /// A policy of the schedule waits for the job's end, which pokes the schedule in the same write.
    pub pokes: bool,
}

/// Payloads may hold secrets and stay out of logs.
impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("queue", &self.queue)
            .field("priority", &self.priority)
            .field("created_at", &self.created_at)
            .field("payload_bytes", &self.payload.len())
            .field("tags", &self.tags)
            .field("options", &self.options)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}
