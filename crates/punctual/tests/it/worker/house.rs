//! A worker's surroundings: an engine on a store, a clock that is stepped, and a gate between the two and the worker.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use punctual::clock::{Clock, ManualClock, SystemClock};
use punctual::job::{Job, Status};
use punctual::run::{Beat, Beaten, Claim, Claimed, RunId, SettleVerdict, Settlement};
use punctual::source::Source;
use punctual::store::Answer;
use punctual::testing::FaultyStore;
use punctual::worker::Worker;
use punctual::{Engine, Error, JobId, NewJob, Timestamp};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::stage::settle_down;
use crate::stores::Place;

/// How long a test waits before it fails.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct House {
    pub(super) clock: Arc<dyn Clock>,
    /// The same clock, where it is stepped.
    pub(super) manual: ManualClock,
    pub(super) store: Arc<FaultyStore>,
    pub(super) engine: Engine,
    pub(super) source: Arc<Gate>,
}

/// The engine as a source that can be told to fail, and that counts what it is asked.
pub(super) struct Gate {
    engine: Engine,
    /// Nothing gets through.
    pub(super) shut: AtomicBool,
    /// No heartbeat gets through.
    pub(super) beats_shut: AtomicBool,
    pub(super) beats: AtomicUsize,
    pub(super) claims: AtomicUsize,
    pub(super) stale: AtomicUsize,
}

impl House {
    /// A house whose time stands still until the test lets it pass, and where nobody takes back what is overdue.
    pub(super) async fn new(place: &Place) -> House {
        House::stepped(place, false).await
    }

    /// As [`House::new`], but what is overdue is taken back.
    pub(super) async fn with_caretaker(place: &Place) -> House {
        House::stepped(place, true).await
    }

    /// A house in real time.
    pub(super) async fn in_real_time(place: &Place) -> House {
        let manual = ManualClock::new(Timestamp::EPOCH, 7);
        let store = FaultyStore::new(place.open().await);
        House::with(store, Arc::new(SystemClock::new()), manual, true)
    }

    async fn stepped(place: &Place, caretaker: bool) -> House {
        let now: Timestamp = "2026-12-01T09:00:00Z".parse().expect("it is an instant");
        let manual = ManualClock::new(now, 7);
        let clock: Arc<dyn Clock> = Arc::new(manual.clone());
        let store = FaultyStore::new(place.open_heard().await).on_clock(clock.clone());
        House::with(store, clock, manual, caretaker)
    }

    fn with(store: FaultyStore, clock: Arc<dyn Clock>, manual: ManualClock, caretaker: bool) -> House {
        let store = Arc::new(store);
        let engine = Engine::builder()
            .clock(clock.clone())
            .caretaker(caretaker)
            .on(store.clone());
        let source = Arc::new(Gate {
            engine: engine.clone(),
            shut: AtomicBool::new(false),
            beats_shut: AtomicBool::new(false),
            beats: AtomicUsize::new(0),
            claims: AtomicUsize::new(0),
            stale: AtomicUsize::new(0),
        });
        House {
            clock,
            manual,
            store,
            engine,
            source,
        }
    }

    /// A worker in this house, with its heartbeat in place.
    pub(super) fn worker(&self) -> Worker {
        self.worker_apart().heartbeat_in_place()
    }

    /// A worker in this house whose heartbeat has a thread of its own.
    pub(super) fn worker_apart(&self) -> Worker {
        let source: Arc<dyn Source> = self.source.clone();
        Worker::new(source).clock(self.clock.clone())
    }

    pub(super) async fn enqueue<O>(&self, job: NewJob<O>) -> JobId {
        self.engine
            .enqueue(job.untyped())
            .await
            .expect("the job is in order")
            .id()
    }

    pub(super) async fn cancel(&self, id: JobId) {
        self.engine
            .cancel(id, "a test wants it", None)
            .await
            .expect("the job is live");
    }

    pub(super) async fn job(&self, id: JobId) -> Job {
        self.engine.fetch(id).await.expect("the job is there")
    }

    pub(super) async fn status(&self, id: JobId) -> Status {
        self.job(id).await.status
    }

    /// Lets all tasks of this thread do what they can without time passing.
    pub(super) async fn quiet(&self) {
        settle_down(200, &self.store).await;
    }

    /// Lets time pass, from one sleeper's waking to the next.
    pub(super) async fn pass(&self, length: Duration) {
        self.quiet().await;
        let end = self.manual.uptime() + length;
        loop {
            let left = end.saturating_sub(self.manual.uptime());
            if left.is_zero() {
                return;
            }
            let wake = self.manual.next_wake().unwrap_or(left);
            self.manual.advance(wake.min(left).max(Duration::from_millis(1)));
            self.quiet().await;
        }
    }

    /// Starts a worker beside the test.
    pub(super) fn start(&self, worker: Worker) -> Started {
        let (shutdown, hard) = (CancellationToken::new(), CancellationToken::new());
        let worker = worker.hard_stop(hard.clone().cancelled_owned());
        let task = tokio::spawn(worker.run_until(shutdown.clone().cancelled_owned()));
        Started { shutdown, hard, task }
    }
}

/// A worker at work.
pub(super) struct Started {
    pub(super) shutdown: CancellationToken,
    pub(super) hard: CancellationToken,
    task: JoinHandle<Result<(), Error>>,
}

impl Started {
    /// Waits until the worker has stopped.
    pub(super) async fn stopped(self) -> Result<(), Error> {
        let stopped = tokio::time::timeout(PATIENCE, self.task).await;
        stopped
            .expect("the worker stops")
            .expect("the worker does not panic")
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.task.is_finished()
    }
}

impl Gate {
    fn open(&self) -> Result<(), Error> {
        match self.shut.load(Ordering::Relaxed) {
            true => Err(Error::unavailable("the gate is shut")),
            false => Ok(()),
        }
    }
}

impl Source for Gate {
    fn claim(&self, claim: Claim, wait: Duration) -> Answer<'_, Claimed> {
        Box::pin(async move {
            self.claims.fetch_add(1, Ordering::Relaxed);
            self.open()?;
            self.engine.claim(claim, wait).await
        })
    }

    fn beat(&self, beat: Beat) -> Answer<'_, Beaten> {
        Box::pin(async move {
            self.open()?;
            if self.beats_shut.load(Ordering::Relaxed) {
                return Err(Error::unavailable("the gate is shut to heartbeats"));
            }
            self.beats.fetch_add(1, Ordering::Relaxed);
            self.engine.beat(beat).await
        })
    }

    fn settle(&self, settlements: Vec<Settlement>) -> Answer<'_, Vec<SettleVerdict>> {
        Box::pin(async move {
            self.open()?;
            let verdicts = self.engine.settle(settlements).await?;
            let stale = verdicts
                .iter()
                .filter(|verdict| **verdict == SettleVerdict::Stale);
            self.stale.fetch_add(stale.count(), Ordering::Relaxed);
            Ok(verdicts)
        })
    }

    fn append_output(&self, run: RunId, bytes: Bytes) -> Answer<'_, bool> {
        Box::pin(async move {
            self.open()?;
            self.engine.append_output(run, bytes).await
        })
    }

    fn cancels(&self) -> BoxStream<'static, JobId> {
        self.engine.cancels()
    }
}
