//! Signals: hints between the tasks and processes on one store.
//!
//! A signal says that a look at the store may be worth while; it never carries a decision. It is sent after the
//! commit, may be late, doubled or lost, and a lost one costs no more than [`RESCAN`](crate::limits::RESCAN).

use futures_util::stream::BoxStream;

use crate::job::JobId;
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
    /// Something happened: another process wrote, or hints were lost. Look at whatever you wait for.
    Anything,
}

/// Sends hints to, and hears them from, whoever works on the same store.
pub trait Signals: Send + Sync {
    /// Sends hints to every listener in every process, as well as can be. Never blocks, never fails.
    fn send(&self, signals: &[Signal]);

    /// Hears the hints sent from now on, one's own included. A listener that falls behind by
    /// [`SIGNALS`](crate::limits::SIGNALS) hears [`Signal::Anything`] in their stead.
    fn listen(&self) -> BoxStream<'static, Signal>;
}
