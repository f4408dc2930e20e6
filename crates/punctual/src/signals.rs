//! Signals: hints between the tasks and processes on one store.
//!
//! A signal says that a look at the store may be worth while; it never carries a decision. It is sent after the
//! commit, may be late, doubled or lost, and a lost one costs no more than [`RESCAN`](crate::limits::RESCAN).

use futures_util::stream::{self, BoxStream, StreamExt};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::job::JobId;
use crate::limits;
use crate::queue::QueueName;
use crate::time::Timestamp;

/// One hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// A queue has work that is due at this instant, or a limit of it was lifted.
    Due(QueueName, Timestamp),
    /// A job has ended.
    Ended(JobId),
    /// A running job was asked to stop.
    Cancel(JobId),
    /// A run of this job has put something out, or is over though its job goes on.
    Output(JobId),
    /// A schedule is to be looked at, at this instant.
    Schedule(Timestamp),
    /// Something happened: another process wrote. Look at whatever you wait for.
    Anything,
    /// Hints were lost, so that anything may have happened: look as for [`Anything`](Signal::Anything), and do not count on
    /// having heard of what cannot be looked at.
    Lost,
}

/// Sends hints to, and hears them from, whoever works on the same store.
pub trait Signals: Send + Sync {
    /// Sends hints to every listener in every process, as well as can be. Never blocks, never fails.
    fn send(&self, signals: &[Signal]);

    /// Hears the hints sent from now on, one's own included. A listener that falls behind by
    /// [`SIGNALS`](crate::limits::SIGNALS) hears [`Signal::Lost`] in their stead.
    fn listen(&self) -> BoxStream<'static, Signal>;
}

/// Hints among the tasks of one process: all that the memory store needs, and the near half of every other store's.
///
/// ```
/// use futures_util::StreamExt;
/// use punctual::signals::{LocalSignals, Signal, Signals};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let signals = LocalSignals::new();
/// let mut heard = signals.listen();
/// signals.send(&[Signal::Anything]);
/// assert_eq!(heard.next().await, Some(Signal::Anything));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct LocalSignals(broadcast::Sender<Signal>);

impl LocalSignals {
    /// Nobody sends and nobody listens yet. Its listeners hear the end of the stream when it is dropped.
    pub fn new() -> LocalSignals {
        LocalSignals(broadcast::Sender::new(limits::SIGNALS))
    }
}

impl Default for LocalSignals {
    fn default() -> LocalSignals {
        LocalSignals::new()
    }
}

impl Signals for LocalSignals {
    fn send(&self, signals: &[Signal]) {
        for signal in signals {
            // It fails when nobody listens, and then nobody misses the hint.
            let _ = self.0.send(signal.clone());
        }
    }

    fn listen(&self) -> BoxStream<'static, Signal> {
        stream::unfold(self.0.subscribe(), |mut heard| async {
            match heard.recv().await {
                Ok(signal) => Some((signal, heard)),
                // What it missed is gone; the channel goes on with the oldest hint that it still has.
                Err(RecvError::Lagged(_)) => Some((Signal::Lost, heard)),
                Err(RecvError::Closed) => None,
            }
        })
        .boxed()
    }
}
