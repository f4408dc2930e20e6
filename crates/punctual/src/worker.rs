//! The worker: claims jobs, runs their handlers, and settles what became of them.
//!
//! A worker knows a [`Source`] of jobs and the [`Handler`]s for them, nothing else: whether the source is an engine
//! in this process or a client of a far server makes no difference to it.
//!
//! ```text
//!                 ┌───────────────────────── worker ──────────────────────────┐
//!   claim(wait) ◀─┤ slots: one loop            run: one task each             │
//!        settle ◀─┤   claim, start, settle       decode → handler → outcome   │
//!                 │ heartbeat: own thread                                     │
//!          beat ◀─┤   prolong, tell of cancels, give up old leases            │
//!                 └───────────────────────────────────────────────────────────┘
//! ```
//!
//! # What a worker promises
//!
//! * A run is asked to stop when its time is over, when its job is cancelled, when its lease can no longer be trusted, and
//!   when the worker stops. One that took its [`StopSignal`] has a grace to come to an end; another one is dropped.
//! * An answer that a handler gives on purpose within that grace still counts: a result, [`Stop::fail`], a snooze. An error
//!   or a panic then means only that it stopped: after a timeout the attempt timed out, after a cancel the job is
//!   cancelled, on shutdown it is put back. After a lost lease the store refuses whatever another run has overtaken.
//! * An outcome is offered until it is answered. Until then the run stays leased.
//! * A worker whose source fails says so, waits a little longer each time, and goes on when it is back.
//!
//! # What it does not
//!
//! * A blocking handler cannot be stopped by force. After a timeout its job's next attempt may run beside it.
//! * Jobs that are [prefetched](Worker::prefetch) wait here while another worker may be free, and are begun even if their
//!   queue is paused meanwhile. One with `on_lost: fail` would fail if this worker died before it had begun; the first one
//!   that finds no slot free is put back, and ends prefetching.

mod handler;
mod heartbeat;
mod held;
mod output;
mod pause;
mod run;
mod settling;
mod slots;
mod stop;

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::handler::{Blocking, Handlers, Typed, Untyped};
pub use self::handler::{BlockingHandler, FromRun, Handler, State, States};
use self::heartbeat::Heartbeat;
use self::held::Held;
pub use self::run::Run;
use self::run::Terms;
use self::slots::{Plan, Slots};
pub use self::stop::{Stop, StopReason, StopSignal};
use crate::clock::{Clock, SystemClock};
use crate::error::Error;
use crate::job::{Defaults, Task};
use crate::limits::{
    CLAIM_QUEUES, CONCURRENCY, CONCURRENCY_MAX, KILL_GRACE, LEASE, LEASE_MAX, LEASE_MIN, STOP_WITHIN,
};
use crate::queue::QueueName;
use crate::run::{WorkerId, WorkerInfo};
use crate::source::Source;
use crate::time::format_length;

/// Runs jobs: see the [module](self).
///
/// ```no_run
/// # use punctual::{Task, Error};
/// # use punctual::source::Source;
/// # use std::sync::Arc;
/// use punctual::worker::{Run, State, Worker, shutdown_signal};
/// # #[derive(serde::Serialize, serde::Deserialize)] struct Welcome { user: u64 }
/// # impl Task for Welcome { const KIND: &'static str = "mail.welcome"; type Output = String; }
/// # #[derive(Clone)] struct Mailer;
/// # impl Mailer { async fn send(&self, user: u64) -> std::io::Result<String> { Ok(String::new()) } }
///
/// # async fn work(engine: Arc<dyn Source>, mailer: Mailer) -> Result<(), Error> {
/// Worker::new(engine)
///     .handle(|task: Welcome, run: Run, mailer: State<Mailer>| async move {
///         Ok(mailer.send(task.user).await?)
///     })
///     .state(mailer)
///     .concurrency(64)
///     .queues(["default", "mail"])
///     .run_until(shutdown_signal())
///     .await
/// # }
/// ```
#[must_use = "a worker does nothing until `run_until` is awaited"]
pub struct Worker {
    source: Arc<dyn Source>,
    handlers: Handlers,
    states: States,
    clock: Arc<dyn Clock>,
    defaults: Defaults,
    queues: Vec<QueueName>,
    concurrency: usize,
    prefetch: usize,
    lease: Duration,
    stop_within: Duration,
    hard_stop: BoxFuture<'static, ()>,
    heartbeat_in_place: bool,
}

impl Worker {
    /// A worker for this source, with no handlers yet, for the queue `default`.
    pub fn new(source: impl Into<Arc<dyn Source>>) -> Worker {
        Worker {
            source: source.into(),
            handlers: Handlers::default(),
            states: States::default(),
            clock: Arc::new(SystemClock::new()),
            defaults: Defaults::default(),
            queues: vec![QueueName::default()],
            concurrency: CONCURRENCY,
            prefetch: 0,
            lease: LEASE,
            stop_within: STOP_WITHIN,
            hard_stop: std::future::pending().boxed(),
            heartbeat_in_place: false,
        }
    }

    /// Handles the jobs of a task with an async function.
    pub fn handle<A: 'static, H: Handler<A>>(mut self, handler: H) -> Worker {
        let kind = <H::Task as Task>::KIND.to_owned();
        self.handlers.add(kind, Typed::erase(handler));
        self
    }

    /// Handles the jobs of a task with a function that blocks its thread. See [`BlockingHandler`] for what it owes.
    pub fn handle_blocking<A: 'static, H: BlockingHandler<A>>(mut self, handler: H) -> Worker {
        let kind = <H::Task as Task>::KIND.to_owned();
        self.handlers.add(kind, Blocking::erase(handler));
        self
    }

    /// Handles the jobs of this kind with an async function from a payload of any bytes to a result of any bytes.
    pub fn handle_kind<F, Answer>(mut self, kind: impl Into<String>, handler: F) -> Worker
    where
        F: Fn(Bytes, Run) -> Answer + Send + Sync + 'static,
        Answer: Future<Output = Result<Bytes, Stop>> + Send + 'static,
    {
        self.handlers.add(kind.into(), Untyped::erase(handler));
        self
    }

    /// Hands a clone of this to every handler that asks for [`State<S>`]. One of each type; a later one replaces it.
    pub fn state<S: Clone + Send + Sync + 'static>(mut self, state: S) -> Worker {
        self.states.insert(state);
        self
    }

    /// How many jobs run at once; unset, 64. At least 1, at most [`CONCURRENCY_MAX`].
    pub fn concurrency(mut self, slots: usize) -> Worker {
        self.concurrency = slots;
        self
    }

    /// How many jobs may be claimed ahead, beyond the free slots; unset, none. At most [`CONCURRENCY_MAX`]. From their claim on they
    /// count as running, and a pause of their queue does not hold them back.
    pub fn prefetch(mut self, jobs: usize) -> Worker {
        self.prefetch = jobs;
        self
    }

    /// The queues that are served; unset, `default`. At most [`CLAIM_QUEUES`], each once, by names that
    /// [can be](QueueName::check).
    ///
    /// They are served in turn: the first claim takes from the first one what it has, then from the second, and so on; the next
    /// claim begins with the second one, so that a backlog in one queue does not starve the others.
    pub fn queues(mut self, queues: impl IntoIterator<Item = impl Into<QueueName>>) -> Worker {
        self.queues = queues.into_iter().map(Into::into).collect();
        self
    }

    /// How long a claim or a heartbeat leases a job; unset, 30 s. Should this worker die, its jobs are run again so
    /// much later. At least a second.
    pub fn lease(mut self, length: Duration) -> Worker {
        self.lease = length;
        self
    }

    /// What is in force where a job's user set nothing: here, the timeout of an attempt.
    pub fn defaults(mut self, defaults: Defaults) -> Worker {
        self.defaults = defaults;
        self
    }

    /// How long what runs may go on once the worker stops; unset, 25 s. What is left is asked to stop 5 s before, and then
    /// dropped and put back.
    pub fn stop_within(mut self, length: Duration) -> Worker {
        self.stop_within = length;
        self
    }

    /// Once this future is done, the worker drops whatever runs, puts back what it can within two seconds, and
    /// returns: for the second signal of somebody who does not want to wait.
    pub fn hard_stop(mut self, signal: impl Future<Output = ()> + Send + 'static) -> Worker {
        self.hard_stop = signal.boxed();
        self
    }

    /// The clock to go by; unset, the machine's.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Worker {
        self.clock = clock;
        self
    }

    /// Another source than the one it was made for: between the two, a test stands.
    #[cfg(feature = "testing")]
    pub(crate) fn source(mut self, source: Arc<dyn Source>) -> Worker {
        self.source = source;
        self
    }

    /// Beats inside [`run_until`](Worker::run_until) instead of on a thread of its own: for a simulation on one
    /// thread. A handler that blocks its thread then starves the heartbeat.
    pub fn heartbeat_in_place(mut self) -> Worker {
        self.heartbeat_in_place = true;
        self
    }

    /// Works until `shutdown` is done, and then stops softly: claims nothing more, puts back what it has not begun, and
    /// lets what runs come to its end in [the time given](Worker::stop_within).
    ///
    /// Dropping the future instead drops everything that runs; the jobs are left to their leases.
    ///
    /// # Errors
    ///
    /// Those of [`check`](Worker::check), before anything is claimed. `Unavailable`, after the stop, if outcomes could not be settled in time.
    pub async fn run_until(self, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
        self.check()?;
        let info = self.info();
        let held = Arc::new(Held::default());
        let stopping = Arc::new(AtomicBool::new(false));
        let terms = Arc::new(Terms {
            source: self.source.clone(),
            clock: self.clock,
            defaults: self.defaults,
            states: self.states,
            lease: self.lease,
            shutdown_grace: KILL_GRACE.min(self.stop_within),
            progressed: Notify::new(),
        });
        let slots = Slots::new(Plan {
            worker: info.id.clone(),
            source: self.source.clone(),
            handlers: self.handlers,
            terms: terms.clone(),
            held: held.clone(),
            queues: self.queues,
            concurrency: self.concurrency,
            prefetch: self.prefetch,
            stop_within: self.stop_within,
            stopping: stopping.clone(),
        });
        let heartbeat = Heartbeat {
            source: self.source,
            terms,
            held,
            worker: info,
            stopping,
        };

        let end = CancellationToken::new();
        let _end_with_this_future = end.clone().drop_guard();
        let mut beating = match self.heartbeat_in_place {
            true => heartbeat.run(end.clone()).boxed(),
            false => heartbeat.run_apart(end.clone())?,
        };
        let stop = CancellationToken::new();
        // A task of its own lies on a thread of the runtime, beside the runs that it starts, wherever this future is
        // polled. It ends with this set, and so with this future.
        let mut slots_task = JoinSet::new();
        slots_task.spawn(slots.run(stop.clone().cancelled_owned(), self.hard_stop));
        let mut shutdown = pin!(shutdown.fuse());
        let done = loop {
            tokio::select! {
                biased;
                () = &mut shutdown => stop.cancel(),
                Some(done) = slots_task.join_next() => break done,
                () = &mut beating => return Err(Error::internal("the heartbeat ended; without it no lease is safe")),
            }
        };
        end.cancel();
        beating.await;
        done.unwrap_or_else(|error| Err(Error::internal("the worker's loop ended").caused_by(error)))
    }

    /// Whether [`run_until`](Worker::run_until) would start.
    ///
    /// # Errors
    ///
    /// `Invalid` if a setting is out of its bounds, a queue cannot have its name, a kind has two handlers, or a handler's
    /// [`State`] is missing.
    pub fn check(&self) -> Result<(), Error> {
        let refuse = |why: String| Err(Error::invalid(why));
        if !(1..=CONCURRENCY_MAX).contains(&self.concurrency) {
            return refuse(format!("concurrency is 1 to {CONCURRENCY_MAX}"));
        }
        if self.prefetch > CONCURRENCY_MAX {
            return refuse(format!("prefetch is at most {CONCURRENCY_MAX}"));
        }
        if !(LEASE_MIN..=LEASE_MAX).contains(&self.lease) {
            let (min, max) = (format_length(LEASE_MIN), format_length(LEASE_MAX));
            return refuse(format!("a lease is {min} to {max} long"));
        }
        if !(1..=CLAIM_QUEUES).contains(&self.queues.len()) {
            return refuse(format!("a worker serves 1 to {CLAIM_QUEUES} queues"));
        }
        if self.queues.iter().collect::<BTreeSet<_>>().len() < self.queues.len() {
            return refuse("a queue is named twice".to_owned());
        }
        self.queues.iter().try_for_each(QueueName::check)?;
        self.handlers.check(&self.states)
    }

    /// This start of this worker, under a name that no other start has.
    fn info(&self) -> WorkerInfo {
        let host: String = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let pid = std::process::id();
        // A host's name has at most 64 bytes (HOST_NAME_MAX of Linux), so the whole stays below NAME_BYTES.
        let id = format!("{host}:{pid}:{}", self.clock.fresh_id().simple());
        WorkerInfo {
            id: WorkerId::from(id),
            host,
            pid,
            queues: self.queues.clone(),
            concurrency: u32::try_from(self.concurrency).unwrap_or(u32::MAX),
            running: 0,
            started_at: self.clock.now(),
            stopping: false,
        }
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("queues", &self.queues)
            .field("concurrency", &self.concurrency)
            .field("prefetch", &self.prefetch)
            .field("lease", &self.lease)
            .finish_non_exhaustive()
    }
}

/// Is done when this process is asked to end: by the first SIGTERM, or SIGINT (Ctrl-C), after this is first polled.
///
/// From then on the process hears these signals for good, and is no longer ended by one. Awaited twice, it is done at
/// the second signal, which is what [`Worker::hard_stop`] is for:
///
/// ```no_run
/// # use punctual::worker::{Worker, shutdown_signal};
/// # async fn work(worker: Worker) -> Result<(), punctual::Error> {
/// let second_signal = async {
///     shutdown_signal().await;
///     shutdown_signal().await;
/// };
/// worker.hard_stop(second_signal).run_until(shutdown_signal()).await
/// # }
/// ```
pub async fn shutdown_signal() {
    use tokio::signal::unix::{SignalKind, signal};

    let (mut terminate, mut interrupt) =
        match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
            (Ok(terminate), Ok(interrupt)) => (terminate, interrupt),
            (Err(error), _) | (_, Err(error)) => {
                tracing::error!(%error, "signals cannot be heard; the process can only be killed");
                return std::future::pending().await;
            }
        };
    tokio::select! {
        biased;
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
