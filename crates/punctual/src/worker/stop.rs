//! Stopping, both ways: how a handler stops its run ([`Stop`]), and how a worker asks it to ([`StopSignal`]).

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use crate::limits::{ERROR_BYTES, ERROR_SOURCES};
use crate::run::{Outcome, RetryCause};
use crate::time::Timestamp;
use crate::worker::run::Run;

/// Why a handler stops without a result, and what is to become of the job.
///
/// `?` on any error makes one that asks for another attempt; the others are said outright. It is no error
/// type itself, since every error becomes one.
///
/// ```
/// use punctual::seconds;
/// use punctual::worker::Stop;
///
/// fn charge(card: &str) -> Result<u64, Stop> {
///     let number: u64 = card.parse()?; // an attempt that failed: again after the job's backoff
///     match number {
///         0 => Err(Stop::fail("there is no such card")),
///         1 => Err(Stop::retry("the bank is busy").after(seconds(30))),
///         _ => Ok(number),
///     }
/// }
/// # assert!(charge("x").is_err());
/// ```
pub struct Stop(Wish);

enum Wish {
    Retry { error: String, after: Option<Duration> },
    Fail(String),
    Snooze(Duration),
    SnoozeUntil(Timestamp),
    Cancel(String),
    Defer(Duration),
}

impl Stop {
    /// This attempt failed: another one after the job's backoff, if any is left.
    pub fn retry(error: impl fmt::Display) -> Stop {
        Stop(Wish::Retry {
            error: error.to_string(),
            after: None,
        })
    }

    /// For [`retry`](Stop::retry): the next attempt comes after this long instead of the job's backoff. It means
    /// nothing to the others.
    pub fn after(mut self, length: Duration) -> Stop {
        if let Wish::Retry { after, .. } = &mut self.0 {
            *after = Some(length);
        }
        self
    }

    /// The job fails: no further attempt makes sense.
    pub fn fail(error: impl fmt::Display) -> Stop {
        Stop(Wish::Fail(error.to_string()))
    }

    /// Again after this long; costs no attempt.
    pub fn snooze(length: Duration) -> Stop {
        Stop(Wish::Snooze(length))
    }

    /// Again at this instant; costs no attempt.
    pub fn snooze_until(instant: impl Into<Timestamp>) -> Stop {
        Stop(Wish::SnoozeUntil(instant.into()))
    }

    /// The job is cancelled, for this reason.
    pub fn cancel(reason: impl fmt::Display) -> Stop {
        Stop(Wish::Cancel(reason.to_string()))
    }

    /// The run goes on elsewhere, without this worker or a slot: whoever holds its [`RunId`](crate::run::RunId) settles
    /// it within this long, or prolongs it by a heartbeat of its own.
    pub fn defer(length: Duration) -> Stop {
        Stop(Wish::Defer(length))
    }

    /// The same as an outcome; lengths count from `now`.
    pub(super) fn outcome(self, now: Timestamp) -> Outcome {
        match self.0 {
            Wish::Retry { error, after } => Outcome::Retry {
                error,
                after,
                cause: RetryCause::Error,
            },
            Wish::Fail(error) => Outcome::Fail { error },
            Wish::Snooze(length) => Outcome::Snooze { until: now + length },
            Wish::SnoozeUntil(until) => Outcome::Snooze { until },
            Wish::Cancel(reason) => Outcome::Cancelled { reason },
            Wish::Defer(length) => Outcome::Defer(length),
        }
    }
}

/// Any error is an attempt that failed; its text tells what caused it, too.
impl<E: StdError + Send + Sync + 'static> From<E> for Stop {
    fn from(error: E) -> Stop {
        Stop(Wish::Retry {
            error: story(&error),
            after: None,
        })
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Wish::Retry { error, after: None } => write!(f, "again: {error}"),
            Wish::Retry {
                error,
                after: Some(length),
            } => write!(f, "again after {length:?}: {error}"),
            Wish::Fail(error) => write!(f, "never again: {error}"),
            Wish::Snooze(length) => write!(f, "again after {length:?}"),
            Wish::SnoozeUntil(instant) => write!(f, "again at {instant}"),
            Wish::Cancel(reason) => write!(f, "cancelled: {reason}"),
            Wish::Defer(length) => write!(f, "goes on elsewhere for up to {length:?}"),
        }
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stop({self})")
    }
}

/// An error and what caused it, as one line. A cause that its error already quotes is not told twice.
fn story(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    for _ in 0..ERROR_SOURCES {
        let Some(cause) = source.filter(|_| text.len() < ERROR_BYTES) else {
            break;
        };
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        source = cause.source();
    }
    text
}

/// Why a worker asks a run to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StopReason {
    /// The attempt has used up its time.
    Timeout,
    /// Somebody cancelled the job.
    Cancelled,
    /// The run may no longer be this worker's: another one may begin it anew. What it answers may be refused.
    LeaseLost,
    /// The worker is stopping; the job is put back.
    Shutdown,
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            StopReason::Timeout => "timeout",
            StopReason::Cancelled => "cancelled",
            StopReason::LeaseLost => "lease lost",
            StopReason::Shutdown => "shutdown",
        })
    }
}

/// Tells a handler when its run is to stop. Whoever takes one from [`Run::stop`] is given [a grace](Self::grace) to
/// come to an end; a handler that never took one is dropped where it waits.
#[derive(Clone, Debug)]
pub struct StopSignal(Run);

impl StopSignal {
    pub(super) fn of(run: Run) -> StopSignal {
        StopSignal(run)
    }

    /// Waits until the run is to stop, and says why. May be dropped and asked again.
    pub async fn requested(&self) -> StopReason {
        self.0.stopped(None).await
    }

    /// Why the run is to stop, if it is: for blocking handlers, which look now and then.
    pub fn reason(&self) -> Option<StopReason> {
        self.0.stop_reason()
    }

    /// How long the run has from being asked until it is stopped by force:
    /// [`KILL_GRACE`](crate::limits::KILL_GRACE), less under a short lease that was lost or a short stop.
    pub fn grace(&self) -> Duration {
        self.0.grace()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    #[test]
    fn a_story_tells_each_cause_once() {
        let cause = Error::unavailable("the disk is full");
        let quoting = Error::internal("nothing was written: the disk is full").caused_by(cause.clone());
        let silent = Error::internal("nothing was written").caused_by(cause);
        assert_eq!(story(&quoting), "nothing was written: the disk is full");
        assert_eq!(story(&silent), "nothing was written: the disk is full");
    }
}
