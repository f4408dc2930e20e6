//! A job: what somebody wants done ([`NewJob`]), and the row it becomes ([`Job`]).
//!
//! A row has two halves. The [`Body`] says what is to be done and is written once, save for an edit of a job
//! that waits. The [`Status`] says how far it has come and changes with every step. Rules decide the next
//! status; stores write it if nobody changed the row meanwhile.

use std::fmt;
use std::marker::PhantomData;
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
use crate::run::{Attempt, WorkerId};
use crate::time::Timestamp;

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
            .finish_non_exhaustive()
    }
}

/// How far a job has come. Every write of it raises `rev`.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// The stored state.
    pub state: State,
    /// The version of the row: every write raises it, every decided write compares it. It begins at the
    /// microsecond of admission, so that not even an id that was deleted and used again repeats a run.
    pub rev: u64,
    /// The `rev` that the last claim gave: with the id, it names one run for ever. Zero before the first claim.
    pub run: u64,
    /// 1, and one more for every operator's retry of the ended job.
    pub life: u32,
    /// Attempts that count in this life, the one that runs included.
    pub attempt: u32,
    /// Releases of this life that gave their attempt back.
    pub refunds: u32,
    /// Not before this instant; for a running or ended job, the due instant of its last run.
    pub due: Timestamp,
    /// When the row wants to be looked at: the end of a run's lease; for a waiting job the instant from which no attempt
    /// may begin, which is its start deadline, or `max_elapsed` after its first attempt began.
    pub alarm: Option<Timestamp>,
    /// When the first attempt of this life began.
    pub first_started_at: Option<Timestamp>,
    /// When the run that is going on, or the last one, began.
    pub started_at: Option<Timestamp>,
    /// When the job ended.
    pub ended_at: Option<Timestamp>,
    /// Who runs it, or ran it last.
    pub worker: Option<WorkerId>,
    /// The unique key that this row holds.
    pub unique_key: Option<String>,
    /// The key is held until then at least, whatever becomes of the job.
    pub key_until: Option<Timestamp>,
    /// Somebody asked for the job to be cancelled, for this reason (which may be empty).
    pub cancel: Option<String>,
    /// The run goes on without a worker; who holds its token beats and settles it.
    pub deferred: bool,
    /// The newest attempts that have ended, oldest first, at most [`limits::HISTORY_ATTEMPTS`].
    pub history: Vec<Attempt>,
    /// What the handler returned.
    pub result: Option<Bytes>,
    /// Why the job failed.
    pub failure: Option<Failure>,
    /// What the run last said of its progress.
    pub progress: Option<Bytes>,
}

impl Status {
    /// The status of a job that waits, before its first run. `rev` is the first version of the row.
    pub fn waiting(rev: u64, due: Timestamp) -> Status {
        Status {
            state: State::Waiting,
            rev,
            run: 0,
            life: 1,
            attempt: 0,
            refunds: 0,
            due,
            alarm: None,
            first_started_at: None,
            started_at: None,
            ended_at: None,
            worker: None,
            unique_key: None,
            key_until: None,
            cancel: None,
            deferred: false,
            history: Vec::new(),
            result: None,
            failure: None,
            progress: None,
        }
    }

    /// The state as people see it at `now`.
    pub fn phase(&self, now: Timestamp) -> Phase {
        match self.state {
            State::Waiting if self.attempt > 0 && self.due > now => Phase::Retrying,
            State::Waiting if self.due > now => Phase::Scheduled,
            State::Waiting => Phase::Ready,
            State::Running if self.cancel.is_some() => Phase::Cancelling,
            State::Running => Phase::Running,
            State::Succeeded => Phase::Succeeded,
            State::Failed => Phase::Failed,
            State::Cancelled => Phase::Cancelled,
        }
    }
}

/// The five stored states. `Waiting` and `Running` are live, the others are ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Until it is due and a worker claims it.
    Waiting,
    /// A worker holds a lease on it.
    Running,
    /// Its handler was done.
    Succeeded,
    /// No attempt is left, or none is wanted.
    Failed,
    /// Somebody cancelled it.
    Cancelled,
}

impl State {
    /// All states, in the order of a job's life.
    pub const ALL: [State; 5] = [
        State::Waiting,
        State::Running,
        State::Succeeded,
        State::Failed,
        State::Cancelled,
    ];

    /// Whether the job has ended: only an operator's retry leaves such a state.
    pub fn is_ended(self) -> bool {
        !matches!(self, State::Waiting | State::Running)
    }

    /// `waiting`, `running`, `succeeded`, `failed` or `cancelled`.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Waiting => "waiting",
            State::Running => "running",
            State::Succeeded => "succeeded",
            State::Failed => "failed",
            State::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A job's state as people see it: computed from the row and the time, never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Waiting for its instant.
    Scheduled,
    /// Due, and waiting for a free worker.
    Ready,
    /// Waiting for its next attempt.
    Retrying,
    /// Being run.
    Running,
    /// Being run, and asked to stop.
    Cancelling,
    /// Done.
    Succeeded,
    /// Failed.
    Failed,
    /// Cancelled.
    Cancelled,
}

impl Phase {
    /// All phases, in the order of a job's life.
    pub const ALL: [Phase; 8] = [
        Phase::Scheduled,
        Phase::Ready,
        Phase::Retrying,
        Phase::Running,
        Phase::Cancelling,
        Phase::Succeeded,
        Phase::Failed,
        Phase::Cancelled,
    ];

    /// The phase's name in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Scheduled => "scheduled",
            Phase::Ready => "ready",
            Phase::Retrying => "retrying",
            Phase::Running => "running",
            Phase::Cancelling => "cancelling",
            Phase::Succeeded => "succeeded",
            Phase::Failed => "failed",
            Phase::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a job failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The reason, for programs.
    pub reason: FailureReason,
    /// The story, for people; at most [`limits::ERROR_BYTES`].
    pub message: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason.as_str(), self.message)
    }
}

/// Why a job failed, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureReason {
    /// The handler said that no further attempt makes sense.
    Failed,
    /// Every attempt, or all the time for them, is used up.
    Exhausted,
    /// It had not started by its start deadline.
    Expired,
    /// Its worker was lost and it must not run twice.
    Lost,
    /// Its worker stopped and it must not run twice.
    Interrupted,
}

impl FailureReason {
    /// All reasons.
    pub const ALL: [FailureReason; 5] = [
        FailureReason::Failed,
        FailureReason::Exhausted,
        FailureReason::Expired,
        FailureReason::Lost,
        FailureReason::Interrupted,
    ];

    /// The reason's name in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            FailureReason::Failed => "failed",
            FailureReason::Exhausted => "exhausted",
            FailureReason::Expired => "expired",
            FailureReason::Lost => "lost",
            FailureReason::Interrupted => "interrupted",
        }
    }
}
