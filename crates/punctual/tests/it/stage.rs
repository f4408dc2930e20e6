//! An engine on a memory store that can be held up, fail and lose its answers, under a clock that is stepped.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use punctual::change::{Applied, Change, Inserted, Record, RecordApplied, RecordChange, RecordKind};
use punctual::clock::{Clock, ManualClock};
use punctual::job::{Job, OnLost, Options};
use punctual::queue::QueueName;
use punctual::run::{
    Beat, Beaten, Claim, ClaimFrom, Claimed, Outcome, RunId, Settlement, WorkerId, WorkerInfo,
};
use punctual::signals::Signals;
use punctual::source::Source;
use punctual::store::memory::MemoryStore;
use punctual::store::{Answer, Counted, Filter, Listed, Output, Overdue, Page, Report, Store};
use punctual::{Engine, Error, JobId, NewJob, Timestamp, seconds};
use tokio::sync::{RwLock, RwLockWriteGuard};

/// What a store was asked.
pub(crate) enum Call<'a> {
    Insert(&'a [Job]),
    Apply,
    Claim,
    Fetch,
    Overdue,
}

/// What becomes of a call.
pub(crate) enum Fate {
    /// It is served.
    Pass,
    /// Nothing is done.
    Refuse(Error),
    /// It is done, and the answer is this error.
    Lose(Error),
}

type Rule = Box<dyn FnMut(Call<'_>) -> Fate + Send>;

/// A memory store between which and its caller things go wrong as a test wants.
pub(crate) struct FaultyStore {
    inner: MemoryStore,
    rule: Mutex<Rule>,
    inserts: Mutex<Vec<Vec<JobId>>>,
    applies: Mutex<Vec<Vec<JobId>>>,
    fetches: Mutex<Vec<Vec<JobId>>>,
    claims: Mutex<usize>,
    door: RwLock<()>,
}

impl FaultyStore {
    pub(crate) fn new(clock: &ManualClock) -> FaultyStore {
        FaultyStore {
            inner: MemoryStore::new(Arc::new(clock.clone())),
            rule: Mutex::new(Box::new(|_| Fate::Pass)),
            inserts: Mutex::default(),
            applies: Mutex::default(),
            fetches: Mutex::default(),
            claims: Mutex::default(),
            door: RwLock::new(()),
        }
    }

    /// From now on, calls fare by this rule.
    pub(crate) fn rule(&self, rule: impl FnMut(Call<'_>) -> Fate + Send + 'static) {
        *lock(&self.rule) = Box::new(rule);
    }

    /// Holds up inserts, changes and reads until what is answered is dropped.
    pub(crate) async fn shut(&self) -> RwLockWriteGuard<'_, ()> {
        self.door.write().await
    }

    /// The batches that came to be inserted, those that failed included.
    pub(crate) fn inserts(&self) -> Vec<Vec<JobId>> {
        lock(&self.inserts).clone()
    }

    pub(crate) fn insert_sizes(&self) -> Vec<usize> {
        lock(&self.inserts).iter().map(Vec::len).collect()
    }

    pub(crate) fn applies(&self) -> Vec<Vec<JobId>> {
        lock(&self.applies).clone()
    }

    pub(crate) fn fetches(&self) -> Vec<Vec<JobId>> {
        lock(&self.fetches).clone()
    }

    pub(crate) fn claims(&self) -> usize {
        *lock(&self.claims)
    }

    async fn serve<T>(&self, call: Call<'_>, answer: Answer<'_, T>) -> Result<T, Error> {
        let _open = self.door.read().await;
        let fate = (lock(&self.rule))(call);
        match fate {
            Fate::Pass => answer.await,
            Fate::Refuse(error) => Err(error),
            Fate::Lose(error) => answer.await.and(Err(error)),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store for FaultyStore {
    fn insert<'a>(&'a self, jobs: &'a [Job]) -> Answer<'a, Vec<Inserted>> {
        lock(&self.inserts).push(jobs.iter().map(Job::id).collect());
        self.serve(Call::Insert(jobs), self.inner.insert(jobs)).boxed()
    }

    fn claim(&self, claim: Claim) -> Answer<'_, Claimed> {
        *lock(&self.claims) += 1;
        self.serve(Call::Claim, self.inner.claim(claim)).boxed()
    }

    fn beat(&self, beat: Beat) -> Answer<'_, Beaten> {
        self.inner.beat(beat)
    }

    fn apply<'a>(&'a self, changes: &'a [Change]) -> Answer<'a, Vec<Applied>> {
        lock(&self.applies).push(changes.iter().map(|change| change.id).collect());
        self.serve(Call::Apply, self.inner.apply(changes)).boxed()
    }

    fn fetch<'a>(&'a self, ids: &'a [JobId]) -> Answer<'a, Vec<Option<Job>>> {
        lock(&self.fetches).push(ids.to_vec());
        self.serve(Call::Fetch, self.inner.fetch(ids)).boxed()
    }

    fn list(&self, filter: Filter, page: Page) -> Answer<'_, Listed> {
        self.inner.list(filter, page)
    }

    fn overdue(&self, limit: usize, now: Option<Timestamp>) -> Answer<'_, Overdue> {
        self.serve(Call::Overdue, self.inner.overdue(limit, now)).boxed()
    }

    fn counts(&self) -> Answer<'_, Counted> {
        self.inner.counts()
    }

    fn workers(&self) -> Answer<'_, Vec<(WorkerInfo, Timestamp)>> {
        self.inner.workers()
    }

    fn change_records<'a>(&'a self, changes: &'a [RecordChange]) -> Answer<'a, Vec<RecordApplied>> {
        self.inner.change_records(changes)
    }

    fn records<'a>(
        &'a self,
        kind: RecordKind,
        after: Option<&'a str>,
        limit: usize,
    ) -> Answer<'a, Vec<Record>> {
        self.inner.records(kind, after, limit)
    }

    fn append_output<'a>(&'a self, run: RunId, bytes: &'a [u8]) -> Answer<'a, bool> {
        self.inner.append_output(run, bytes)
    }

    fn output(&self, run: RunId, from: u64) -> Answer<'_, Output> {
        self.inner.output(run, from)
    }

    fn check(&self) -> Answer<'_, Report> {
        self.inner.check()
    }

    fn signals(&self) -> &dyn Signals {
        self.inner.signals()
    }
}

/// An engine under test, with its store and its clock.
pub(crate) struct Stage {
    pub(crate) clock: ManualClock,
    pub(crate) store: Arc<FaultyStore>,
    pub(crate) engine: Engine,
}

impl Stage {
    /// Without a caretaker, so that nothing happens of itself.
    pub(crate) fn quiet() -> Stage {
        Stage::with(false)
    }

    pub(crate) fn with_caretaker() -> Stage {
        Stage::with(true)
    }

    fn with(caretaker: bool) -> Stage {
        let noon: Timestamp = "2026-06-01T12:00:00Z".parse().expect("an instant");
        let clock = ManualClock::new(noon, 7);
        let store = Arc::new(FaultyStore::new(&clock));
        let engine = engine_on(&store, &clock, caretaker);
        Stage { clock, store, engine }
    }

    /// Another engine on the same store, as in another process.
    pub(crate) fn neighbour(&self) -> Engine {
        engine_on(&self.store, &self.clock, false)
    }

    /// Claims up to `max` jobs of the queue `default`, without waiting.
    pub(crate) async fn claim(&self, max: usize) -> Vec<Job> {
        let claimed = self.engine.claim(claim("w", max), Duration::ZERO).await;
        claimed.expect("the store serves claims").jobs
    }

    /// Lets time go on, sleeper by sleeper, until the condition holds.
    pub(crate) async fn advance_until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let by = std::time::Instant::now() + seconds(20);
        while !holds() {
            assert!(std::time::Instant::now() < by, "it never came: {what}");
            self.settle_down().await;
            if !holds() {
                self.clock
                    .advance(self.clock.next_wake().unwrap_or(Duration::from_millis(100)));
            }
        }
    }

    /// Lets this much time go on, sleeper by sleeper.
    pub(crate) async fn advance(&self, length: Duration) {
        let until = self.clock.uptime() + length;
        while self.clock.uptime() < until {
            self.settle_down().await;
            let left = until - self.clock.uptime();
            self.clock
                .advance(self.clock.next_wake().map_or(left, |next| next.min(left)));
        }
        self.settle_down().await;
    }

    /// Lets every task go as far as it can without time going on: more turns than any chain of wake-ups has links.
    pub(crate) async fn settle_down(&self) {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }
}

fn engine_on(store: &Arc<FaultyStore>, clock: &ManualClock, caretaker: bool) -> Engine {
    let store: Arc<dyn Store> = Arc::clone(store) as Arc<dyn Store>;
    Engine::builder()
        .clock(Arc::new(clock.clone()))
        .caretaker(caretaker)
        .on(store)
}

/// A wish for jobs of the queue `default`.
pub(crate) fn claim(worker: &str, max: usize) -> Claim {
    Claim {
        worker: WorkerId::from(worker),
        from: ClaimFrom::Queues(vec![QueueName::default()]),
        max,
        lease: seconds(30),
        now: None,
    }
}

/// What a worker tells of a run that it claimed.
pub(crate) fn settlement(job: &Job, outcome: Outcome) -> Settlement {
    Settlement {
        id: RunId {
            job: job.id(),
            run: job.status.run,
        },
        outcome,
        claimed: Some(job.clone()),
    }
}

pub(crate) fn done(result: &'static str) -> Outcome {
    Outcome::Done(Bytes::from_static(result.as_bytes()))
}

/// A job of the kind `work` in the queue `default`.
pub(crate) fn work() -> NewJob {
    NewJob::bytes("work", "{}")
}

/// One that must not run twice.
pub(crate) fn work_once() -> NewJob {
    let mut job = work();
    job.options = Options {
        on_lost: Some(OnLost::Fail),
        ..Options::default()
    };
    job
}

/// Waits for a condition that other tasks bring about without time going on.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let by = std::time::Instant::now() + seconds(20);
    while !holds() {
        assert!(std::time::Instant::now() < by, "it never came: {what}");
        tokio::task::yield_now().await;
    }
}

/// An answer that has to come.
pub(crate) async fn soon<T>(answer: impl Future<Output = T>) -> T {
    tokio::time::timeout(seconds(20), answer)
        .await
        .expect("the answer never came")
}
