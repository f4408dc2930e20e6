//! The engine: the one room where rules and a store meet.
//!
//! Everything that happens to a job goes through here: a [rule](crate::rules) decides, a lane carries the
//! decision to the [store] together with what others want written at the same time, and signals tell those
//! who wait. Workers, servers and command lines talk to an engine and to nothing behind it.
//!
//! ```text
//!   enqueue ─▶ rules::admit ──▶ lane ─▶ insert ┐
//!   settle  ─▶ rules::settle ─┐                ├─▶ signals ─▶ waiting claims, results, workers
//!   operate ─▶ rules::edit  ──┼▶ lane ─▶ apply ┘
//!   caretaker ▶ rules::reclaim┘
//! ```

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::change::{Change, Edit};
use crate::clock::{Clock, SystemClock};
use crate::error::Error;
use crate::job::{Defaults, Job, JobId, NewJob};
use crate::limits::HOLDER_LINES;
use crate::queue::QueueName;
use crate::run::{BeatVerdict, Outcome, SettleVerdict, WorkerInfo};
use crate::store::{self, Counted, Report, Store};
use crate::time::Timestamp;

mod bulk;
mod cancels;
mod caretaker;
mod claimants;
mod counters;
mod enqueue;
mod events;
mod followers;
mod handle;
pub(crate) mod lane;
mod listener;
mod look;
mod operate;
mod output;
mod queues;
mod results;
mod settings;
mod settle;
mod source;
mod tokens;
mod writes;

use claimants::Claimants;
use counters::Counters;
use events::Events;
use followers::Followers;
use lane::Lane;
use results::Results;
use settings::Settings;
use writes::{Changes, Inserts};

#[doc(no_inline)]
pub use crate::store::{Cursor, Filter, Head, Listed, Output, Page, View};
pub use bulk::{Bulk, BulkVerb, Bulked};
pub use counters::Totals;
pub use events::{Event, EventId, Happening, Watcher};
pub use handle::{Ending, Enqueued, IntoJob, JobHandle, ResultError};
pub use output::Follower;
pub use queues::{Purge, Purged, QueueView};

/// Rules and a store, at work. Clones share it; when the last one is dropped, its tasks end.
///
/// ```
/// use punctual::{Engine, NewJob};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let engine = Engine::open("memory:").await?;
/// let job = engine.enqueue(NewJob::new("mail.welcome", &7)?).await?;
/// assert_eq!(engine.fetch(job.id()).await?.body.kind, "mail.welcome");
/// engine.close().await?;
/// # Ok::<(), punctual::Error>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Engine {
    core: Arc<Core>,
    /// Ends the tasks, which hold the core, with the last engine.
    _alive: Arc<DropGuard>,
}

/// What the engine's tasks share.
struct Core {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    defaults: Defaults,
    inserts: Lane<Inserts>,
    changes: Lane<Changes>,
    settings: Settings,
    claimants: Claimants,
    results: Results,
    followers: Followers,
    events: Events,
    /// Held by whoever edits the holder of a unique key, by the holder's id.
    holders: [tokio::sync::Mutex<()>; HOLDER_LINES],
    token_key: tokens::Key,
    counters: Counters,
    stopping: CancellationToken,
    tasks: TaskTracker,
}

/// How an engine is to be.
#[derive(Clone, Debug)]
pub struct EngineBuilder {
    clock: Option<Arc<dyn Clock>>,
    defaults: Defaults,
    caretaker: bool,
}

impl EngineBuilder {
    /// The clock to go by; unset, the machine's. A store that [`open`](Self::open) opens goes by the same one, so give it
    /// none that a store's answers correct.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// What is in force where a job's user set nothing.
    pub fn defaults(mut self, defaults: Defaults) -> Self {
        self.defaults = defaults;
        self
    }

    /// Whether this engine takes back what is overdue and prunes history. It does, unless told otherwise; at least one
    /// engine on a store should.
    pub fn caretaker(mut self, caretaker: bool) -> Self {
        self.caretaker = caretaker;
        self
    }

    /// Opens the store that `url` names, and an engine on it. Errors are those of [`store::url::open`].
    pub async fn open(self, url: &str) -> Result<Engine, Error> {
        let store = store::url::open(url, self.clock_of_store()).await?;
        Ok(self.on(store))
    }

    /// As [`open`](Self::open), for a store that others have made. Errors are those of [`store::url::open_existing`].
    pub async fn open_existing(self, url: &str) -> Result<Engine, Error> {
        let store = store::url::open_existing(url, self.clock_of_store()).await?;
        Ok(self.on(store))
    }

    /// The store's clock is what the engine's is corrected by. Were they one, a step of the machine while the store
    /// answers would be taken for the store's, and be confirmed by every later answer.
    fn clock_of_store(&self) -> Arc<dyn Clock> {
        self.clock.clone().unwrap_or_else(machine)
    }

    /// An engine on this store. It starts its tasks on the Tokio runtime of the caller.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    pub fn on(self, store: Arc<dyn Store>) -> Engine {
        let clock = self.clock.unwrap_or_else(machine);
        let (stopping, tasks) = (CancellationToken::new(), TaskTracker::new());
        let signals = store.signals().listen();
        let core = Arc::new(Core {
            inserts: Lane::new(Inserts(Arc::clone(&store)), Arc::clone(&clock)),
            changes: Lane::new(Changes(Arc::clone(&store)), Arc::clone(&clock)),
            settings: Settings::new(Arc::clone(&store), Arc::clone(&clock)),
            claimants: Claimants::default(),
            results: Results::new(Arc::clone(&store), Arc::clone(&clock), tasks.clone()),
            followers: Followers::default(),
            events: Events::default(),
            holders: Default::default(),
            token_key: tokens::Key::new(),
            counters: Counters::default(),
            defaults: self.defaults,
            stopping: stopping.clone(),
            tasks,
            store,
            clock,
        });
        core.tasks.spawn(listener::run(Arc::clone(&core), signals));
        if self.caretaker {
            let span = tracing::debug_span!("caretaker");
            core.tasks
                .spawn(caretaker::run(Arc::clone(&core)).instrument(span));
        }
        Engine {
            core,
            _alive: Arc::new(stopping.drop_guard()),
        }
    }
}

impl Engine {
    /// Opens the store that `url` names, with everything else as it comes: `memory:`, or `sqlite:jobs.db` with the
    /// feature `sqlite`. Errors are those of [`store::url::open`].
    pub async fn open(url: &str) -> Result<Engine, Error> {
        Engine::builder().open(url).await
    }

    /// Copies the store that `url` names to the file `to`, while others go on using it. Answers the copy's length in bytes.
    /// Errors are those of [`store::url::back_up`].
    pub async fn back_up(url: &str, to: &Path, replace: bool) -> Result<u64, Error> {
        store::url::back_up(url, to, replace).await
    }

    /// An engine that is not as it comes.
    pub fn builder() -> EngineBuilder {
        EngineBuilder {
            clock: None,
            defaults: Defaults::default(),
            caretaker: true,
        }
    }

    /// Enqueues a job: a [`Task`](crate::Task), or a [`NewJob`] that says more. It is durable when this returns.
    ///
    /// A call that is dropped may or may not have stored the job: once the job is on its way to the store only the answer
    /// is given up, but not while the call waits for room behind other writes, nor while it deals with the holder of a
    /// unique key.
    ///
    /// # Errors
    ///
    /// `Invalid` with every field that is wrong. `Conflict`: another job has its id, or its unique key and the job asks
    /// to be told so. `Unavailable`: nothing was stored. `Internal`: it is not known whether it was; sending the
    /// same job under the same id again is safe.
    pub async fn enqueue<J: IntoJob>(&self, job: J) -> Result<Enqueued<J::Output>, Error> {
        let job = job.into_job()?.untyped();
        let span = tracing::debug_span!("enqueue", kind = %job.kind);
        let placed = self.core.enqueue(job).instrument(span).await?;
        Ok(Enqueued::new(self, placed))
    }

    /// Enqueues a batch, and answers for each job in order. Each is stored or refused by itself; jobs of one unique key are
    /// folded, as if they had come one after the other. A call that is dropped has stored any part of the batch. Errors are
    /// those of [`enqueue`](Self::enqueue).
    pub async fn enqueue_all<O>(&self, jobs: Vec<NewJob<O>>) -> Vec<Result<Enqueued<O>, Error>> {
        let span = tracing::debug_span!("enqueue_all", jobs = jobs.len());
        let placed = self.core.enqueue_all(jobs).instrument(span).await;
        let enqueued = |placed: Result<_, Error>| placed.map(|placed| Enqueued::new(self, placed));
        placed.into_iter().map(enqueued).collect()
    }

    /// The row that a new job would be, checked as [`enqueue`](Self::enqueue) does and stored nowhere: for whoever inserts it
    /// within a transaction of their own, as `SqliteStore::insert_in` does. What a held unique key leads to is then the
    /// caller's decision.
    ///
    /// # Errors
    ///
    /// `Invalid` with every field that is wrong.
    pub fn admit<J: IntoJob>(&self, job: J) -> Result<Job, Error> {
        Ok(self.core.admit(job.into_job()?.untyped())?.job)
    }

    /// What `outcome` makes of a job's row, as a change that is made nowhere yet: for whoever settles a run within a
    /// transaction of their own, as `SqliteStore::settle_in` does. `run` is [the run's number](crate::run::RunId::run). Nothing
    /// if that run does not hold the job any more: then its effects are not to happen.
    ///
    /// The change fits the row as it is given. Each heartbeat makes a new version of it, so [fetch](Self::fetch) the row
    /// just before, and decide again on the row that a stale change is answered with.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the queue's settings, which say how long its end is kept, cannot be read.
    pub async fn decide(&self, job: &Job, run: u64, outcome: &Outcome) -> Result<Option<Change>, Error> {
        let span = tracing::debug_span!("decide", job = %job.id(), run);
        self.core.decide(job, run, outcome).instrument(span).await
    }

    /// The job of this name, which need not exist. Its result is read as any JSON unless it is [typed](JobHandle::typed).
    pub fn job(&self, id: JobId) -> JobHandle {
        JobHandle::new(self.clone(), id)
    }

    /// The row of a job.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is none; `Unavailable` if the store cannot be read.
    pub async fn fetch(&self, id: JobId) -> Result<Job, Error> {
        let span = tracing::debug_span!("fetch", job = %id);
        self.core.fetch(id).instrument(span).await
    }

    /// One page of jobs: see [`Store::list`].
    pub async fn list(&self, filter: Filter, page: Page) -> Result<Listed, Error> {
        let span = tracing::debug_span!("list", view = ?filter.view, limit = page.limit);
        self.core.store.list(filter, page).instrument(span).await
    }

    /// Cancels a job: one that waits at once, one that runs as soon as its worker has stopped. Once this returns, the job
    /// can end in no other way. A job that was cancelled before is answered as it is. With `expect`, only a row of that version
    /// is cancelled; each heartbeat of a running job makes a new one.
    ///
    /// # Errors
    ///
    /// `NotFound`; `Conflict` if it has ended otherwise, does not stand still or has [another
    /// version](Error::version_there); `Invalid` for a reason that is too long.
    pub async fn cancel(&self, id: JobId, reason: &str, expect: Option<u64>) -> Result<Job, Error> {
        let span = tracing::debug_span!("cancel", job = %id);
        self.core.cancel(id, reason, expect).instrument(span).await
    }

    /// Begins a new life of a job that has ended, if its row has the version `expect`, where that is set: due now, its
    /// attempts allowed anew.
    ///
    /// # Errors
    ///
    /// `NotFound`; `Conflict` if it has not ended, another job holds its unique key, or it has another version.
    pub async fn retry(&self, id: JobId, expect: Option<u64>) -> Result<Job, Error> {
        let span = tracing::debug_span!("retry", job = %id);
        self.core.retry(id, expect).instrument(span).await
    }

    /// Makes a waiting job due now, if its row has the version `expect`, where that is set.
    ///
    /// # Errors
    ///
    /// `NotFound`; `Conflict` if it does not wait or has another version.
    pub async fn run_now(&self, id: JobId, expect: Option<u64>) -> Result<Job, Error> {
        let span = tracing::debug_span!("run_now", job = %id);
        self.core.run_now(id, expect).instrument(span).await
    }

    /// Deletes a job that does not run, if its row has the version `expect`, where that is set.
    ///
    /// # Errors
    ///
    /// `NotFound`; `Conflict` if it runs or has another version.
    pub async fn delete(&self, id: JobId, expect: Option<u64>) -> Result<(), Error> {
        let span = tracing::debug_span!("delete", job = %id);
        self.core.delete(id, expect).instrument(span).await
    }

    /// Changes a job that has not started, if its row has the version `expect`, where that is set.
    ///
    /// # Errors
    ///
    /// `NotFound`; `Conflict` if it has started or has another version; `Invalid` with every field that is wrong.
    pub async fn edit(&self, id: JobId, edit: Edit, expect: Option<u64>) -> Result<Job, Error> {
        let span = tracing::debug_span!("edit", job = %id);
        self.core.edit(id, edit, expect).instrument(span).await
    }

    /// Cancels, retries or deletes all jobs that a filter matches: a bounded piece of the list in each call. Every job that is
    /// there from the first call to the last, and keeps its place in the list, is looked at once.
    ///
    /// # Errors
    ///
    /// `Invalid` for a limit or a reason that cannot be. `Unavailable`, or a fault of the store: some jobs may have been
    /// changed by then; the same call again goes on with the others.
    pub async fn bulk(&self, bulk: &Bulk) -> Result<Bulked, Error> {
        let span = tracing::debug_span!("bulk", verb = ?bulk.verb, dry_run = bulk.dry_run);
        self.core.bulk(bulk).instrument(span).await
    }

    /// How a job ended, as soon as it has, or how it stands when `wait` is over. Any number of callers may wait; one that
    /// leaves cancels nothing.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such job, or none any more, or it ended in a queue that keeps no results and only its
    /// unique key is still held; `Invalid` if the queue keeps no results to wait for;
    /// `Unavailable` if the store cannot be read, or too many wait.
    pub async fn result(&self, id: JobId, wait: Duration) -> Result<Ending, Error> {
        let span = tracing::debug_span!("result", job = %id);
        self.core.result(id, wait).instrument(span).await.map(Ending::of)
    }

    /// Whether results of jobs in this queue can be waited for: not where a job is deleted as it ends.
    ///
    /// # Errors
    ///
    /// `Invalid` if not; `Unavailable` if the queue's settings cannot be read.
    pub async fn check_waitable(&self, queue: &QueueName) -> Result<(), Error> {
        let span = tracing::debug_span!("check_waitable", %queue);
        self.core.check_waitable(queue).instrument(span).await
    }

    /// Says what became of a run that was [deferred](crate::run::Outcome::Defer), as whoever holds its token.
    ///
    /// # Errors
    ///
    /// `NotFound` for what is no token of this store; `Unavailable` if the store cannot be reached: it may be said again.
    pub async fn settle_deferred(&self, token: &str, outcome: Outcome) -> Result<SettleVerdict, Error> {
        let span = tracing::debug_span!("settle_deferred");
        self.core.settle_deferred(token, outcome).instrument(span).await
    }

    /// Prolongs a deferred run until `length` from now at least, and notes its progress, which is JSON, if there is news of
    /// it. Once the job is to be cancelled, by an ordinary lease at most. Errors are those of
    /// [`settle_deferred`](Self::settle_deferred), and `Invalid` for too much progress.
    pub async fn beat_deferred(
        &self,
        token: &str,
        length: Duration,
        progress: Option<Bytes>,
    ) -> Result<BeatVerdict, Error> {
        let span = tracing::debug_span!("beat_deferred");
        let beaten = self.core.beat_deferred(token, length, progress);
        beaten.instrument(span).await
    }

    /// How many jobs each queue has in each state, and how old these figures are.
    pub async fn counts(&self) -> Result<Counted, Error> {
        let span = tracing::debug_span!("counts");
        self.core.store.counts().instrument(span).await
    }

    /// The workers that are there, with their last beat.
    pub async fn workers(&self) -> Result<Vec<(WorkerInfo, Timestamp)>, Error> {
        let span = tracing::debug_span!("workers");
        self.core.store.workers().instrument(span).await
    }

    /// What the store is and what it promises.
    pub async fn check(&self) -> Result<Report, Error> {
        let span = tracing::debug_span!("check");
        self.core.store.check().instrument(span).await
    }

    /// What this engine has done since it was opened.
    pub fn totals(&self) -> Totals {
        self.core.counters.totals()
    }

    /// The store's time, as well as this process knows it.
    pub fn now(&self) -> Timestamp {
        self.core.clock.now()
    }

    /// The clock that this engine goes by.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.core.clock
    }

    /// What is in force where a job's user set nothing.
    pub fn defaults(&self) -> &Defaults {
        &self.core.defaults
    }

    /// Ends the engine's tasks, and answers once all that its lanes hold is written and answered.
    ///
    /// Calls that come later, on any clone, are `Unavailable` if they would write a job or a queue, claim, or wait for a
    /// result; so are claims and results that are being waited for. What only reads is still answered, and so is a
    /// heartbeat. A claim that is at the store as this is called may still bring jobs, which nobody can settle through this
    /// engine any more: they are taken back when their leases are over. Stop workers first.
    pub async fn close(&self) -> Result<(), Error> {
        self.core.stopping.cancel();
        self.core.tasks.close();
        self.core.tasks.wait().await;
        self.core.inserts.close().await;
        self.core.changes.close().await;
        Ok(())
    }
}

fn machine() -> Arc<dyn Clock> {
    Arc::new(SystemClock::new())
}

impl Core {
    /// Refuses what would begin after the engine was closed.
    fn check_open(&self) -> Result<(), Error> {
        if self.stopping.is_cancelled() {
            return Err(lane::closed());
        }
        Ok(())
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("clock", &self.core.clock)
            .field("defaults", &self.core.defaults)
            .field("closed", &self.core.stopping.is_cancelled())
            .finish_non_exhaustive()
    }
}
