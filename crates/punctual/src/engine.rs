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
//!   caretaker ▶ rules::fire ─────▶ lane ─▶ change_schedules
//! ```

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::change::Change;
use crate::clock::Clock;
use crate::error::Error;
use crate::job::{Defaults, Job, JobId, NewJob};
use crate::limits::HOLDER_LINES;
use crate::queue::QueueName;
use crate::run::{Outcome, WorkerSeen};
use crate::store::{self, Counted, Depth, Report, Store};
use crate::time::Timestamp;

mod builder;
mod bulk;
mod calendars;
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
mod looks;
mod members;
mod operate;
mod output;
mod queues;
mod results;
mod schedules;
mod settings;
mod settle;
mod source;
mod tokens;
mod transfer;
mod workers;
mod writes;

use claimants::Claimants;
use counters::Counters;
use events::Events;
use followers::Followers;
use lane::Lane;
use looks::Looks;
use members::Members;
use results::Results;
use schedules::ScheduleWrites;
use settings::Settings;
use writes::{Changes, Inserts};

#[doc(no_inline)]
pub use crate::store::url::Migrated;
#[doc(no_inline)]
pub use crate::store::{Cursor, Filter, Head, Listed, Output, Page, UnreadableSchedule, View};
pub use builder::EngineBuilder;
pub use bulk::{Bulk, BulkVerb, Bulked};
pub use counters::Totals;
pub use events::{Event, EventId, Happening, Watcher};
pub use handle::{Ending, Enqueued, IntoJob, JobHandle, ResultError};
pub use output::Follower;
pub use queues::{Purge, Purged, QueueView};
pub use schedules::{Backfill, Backfilled, Ledger, LedgerPage, ScheduleJobs, SchedulePage, Upsert};
pub use transfer::{Arrival, Exported, Imported, Kept, Moved};

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
    schedules: Lane<ScheduleWrites>,
    settings: Settings,
    claimants: Claimants,
    results: Results,
    followers: Followers,
    events: Events,
    looks: Looks,
    members: Members,
    /// Held by whoever edits the holder of a unique key, by the holder's id.
    holders: [tokio::sync::Mutex<()>; HOLDER_LINES],
    token_key: tokens::Key,
    counters: Counters,
    stopping: CancellationToken,
    tasks: TaskTracker,
}

impl Engine {
    /// Opens the store that `url` names, with everything else as it comes: `memory:`, `sqlite:jobs.db` with the feature
    /// `sqlite`, or `postgres://user:password@host/database` with the feature `postgres`. Errors are those of
    /// [`store::url::open`].
    pub async fn open(url: &str) -> Result<Engine, Error> {
        Engine::builder().open(url).await
    }

    /// Looks whether `url` names a store, without opening it. Errors are those of [`store::url::check`].
    pub fn check_url(url: &str) -> Result<(), Error> {
        store::url::check(url)
    }

    /// Looks whether jobs of the store that `url` names may be dispatched through what `through` names, without opening either.
    /// Errors are those of [`store::url::check_dispatch`].
    pub fn check_dispatch(url: &str, through: &str) -> Result<(), Error> {
        store::url::check_dispatch(url, through)
    }

    /// Copies the store that `url` names to the file `to`, while others go on using it. Answers the copy's length in bytes.
    /// Errors are those of [`store::url::back_up`].
    pub async fn back_up(url: &str, to: &Path, replace: bool) -> Result<u64, Error> {
        store::url::back_up(url, to, replace).await
    }

    /// A store's URL as it may be shown: `***` stands for a password in it.
    pub fn masked(url: &str) -> String {
        store::url::masked(url)
    }

    /// Brings the schema of the store that `url` names up to date, and makes the store if it is not there. Errors are those of
    /// [`store::url::migrate`].
    pub async fn migrate(url: &str) -> Result<Migrated, Error> {
        store::url::migrate(url).await
    }

    /// An engine that is not as it comes.
    pub fn builder() -> EngineBuilder {
        EngineBuilder::new()
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
        let span = tracing::debug_span!("list", view = %filter.view, limit = page.limit);
        self.core.store.list(filter, page).instrument(span).await
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

    /// How many jobs each queue has in each state, and how old these figures are.
    pub async fn counts(&self) -> Result<Counted, Error> {
        let span = tracing::debug_span!("counts");
        self.core.store.counts().instrument(span).await
    }

    /// The workers that are there, with their last beat, and how many jobs each holds by the jobs' rows.
    pub async fn workers(&self) -> Result<Vec<WorkerSeen>, Error> {
        let span = tracing::debug_span!("workers");
        self.core.workers().instrument(span).await
    }

    /// What the store is and what it promises.
    pub async fn check(&self) -> Result<Report, Error> {
        let span = tracing::debug_span!("check");
        self.core.store.check(Depth::Quick).instrument(span).await
    }

    /// As [`check`](Self::check), and reads all of the store, however long that takes: see [`Depth::Whole`].
    ///
    /// # Errors
    ///
    /// `Internal` if something in it is damaged; `Unavailable` if it cannot be read.
    pub async fn inspect(&self) -> Result<Report, Error> {
        let span = tracing::debug_span!("inspect");
        self.core.store.check(Depth::Whole).instrument(span).await
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
    /// Calls that come later, on any clone, are `Unavailable` if they would write a job, a queue or a schedule, claim, or wait for a
    /// result; so are claims and results that are being waited for. What only reads is still answered, and so is a
    /// heartbeat. A claim that is at the store as this is called may still bring jobs, which nobody can settle through this
    /// engine any more: they are taken back when their leases are over. Stop workers first.
    pub async fn close(&self) -> Result<(), Error> {
        self.core.stopping.cancel();
        self.core.tasks.close();
        self.core.tasks.wait().await;
        self.core.inserts.close().await;
        self.core.changes.close().await;
        self.core.schedules.close().await;
        Ok(())
    }
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
