//! Single flight: callers who want the same thing at the same time share one run of it.
//!
//! Ten people ask for the same report. Computed ten times it costs ten times as much, and nobody is
//! better off. With a [`Flight`] the first caller of a key starts the work; whoever comes while it runs
//! subscribes to it; all of them receive the same value:
//!
//! ```text
//!              run(k)                                     run(k)
//!   caller 1 ────┬───────────────────────────●   caller 4 ───┬─────────────●
//!   caller 2 ────│──run(k)───────────────────●               │
//!   caller 3 ────│────────run(k)──╳ leaves    │               │
//!                ╰── one execution ──────────╯               ╰── the next ─╯
//! ```
//!
//! ```
//! use punctual::flight::Flight;
//!
//! async fn pages_of(month: &str) -> usize {
//!     tokio::task::yield_now().await; // stands for a minute of hard work
//!     month.len()
//! }
//!
//! #[tokio::main]
//! async fn main() {
//!     let reports: Flight<String, usize> = Flight::new();
//!
//!     let first = reports.run("november".to_owned(), async { pages_of("november").await });
//!     let second = reports.run("november".to_owned(), async { pages_of("november").await });
//!     let third = reports.run("december".to_owned(), async { pages_of("december").await });
//!     drop(third); // it runs all the same
//!
//!     assert_eq!(first.await, Ok(8));
//!     assert_eq!(second.await, Ok(8)); // the same run, the same value
//! }
//! ```
//!
//! # What holds
//!
//! * **One at a time.** At no instant do two runs of one key exist. Different keys run side by side.
//! * **The work belongs to the flight, not to its callers.** It is a task of its own and runs to its end even
//!   when all callers have left. Awaiting or dropping a [`Subscription`] affects nobody else.
//! * **Everybody is told.** A panic reaches every subscriber as [`FlightError::Panicked`]. An error of the
//!   work's own is a value like any other: let `V` be a `Result`.
//! * **Nothing is cached.** A run that has ended leaves the flight *before* its subscribers are woken, so
//!   whoever has a value and calls again starts anew.
//! * **Nothing is left behind.** The flight holds one entry for each run that is going on, and gives it back
//!   however the run ends: with a value, by a panic, or because its runtime was shut down.
//!
//! # What does not
//!
//! A flight lives in one process and forgets everything when the process ends. For work that must survive
//! that, or be unique across processes, enqueue a job with a unique key and wait for its result.
//!
//! Work that waits for its own key waits for itself, for ever. The flight cannot see this from outside.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures_util::FutureExt;
use futures_util::future::Shared;
use tokio::sync::oneshot;

/// Runs that are going on, by key. See the [module](self) for what it promises.
///
/// A cheap handle: clones share the same runs. Dropping the last one stops nothing.
pub struct Flight<K, V> {
    /// Never iterated, so that the map's random seed shows nowhere.
    running: Arc<Mutex<HashMap<K, Subscription<V>>>>,
}

impl<K, V> Flight<K, V> {
    /// A flight without runs.
    pub fn new() -> Self {
        Self {
            running: Arc::default(),
        }
    }

    /// How many runs are going on.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether no run is going on.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// The map is whole between any two statements that hold it, so that a panic of a key's own `Hash` or `Eq`
    /// under the lock leaves nothing to repair.
    fn lock(&self) -> MutexGuard<'_, HashMap<K, Subscription<V>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, V> Flight<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Joins the run of `key` that is going on, or else starts `work` as the run of `key`.
    ///
    /// The work begins at once, whether or not the subscription is awaited. When somebody's is going on
    /// already, `work` is dropped without having been polled; an `async` block does nothing until then, so
    /// that coming second costs its captures only.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, as [`tokio::spawn`] does.
    pub fn run(&self, key: K, work: impl Future<Output = V> + Send + 'static) -> Subscription<V> {
        let mut running = self.lock();
        if let Some(subscription) = running.get(&key) {
            return subscription.clone();
        }
        let (answer, outcome) = oneshot::channel();
        let subscription = Subscription(outcome.shared());
        running.insert(key.clone(), subscription.clone());
        drop(running);
        // Without the lock, since a runtime that is shutting down drops the task, and `Run` with it, right here.
        let run = Run {
            flight: self.clone(),
            key,
            answer: Some(answer),
        };
        tokio::spawn(async move { run.end(to_its_end(work).await) });
        subscription
    }

    /// Joins the run of `key` if one is going on.
    pub fn subscribe(&self, key: &K) -> Option<Subscription<V>> {
        self.lock().get(key).cloned()
    }
}

impl<K, V> Clone for Flight<K, V> {
    fn clone(&self) -> Self {
        Self {
            running: Arc::clone(&self.running),
        }
    }
}

impl<K, V> Default for Flight<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, V> fmt::Debug for Flight<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flight")
            .field("running", &self.len())
            .finish_non_exhaustive()
    }
}

/// A caller's share in one run: a future of what the run ends with.
///
/// Clones wait for the same run. Dropping one cancels nothing. As with most futures, polling one again after
/// it was ready panics.
#[must_use = "the work runs anyway; await the subscription for its value, or drop it explicitly"]
pub struct Subscription<V>(Shared<oneshot::Receiver<Outcome<V>>>);

type Outcome<V> = Result<V, FlightError>;

impl<V: Clone> Future for Subscription<V> {
    type Output = Result<V, FlightError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0
            .poll_unpin(context)
            .map(|answer| answer.unwrap_or(Err(FlightError::Stopped)))
    }
}

impl<V> Clone for Subscription<V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<V> fmt::Debug for Subscription<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").finish_non_exhaustive()
    }
}

/// Why a run ended without a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlightError {
    /// The work panicked, with this message.
    #[error("the work in flight panicked: {0}")]
    Panicked(Arc<str>),
    /// The runtime was shut down before the work had ended.
    #[error("the runtime stopped before the work in flight had ended")]
    Stopped,
}

/// The one entry of a run that is going on. However the run goes, dropping this ends it: first the entry
/// leaves the map, then the subscribers are told.
struct Run<K: Eq + Hash, V> {
    flight: Flight<K, V>,
    key: K,
    answer: Option<oneshot::Sender<Outcome<V>>>,
}

impl<K: Eq + Hash, V> Run<K, V> {
    fn end(mut self, outcome: Outcome<V>) {
        let answer = self.answer.take();
        drop(self);
        // Nobody listens when all have left, which is their right.
        answer.map(|answer| answer.send(outcome));
    }
}

impl<K: Eq + Hash, V> Drop for Run<K, V> {
    fn drop(&mut self) {
        // Taken out under the lock and dropped outside it: keys and values are the user's, and so is their `Drop`.
        let entry = self.flight.lock().remove_entry(&self.key);
        drop(entry);
    }
}

/// Polls `work` to its end and drops it, and turns a panic in either into an error. The first panic counts.
async fn to_its_end<V>(work: impl Future<Output = V> + Send) -> Outcome<V> {
    let mut work = Box::pin(work);
    let ended = AssertUnwindSafe(work.as_mut())
        .catch_unwind()
        .await
        .map_err(panicked);
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(work))).map_err(panicked);
    ended.and_then(|value| dropped.map(|()| value))
}

fn panicked(payload: Box<dyn std::any::Any + Send>) -> FlightError {
    let message = match payload.downcast_ref::<&str>() {
        Some(message) => message,
        None => payload
            .downcast_ref::<String>()
            .map_or("no message", String::as_str),
    };
    FlightError::Panicked(message.into())
}
