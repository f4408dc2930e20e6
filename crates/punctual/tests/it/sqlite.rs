//! What is the SQLite store's own: its file, its processes, its log. What every store does, `conformance` tells.

mod child;
mod file;
mod log;
mod place;
mod plan;
mod shortage;
mod transaction;
mod trouble;
mod unreadable;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use punctual::JobId;
use punctual::change::{Change, Inserted};
use punctual::job::{Body, Job, Options, State, Status};
use punctual::queue::QueueName;
use punctual::run::{Claim, ClaimFrom, Claimed, WorkerId};
use punctual::store::Store;
use punctual::store::sqlite::{SqliteOptions, SqliteStore};
use punctual::time::{Timestamp, seconds};

/// How long a test waits for what must happen, before it fails instead of hanging.
const PATIENCE: Duration = Duration::from_secs(60);

#[cfg(feature = "testing")]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_sqlite_store_conforms() {
    let folder = folder();
    let number = std::sync::atomic::AtomicUsize::new(0);
    punctual::testing::conformance::run(async || {
        let number = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = folder.path().join(format!("{number}.db"));
        Arc::new(open(&path).await) as Arc<dyn Store>
    })
    .await;
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder for the test")
}

async fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path, SqliteOptions::default())
        .await
        .expect("the file opens")
}

/// A job that has been due since the epoch, with a payload of so many bytes.
fn job_of(name: &str, payload_bytes: usize) -> Job {
    let id = JobId::named(name);
    let body = Body {
        id,
        kind: "test".to_owned(),
        queue: QueueName::default(),
        priority: 5,
        created_at: Timestamp::EPOCH,
        payload: Bytes::from(vec![b'x'; payload_bytes]),
        tags: Vec::new(),
        options: Options::default(),
        unique_key: None,
        fingerprint: id.0.as_u128(),
    };
    Job {
        body: Arc::new(body),
        status: Status::waiting(1, Timestamp::EPOCH),
    }
}

fn job(name: &str) -> Job {
    job_of(name, 16)
}

async fn insert(store: &SqliteStore, jobs: &[Job]) {
    let inserted = store.insert(jobs).await.expect("the store takes jobs");
    assert!(
        inserted.iter().all(|job| *job == Inserted::Inserted),
        "{inserted:?}"
    );
}

async fn claim(store: &SqliteStore, max: usize) -> Claimed {
    let claim = Claim {
        worker: WorkerId::from("w"),
        from: ClaimFrom::Queues(vec![QueueName::default()]),
        max,
        lease: seconds(60),
        now: None,
    };
    store.claim(claim).await.expect("the store gives jobs")
}

/// The job has succeeded.
fn success(job: &Job) -> Change {
    let mut status = job.status.clone();
    status.state = State::Succeeded;
    status.alarm = None;
    status.ended_at = Some(Timestamp::EPOCH);
    Change::to(job, status)
}

/// How many jobs of the default queue are in this state.
async fn count(store: &SqliteStore, state: State) -> u64 {
    let counted = store.counts().await.expect("the store counts");
    counted
        .queues
        .iter()
        .map(|queue| queue.jobs[state as usize])
        .sum()
}

async fn is_there(store: &SqliteStore, name: &str) -> bool {
    let found = store.fetch(&[JobId::named(name)]).await.expect("the store reads");
    found[0].is_some()
}

/// A connection of the test's own.
fn connect(path: &Path) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(path).expect("the file opens");
    connection.busy_timeout(PATIENCE).expect("a connection can wait");
    connection
}

async fn within_patience<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .expect("it happens within the test's patience")
}

/// Waits for what no signal tells of.
fn until(mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(
            Instant::now() < deadline,
            "it did not happen within the test's patience"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
}
