//! An engine for users' own tests: in memory, with time that stands still, and with what is due run on demand.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::stream::BoxStream;
use tokio::sync::Notify;

use crate::clock::ManualClock;
use crate::engine::Engine;
use crate::error::Error;
use crate::job::{Job, JobId, Task};
use crate::limits::PAGE_ITEMS;
use crate::run::{Beat, Beaten, Claim, Claimed, RunId, SettleVerdict, Settlement};
use crate::source::Source;
use crate::store::memory::MemoryStore;
use crate::store::{Answer, Filter, Page};
use crate::time::{Timestamp, hours};
use crate::worker::Worker;

/// Runs of one [`TestEngine::run_due`]: a job that makes itself due again at once would never let it return.
const RUNS: usize = 10_000;

/// An engine in memory whose time goes on only when a test lets it.
///
/// Nothing runs of itself: [`run_due`](TestEngine::run_due) runs what is due, and returns when all of that has ended. Chance follows
/// from a seed, so that a test on a runtime of one thread goes the same way each time. Nobody takes back lost runs, or
/// deletes what has been kept long enough.
///
/// ```
/// use punctual::testing::TestEngine;
/// use punctual::{Engine, Error, NewJob, Task, Worker, hours};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Welcome { user: u64 }
///
/// impl Task for Welcome {
///     const KIND: &'static str = "mail.welcome";
///     type Output = String;
/// }
///
/// // What is to be tested.
/// async fn sign_up(engine: &Engine, user: u64) -> Result<(), Error> {
///     engine.enqueue(NewJob::task(&Welcome { user })?.delay(hours(1))).await?;
///     Ok(())
/// }
///
/// fn worker(engine: &Engine) -> Worker {
///     Worker::new(engine).handle(|task: Welcome| async move { Ok(format!("welcome, {}", task.user)) })
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let test = TestEngine::new();
/// sign_up(test.engine(), 7).await?;
/// let job = test.assert_enqueued(|task: &Welcome| task.user == 7).await;
///
/// assert_eq!(test.run_due(worker(test.engine())).await?, 0);
/// test.advance(hours(1));
/// assert_eq!(test.run_due(worker(test.engine())).await?, 1);
/// let welcome = test.engine().job(job.id()).typed::<String>().result().await;
/// assert_eq!(welcome.ok().as_deref(), Some("welcome, 7"));
/// # Ok::<(), Error>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct TestEngine {
    engine: Engine,
    clock: ManualClock,
}

impl TestEngine {
    /// An empty one, whose time stands at noon of the first of January 2030, UTC.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    #[expect(
        clippy::new_without_default,
        reason = "it needs a runtime, and a default needs nothing"
    )]
    pub fn new() -> TestEngine {
        TestEngine::at(Timestamp::from_micros(1_893_456_000_000_000) + hours(12))
    }

    /// An empty one whose time stands at `now`.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    pub fn at(now: Timestamp) -> TestEngine {
        let clock = ManualClock::new(now, 7);
        let store = MemoryStore::new(Arc::new(clock.clone()));
        let engine = Engine::builder()
            .clock(Arc::new(clock.clone()))
            .caretaker(false)
            .on(Arc::new(store));
        TestEngine { engine, clock }
    }

    /// The engine, for what is to be tested.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Lets time go on. What becomes due so is run by the next [`run_due`](TestEngine::run_due).
    pub fn advance(&self, length: Duration) {
        self.clock.advance(length);
    }

    /// Fires the schedules that are due, and lets a worker run everything that is due in its queues, and what becomes due at once
    /// by that, to the end. Answers how many runs that were. The worker is one as the program itself has it; here it goes by
    /// this engine's time.
    ///
    /// Time stands still meanwhile: a run that fails is tried again only after an [`advance`](TestEngine::advance), no
    /// timeout passes, and a handler that sleeps by the engine's clock never wakes.
    ///
    /// # Errors
    ///
    /// Those of [`Worker::run_until`]. `Conflict` after 10,000 runs, since jobs then make each other due for ever.
    pub async fn run_due(&self, worker: Worker) -> Result<usize, Error> {
        let source = Arc::new(DueSource::new(self.engine.clone()));
        let worker = worker
            .source(source.clone())
            .clock(Arc::new(self.clock.clone()))
            .heartbeat_in_place();
        tokio::select! {
            biased;
            () = source.too_many.notified() => Err(Error::conflict(format!(
                "{RUNS} jobs were run, and more are due: they make each other due for ever"
            ))),
            ended = worker.run_until(source.nothing_left.notified()) => {
                ended.map(|()| source.claimed.load(Ordering::Relaxed))
            }
        }
    }

    /// Holds that a job of this task was enqueued for which `is_it` is true, whatever has become of it. Answers the first
    /// one.
    ///
    /// # Panics
    ///
    /// If there is none; the message shows the payloads that there are.
    pub async fn assert_enqueued<T: Task>(&self, is_it: impl Fn(&T) -> bool) -> Job {
        let mut others = Vec::new();
        for job in self.jobs_of(T::KIND).await {
            match serde_json::from_slice(&job.body.payload) {
                Ok(task) if is_it(&task) => return job,
                _ => others.push(String::from_utf8_lossy(&job.body.payload).into_owned()),
            }
        }
        panic!(
            "no such job of kind {} was enqueued; there are {others:?}",
            T::KIND
        );
    }

    async fn jobs_of(&self, kind: &str) -> Vec<Job> {
        let filter = Filter {
            kind: Some(kind.to_owned()),
            ..Filter::default()
        };
        let mut jobs = Vec::new();
        let mut after = None;
        loop {
            let page = Page {
                limit: PAGE_ITEMS,
                after,
            };
            let listed = self.engine.list(filter.clone(), page).await;
            let listed = listed.expect("a memory store answers");
            for head in listed.items {
                jobs.extend(self.engine.fetch(head.id).await);
            }
            after = listed.next;
            if after.is_none() {
                return jobs;
            }
        }
    }
}

/// An engine as a source that says when nothing is left to run.
struct DueSource {
    engine: Engine,
    claimed: AtomicUsize,
    /// Claimed, and not yet settled.
    open: AtomicUsize,
    settled: Notify,
    nothing_left: Notify,
    too_many: Notify,
}

impl DueSource {
    fn new(engine: Engine) -> DueSource {
        DueSource {
            engine,
            claimed: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            settled: Notify::new(),
            nothing_left: Notify::new(),
            too_many: Notify::new(),
        }
    }

    async fn claim_due(&self, claim: Claim, wait: Duration) -> Result<Claimed, Error> {
        loop {
            // Looked at before the claim: what is settled by now has enqueued whatever it enqueues.
            let idle = self.open.load(Ordering::Acquire) == 0;
            let wait = if idle { Duration::ZERO } else { wait };
            self.engine.fire_due().await?;
            let claimed = tokio::select! {
                biased;
                claimed = self.engine.claim(claim.clone(), wait) => claimed?,
                () = self.settled.notified() => continue,
            };
            let count = claimed.jobs.len();
            if count > 0 {
                self.open.fetch_add(count, Ordering::AcqRel);
                if self.claimed.fetch_add(count, Ordering::Relaxed) >= RUNS {
                    self.too_many.notify_one();
                    return std::future::pending().await;
                }
                return Ok(claimed);
            }
            if idle {
                return self.say_nothing_left(&claim).await;
            }
        }
    }

    /// Has the worker stopped, and gives way so that it can hear so before it asks again.
    async fn say_nothing_left(&self, claim: &Claim) -> Result<Claimed, Error> {
        self.nothing_left.notify_one();
        tokio::task::yield_now().await;
        Ok(Claimed {
            jobs: Vec::new(),
            next_due: None,
            now: claim.now.unwrap_or_else(|| self.engine.now()),
        })
    }
}

impl Source for DueSource {
    fn claim(&self, claim: Claim, wait: Duration) -> Answer<'_, Claimed> {
        self.claim_due(claim, wait).boxed()
    }

    fn beat(&self, beat: Beat) -> Answer<'_, Beaten> {
        self.engine.beat(beat)
    }

    fn settle(&self, settlements: Vec<Settlement>) -> Answer<'_, Vec<SettleVerdict>> {
        async move {
            let count = settlements.len();
            let verdicts = self.engine.settle(settlements).await?;
            self.open.fetch_sub(count, Ordering::AcqRel);
            self.settled.notify_one();
            Ok(verdicts)
        }
        .boxed()
    }

    fn append_output(&self, run: RunId, bytes: Bytes) -> Answer<'_, bool> {
        self.engine.append_output(run, bytes)
    }

    fn cancels(&self) -> BoxStream<'static, JobId> {
        self.engine.cancels()
    }
}
