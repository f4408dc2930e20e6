//! A job's status: how far it has come, as it is stored and as people see it.

use std::fmt;

use bytes::Bytes;

use crate::run::{Attempt, WorkerId};
use crate::time::Timestamp;

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
    /// The newest attempts that have ended, oldest first, at most [`HISTORY_ATTEMPTS`](crate::limits::HISTORY_ATTEMPTS).
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
    /// The story, for people; at most [`ERROR_BYTES`](crate::limits::ERROR_BYTES).
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
