//! A run: one claim of a job by a worker. What a worker asks, what it is told, and what it answers.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::job::{Job, JobId, State, Status};
use crate::queue::QueueName;
use crate::time::Timestamp;

mod head_tail;
mod seen;
pub mod token;

pub(crate) use head_tail::HeadTail;
pub use seen::{WorkerSeen, WorkerState};

/// The name of one start of one worker: random, so that a restarted process is never taken for its forerunner.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId(Arc<str>);

impl WorkerId {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for WorkerId {
    fn from(name: &str) -> WorkerId {
        WorkerId(name.into())
    }
}

impl From<String> for WorkerId {
    fn from(name: String) -> WorkerId {
        WorkerId(name.into())
    }
}

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// The name of one run for ever: the job, and the `rev` that its claim gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId {
    /// The job.
    pub job: JobId,
    /// The row's version after the claim.
    pub run: u64,
}

/// A wish for jobs.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// Who asks.
    pub worker: WorkerId,
    /// Where to look.
    pub from: ClaimFrom,
    /// At most so many; up to [`CLAIM_JOBS`](crate::limits::CLAIM_JOBS), more is `Invalid`.
    pub max: usize,
    /// How long each of them is leased, by the store's clock.
    pub lease: Duration,
    /// The instant to take for now; unset, the store's clock. Set only where time is stepped.
    pub now: Option<Timestamp>,
}

impl Claim {
    /// What a claim makes of the status of a waiting job: see [`Store::claim`](crate::store::Store::claim).
    pub(crate) fn start(&self, status: &mut Status, now: Timestamp) {
        status.state = State::Running;
        status.rev += 1;
        status.run = status.rev;
        status.attempt += 1;
        status.started_at = Some(now);
        status.first_started_at.get_or_insert(now);
        status.alarm = Some(now + self.lease);
        status.worker = Some(self.worker.clone());
    }
}

/// Where a claim looks for jobs.
#[derive(Clone, Debug, PartialEq)]
pub enum ClaimFrom {
    /// In these queues, each at most once, up to [`CLAIM_QUEUES`](crate::limits::CLAIM_QUEUES); else `Invalid`. Within a
    /// queue by priority, then due instant, then id; among queues in the order given: the next one only fills
    /// what the ones before it left.
    Queues(Vec<QueueName>),
    /// Among these jobs, in the order given, as far as they wait and are due, and their queues allow it; as many ids as
    /// jobs in a claim.
    Ids(Vec<JobId>),
}

/// What a claim brought.
#[derive(Clone, Debug, PartialEq)]
pub struct Claimed {
    /// The jobs, now running under the claim's worker, in the order in which they are to start.
    pub jobs: Vec<Job>,
    /// When fewer came than were wished for: the next instant at which one may start, as far as time alone tells. For
    /// a queue whose rate is used up that is when the rate allows the next start, if one is due by then. A queue that is
    /// paused, or has as many running as it may, adds nothing: the end of that is signalled. Unset when nothing is left.
    pub next_due: Option<Timestamp>,
    /// The store's time.
    pub now: Timestamp,
}

/// One heartbeat of one worker, for all of its runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Beat {
    /// Who beats.
    pub worker: WorkerInfo,
    /// Its runs, each at most once, up to [`CONCURRENCY_MAX`](crate::limits::CONCURRENCY_MAX).
    pub runs: Vec<BeatRun>,
    /// How long each of them is leased from now at least, by the store's clock.
    pub lease: Duration,
    /// Whether it is the worker's last: it has stopped, and is forgotten at once.
    pub stopped: bool,
    /// The instant to take for now; unset, the store's clock. Set only where time is stepped.
    pub now: Option<Timestamp>,
}

/// One run in a heartbeat.
#[derive(Clone, Debug, PartialEq)]
pub struct BeatRun {
    /// The run.
    pub id: RunId,
    /// What it says of its progress, if that is news; up to [`PROGRESS_BYTES`](crate::limits::PROGRESS_BYTES).
    pub progress: Option<Bytes>,
}

/// What a heartbeat found.
#[derive(Clone, Debug, PartialEq)]
pub struct Beaten {
    /// For each run of the beat, in its order.
    pub verdicts: Vec<BeatVerdict>,
    /// The store's time.
    pub now: Timestamp,
}

/// What a heartbeat found of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BeatVerdict {
    /// The lease is prolonged.
    Held,
    /// The lease is prolonged; the run is to stop, since somebody cancelled the job.
    Cancel,
    /// The run is no longer this worker's: it is to stop, and what it answers will be refused.
    Lost,
}

/// A worker as the others see it.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkerInfo {
    /// Its name.
    pub id: WorkerId,
    /// The machine it runs on.
    pub host: String,
    /// Its process there.
    pub pid: u32,
    /// The queues it serves.
    pub queues: Vec<QueueName>,
    /// How many jobs it runs at once.
    pub concurrency: u32,
    /// How many it holds now, those included that it was given ahead.
    pub running: u32,
    /// When it started.
    pub started_at: Timestamp,
    /// Whether it is stopping and takes no more.
    pub stopping: bool,
}

/// What became of a run, as its worker tells it. A closed vocabulary: a handler can answer nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done, with this result: JSON or any bytes, up to [`RESULT_BYTES`](crate::limits::RESULT_BYTES).
    Done(Bytes),
    /// It did not work this time; again after the job's backoff, or after this long.
    Retry {
        /// What went wrong.
        error: String,
        /// The delay, instead of the job's backoff.
        after: Option<Duration>,
        /// How it went wrong.
        cause: RetryCause,
    },
    /// It will never work: no further attempt.
    Fail {
        /// What went wrong.
        error: String,
    },
    /// Not now, but then; costs no attempt.
    Snooze {
        /// Not before this instant.
        until: Timestamp,
    },
    /// It has stopped since it was cancelled, or it cancels its job itself.
    Cancelled {
        /// Why; may be empty.
        reason: String,
    },
    /// The run goes on elsewhere, without a worker or a slot, leased for this long.
    Defer(Duration),
    /// Its worker puts it back: it stops, or does not know the kind.
    Release(Release),
}

/// How an attempt that may be repeated went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryCause {
    /// The handler answered with an error.
    Error,
    /// The attempt took too long and was stopped.
    Timeout,
    /// The handler panicked.
    Panic,
}

/// Why a worker puts a job back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// It was reserved and has not started.
    Unstarted,
    /// It had started, and the worker has no time left to let it end.
    Interrupted,
    /// No handler knows its kind: again after this long.
    UnknownKind(Duration),
}

/// What became of one run, for [`Source::settle`](crate::source::Source::settle).
#[derive(Clone, Debug, PartialEq)]
pub struct Settlement {
    /// The run.
    pub id: RunId,
    /// What became of it.
    pub outcome: Outcome,
    /// The row as the claim gave it, if the worker still has it: it saves a read.
    pub claimed: Option<Job>,
}

/// What was made of a settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettleVerdict {
    /// The outcome stands.
    Settled,
    /// The run was no longer this worker's, and nothing was changed.
    Stale,
    /// The store can take no outcome of this run, not even that it failed: asking again changes nothing. The run is left
    /// to its lease.
    Refused,
}

/// A run that has ended, as a job's history keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Which attempt of its life it was; a run that gave its attempt back shares its number with the next one.
    pub number: u32,
    /// Which life of the job.
    pub life: u32,
    /// The run.
    pub run: u64,
    /// Who ran it.
    pub worker: Option<WorkerId>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it was settled, or found lost.
    pub ended_at: Timestamp,
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// What went wrong, at most [`ERROR_BYTES`](crate::limits::ERROR_BYTES).
    pub error: Option<String>,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AttemptOutcome {
    /// Done.
    Succeeded,
    /// The handler answered with an error, whether or not it is tried again.
    Failed,
    /// It took too long and was stopped.
    TimedOut,
    /// The handler panicked.
    Panicked,
    /// Its lease ran out.
    Lost,
    /// Its worker stopped.
    Interrupted,
    /// It was put back before it had started.
    Released,
    /// It asked to be run later.
    Snoozed,
    /// It was cancelled.
    Cancelled,
}

impl AttemptOutcome {
    /// All of them.
    pub const ALL: [AttemptOutcome; 9] = [
        AttemptOutcome::Succeeded,
        AttemptOutcome::Failed,
        AttemptOutcome::TimedOut,
        AttemptOutcome::Panicked,
        AttemptOutcome::Lost,
        AttemptOutcome::Interrupted,
        AttemptOutcome::Released,
        AttemptOutcome::Snoozed,
        AttemptOutcome::Cancelled,
    ];

    /// Its name in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            AttemptOutcome::Succeeded => "succeeded",
            AttemptOutcome::Failed => "failed",
            AttemptOutcome::TimedOut => "timed_out",
            AttemptOutcome::Panicked => "panicked",
            AttemptOutcome::Lost => "lost",
            AttemptOutcome::Interrupted => "interrupted",
            AttemptOutcome::Released => "released",
            AttemptOutcome::Snoozed => "snoozed",
            AttemptOutcome::Cancelled => "cancelled",
        }
    }
}
