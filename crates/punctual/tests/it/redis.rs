//! What is the Redis store's own: its server, its connections, its promises. What every store does, `conformance` tells.

mod access;
mod cluster;
mod layout;
mod promise;
pub(crate) mod server;
mod signals;
mod trouble;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use punctual::change::{Change, Inserted};
use punctual::job::{Body, Job, Options, State, Status};
use punctual::queue::QueueName;
use punctual::run::{Claim, ClaimFrom, Claimed, WorkerId};
use punctual::store::Store;
use punctual::store::redis::{RedisOptions, RedisStore};
use punctual::time::{Timestamp, seconds};
use punctual::{Error, JobId};

/// How long a test waits for what must happen, before it fails instead of hanging.
const PATIENCE: Duration = Duration::from_secs(60);

#[cfg(feature = "testing")]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_redis_store_conforms() {
    let Some(url) = server::shared() else { return };
    punctual::testing::conformance::run(async || {
        Arc::new(open(&server::namespace(&url)).await) as Arc<dyn Store>
    })
    .await;
}

async fn open(url: &str) -> RedisStore {
    RedisStore::open(url, RedisOptions::default())
        .await
        .expect("the store opens")
}

/// Why the store does not open.
async fn refusal(url: &str) -> Error {
    match RedisStore::open(url, RedisOptions::default()).await {
        Ok(_) => panic!("the store opens"),
        Err(error) => error,
    }
}

/// A command of the test's own.
async fn tell(url: &str, command: &[&str]) -> redis::Value {
    let url = url.split('?').next().unwrap_or(url);
    let client = redis::Client::open(url).expect("it is a URL");
    let mut connection = client
        .get_multiplexed_async_connection()
        .await
        .expect("the server takes a connection");
    let mut asked = redis::cmd(command[0]);
    asked.arg(&command[1..]);
    asked
        .query_async(&mut connection)
        .await
        .expect("the server obeys")
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

async fn insert(store: &RedisStore, jobs: &[Job]) {
    let inserted = store.insert(jobs).await.expect("the store takes jobs");
    assert!(
        inserted.iter().all(|job| *job == Inserted::Inserted),
        "{inserted:?}"
    );
}

async fn claim(store: &RedisStore, max: usize) -> Result<Claimed, Error> {
    let claim = Claim {
        worker: WorkerId::from("w"),
        from: ClaimFrom::Queues(vec![QueueName::default()]),
        max,
        lease: seconds(60),
        now: None,
    };
    store.claim(claim).await
}

/// The job has succeeded.
fn success(job: &Job) -> Change {
    let mut status = job.status.clone();
    status.state = State::Succeeded;
    status.alarm = None;
    status.ended_at = Some(Timestamp::EPOCH);
    Change::to(job, status)
}

async fn is_there(store: &RedisStore, name: &str) -> bool {
    let found = store.fetch(&[JobId::named(name)]).await.expect("the store reads");
    found[0].is_some()
}

/// Asks until it is answered; what is told meanwhile must be that the store is away, or that nobody knows.
async fn until_answered<T>(ask: impl AsyncFn() -> Result<T, Error>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(error) => {
                let away = error.kind() == punctual::Kind::Unavailable || error.is_unknown();
                assert!(away, "{error:?}");
                assert!(Instant::now() < deadline, "it stays so: {error:?}");
            }
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits for what nobody tells of.
async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < deadline, "it did not happen in time: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn within_patience<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .expect("it happens within the test's patience")
}
