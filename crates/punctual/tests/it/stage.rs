//! An engine on a store that can be held up, fail and lose its answers, under a clock that is stepped.

use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use punctual::clock::{Clock, ManualClock};
use punctual::job::{Job, OnLost, Options};
use punctual::queue::{QueueName, QueueSettings, Retention};
use punctual::run::{Claim, ClaimFrom, Outcome, RunId, Settlement, WorkerId};
use punctual::source::Source;
use punctual::testing::{Call, Fate, FaultyStore};
use punctual::{Engine, JobId, NewJob, Timestamp, seconds};

use crate::polling;
use crate::stores::Place;

/// A store that fails as a test wants, and what it was asked.
pub(crate) struct WatchedStore {
    pub(crate) faulty: Arc<FaultyStore>,
    /// What stands behind it: the store as another process has it, at the time of the stage.
    pub(crate) behind: Arc<FaultyStore>,
    asked: Arc<Mutex<Asked>>,
}

/// The batches that came to each verb, those that failed included.
#[derive(Default)]
struct Asked {
    inserts: Vec<Vec<JobId>>,
    applies: Vec<Vec<JobId>>,
    fetches: Vec<Vec<JobId>>,
    claims: usize,
}

impl WatchedStore {
    async fn new(place: &Place, clock: &ManualClock) -> WatchedStore {
        let store = FaultyStore::new(place.open_heard().await).on_clock(Arc::new(clock.clone()));
        let behind = Arc::new(store);
        let store = WatchedStore {
            faulty: Arc::new(FaultyStore::new(behind.clone())),
            behind,
            asked: Arc::default(),
        };
        store.rule(|_| Fate::Pass);
        store
    }

    /// From now on, calls fare by this rule.
    pub(crate) fn rule(&self, mut rule: impl FnMut(Call<'_>) -> Fate + Send + 'static) {
        let asked = Arc::clone(&self.asked);
        self.faulty.rule(move |call| {
            lock(&asked).note(call);
            rule(call)
        });
    }

    pub(crate) fn inserts(&self) -> Vec<Vec<JobId>> {
        lock(&self.asked).inserts.clone()
    }

    pub(crate) fn insert_sizes(&self) -> Vec<usize> {
        lock(&self.asked).inserts.iter().map(Vec::len).collect()
    }

    pub(crate) fn applies(&self) -> Vec<Vec<JobId>> {
        lock(&self.asked).applies.clone()
    }

    pub(crate) fn fetches(&self) -> Vec<Vec<JobId>> {
        lock(&self.asked).fetches.clone()
    }

    pub(crate) fn claims(&self) -> usize {
        lock(&self.asked).claims
    }
}

impl Asked {
    fn note(&mut self, call: Call<'_>) {
        match call {
            Call::Insert(jobs) => self.inserts.push(jobs.iter().map(Job::id).collect()),
            Call::Apply(changes) => self
                .applies
                .push(changes.iter().map(|change| change.id).collect()),
            Call::Fetch(ids) => self.fetches.push(ids.to_vec()),
            Call::Claim(_) => self.claims += 1,
            _ => {}
        }
    }
}

impl Deref for WatchedStore {
    type Target = FaultyStore;

    fn deref(&self) -> &FaultyStore {
        &self.faulty
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An engine under test, with its store and its clock.
pub(crate) struct Stage {
    pub(crate) clock: ManualClock,
    pub(crate) store: WatchedStore,
    pub(crate) engine: Engine,
}

impl Stage {
    /// Without a caretaker, so that nothing happens of itself.
    pub(crate) async fn quiet(place: &Place) -> Stage {
        Stage::with(place, false).await
    }

    pub(crate) async fn with_caretaker(place: &Place) -> Stage {
        Stage::with(place, true).await
    }

    async fn with(place: &Place, caretaker: bool) -> Stage {
        let noon: Timestamp = "2026-06-01T12:00:00Z".parse().expect("an instant");
        let clock = ManualClock::new(noon, 7);
        let store = WatchedStore::new(place, &clock).await;
        let engine = engine_on(&store, &clock, caretaker);
        Stage { clock, store, engine }
    }

    /// Another engine on the same store, as in another process.
    pub(crate) fn neighbour(&self) -> Engine {
        engine_on(&self.store, &self.clock, false)
    }

    /// Keeps every ended job of the queue for so long; for no time, nothing.
    pub(crate) async fn keep(&self, queue: &str, length: Duration) {
        let settings = QueueSettings {
            retention: Some(Retention::all(length)),
            ..QueueSettings::default()
        };
        let set = self.engine.set_queue(queue, settings, None).await;
        set.expect("it is set");
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
        advance(&self.clock, &self.store.behind, length).await;
    }

    /// Lets every task go as far as it can without time going on: more turns than any chain of wake-ups has links, after the
    /// last answer of the store.
    pub(crate) async fn settle_down(&self) {
        settle_down(100, &self.store.behind).await;
    }
}

fn engine_on(store: &WatchedStore, clock: &ManualClock, caretaker: bool) -> Engine {
    Engine::builder()
        .clock(Arc::new(clock.clone()))
        .caretaker(caretaker)
        .on(store.faulty.clone())
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

/// Lets this much time go on, sleeper by sleeper, for engines on this store.
pub(crate) async fn advance(clock: &ManualClock, store: &FaultyStore, length: Duration) {
    let until = clock.uptime() + length;
    while clock.uptime() < until {
        settle_down(100, store).await;
        let left = until - clock.uptime();
        clock.advance(clock.next_wake().map_or(left, |next| next.min(left)));
    }
    settle_down(100, store).await;
}

/// Lets every task of this thread have so many turns, and so many again for as long as the store has something to answer.
pub(crate) async fn settle_down(turns: usize, store: &FaultyStore) {
    loop {
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        if !store.is_serving() {
            return;
        }
        polling::until("the store has answered", async || !store.is_serving()).await;
    }
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
