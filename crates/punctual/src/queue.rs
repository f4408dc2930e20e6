//! Queues: named lines of jobs, and what holds for each of them.

mod document;
mod gate;
mod rate;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::Error;
use crate::job::State;
use crate::limits;
use crate::time::Timestamp;

pub use gate::Gate;

/// The name of a queue: 1 to 128 bytes of letters, digits, `.`, `_`, `-`, `/` and `:`. It is [checked](QueueName::check)
/// where it is used, so that a name is free to write here.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueName(Arc<str>);

impl QueueName {
    /// Where a job of this kind goes that names no queue: a target's job to the queue named after its target.
    pub fn home_of(kind: &str) -> QueueName {
        match kind {
            "http" | "amqp" | "command" => QueueName::from(kind),
            _ => QueueName::default(),
        }
    }

    /// Whether a queue can have this name.
    ///
    /// # Errors
    ///
    /// `Invalid`, which says what is accepted.
    pub fn check(&self) -> Result<(), Error> {
        match name_fault(&self.0) {
            None => Ok(()),
            Some(fault) => Err(Error::invalid(format!(
                "the name of a queue {fault}, and is {self:?}"
            ))),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What is wrong with the name of a queue or a kind, which stands in indexes, labels and URLs; nothing if it is right.
pub(crate) fn name_fault(name: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/:".contains(&byte);
    let right = (1..=limits::NAME_BYTES).contains(&name.len()) && name.bytes().all(plain);
    (!right).then(|| {
        format!(
            "must have 1 to {} bytes: letters, digits and . _ - / :",
            limits::NAME_BYTES
        )
    })
}

/// `default`: where a handler's job goes unless it says otherwise.
impl Default for QueueName {
    fn default() -> QueueName {
        QueueName::from("default")
    }
}

impl From<&str> for QueueName {
    fn from(name: &str) -> QueueName {
        QueueName(name.into())
    }
}

impl From<String> for QueueName {
    fn from(name: String) -> QueueName {
        QueueName(name.into())
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// What holds for one queue, across all workers. A queue without settings is open and unlimited.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct QueueSettings {
    /// Paused, for this reason (which may be empty): no claim begins.
    pub paused: Option<String>,
    /// Since when it is paused, where that is known: for people, it decides nothing.
    pub paused_since: Option<Timestamp>,
    /// How many of its jobs may run at once.
    pub max_running: Option<u32>,
    /// How many of its jobs may start in a length of time.
    pub rate: Option<Rate>,
    /// How long its ended jobs are kept; unset, as configured.
    pub retention: Option<Retention>,
}

impl QueueSettings {
    /// Pauses it from `now` on, for this reason. One that is paused takes the new reason, and stays paused since when it was.
    pub fn pause(&mut self, reason: impl Into<String>, now: Timestamp) {
        if self.paused.is_none() {
            self.paused_since = Some(now);
        }
        self.paused = Some(reason.into());
    }

    /// Ends a pause.
    pub fn resume(&mut self) {
        self.paused = None;
        self.paused_since = None;
    }
}

/// At most `n` starts per `per` on the long run, and at most `burst` at once: a token bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Starts; at least 1.
    pub n: u32,
    /// In this length of time; at least a millisecond.
    pub per: Duration,
    /// Starts that may be saved up; at least 1.
    pub burst: u32,
}

/// How long ended jobs are kept. Zero deletes a job as it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Jobs that succeeded.
    pub succeeded: Duration,
    /// Jobs that failed.
    pub failed: Duration,
    /// Jobs that were cancelled.
    pub cancelled: Duration,
}

impl Default for Retention {
    fn default() -> Retention {
        Retention {
            succeeded: limits::KEEP_SUCCEEDED,
            failed: limits::KEEP_FAILED,
            cancelled: limits::KEEP_FAILED,
        }
    }
}

impl Retention {
    /// Every ended job is kept this long.
    pub const fn all(length: Duration) -> Retention {
        Retention {
            succeeded: length,
            failed: length,
            cancelled: length,
        }
    }

    /// How long a job is kept that ended in `state`; live jobs are kept for ever.
    pub fn of(&self, state: State) -> Option<Duration> {
        match state {
            State::Succeeded => Some(self.succeeded),
            State::Failed => Some(self.failed),
            State::Cancelled => Some(self.cancelled),
            State::Waiting | State::Running => None,
        }
    }
}

/// How many jobs of one queue are in each stored state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    /// The queue.
    pub queue: QueueName,
    /// Jobs by state, in the order of [`State::ALL`].
    pub jobs: [u64; 5],
    /// How long the oldest ready job has been due; unset when none is ready.
    pub oldest_ready: Option<Duration>,
}

impl Counts {
    /// Those of a queue without jobs.
    pub fn none(queue: QueueName) -> Counts {
        Counts {
            queue,
            jobs: [0; 5],
            oldest_ready: None,
        }
    }
}
