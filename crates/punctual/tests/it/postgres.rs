//! What is the PostgreSQL store's own: its server, its connections, its schema. What every store does, `conformance`
//! tells.

mod namespace;
mod place;
mod plan;
pub(crate) mod server;
mod transaction;
mod trouble;
mod unreadable;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use punctual::JobId;
use punctual::change::{Change, Inserted};
use punctual::job::{Body, Job, Options, State, Status};
use punctual::queue::QueueName;
use punctual::run::{Claim, ClaimFrom, Claimed, WorkerId};
use punctual::store::Store;
use punctual::time::{Timestamp, seconds};

use self::server::{House, Pooler, open};

/// How long a test waits for what must happen, before it fails instead of hanging.
const PATIENCE: Duration = Duration::from_secs(60);

async fn conforms(house: &House, parameters: &str) {
    punctual::testing::conformance::run(async || {
        let url = format!("{}{parameters}", house.next());
        Arc::new(open(&url).await) as Arc<dyn Store>
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_postgres_store_conforms() {
    let Some(house) = House::shared() else { return };
    conforms(&house, "").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_postgres_store_conforms_behind_a_pooler() {
    let Some(pooler) = Pooler::start() else { return };
    conforms(&House::on(pooler.url()), "&pooled=true&notify=off").await;
}

/// A job that has been due since the epoch.
fn job(name: &str) -> Job {
    let id = JobId::named(name);
    let body = Body {
        id,
        kind: "test".to_owned(),
        queue: QueueName::default(),
        priority: 5,
        created_at: Timestamp::EPOCH,
        payload: Bytes::from_static(b"{}"),
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

fn with_key(name: &str, key: &str) -> Job {
    let mut job = job(name);
    job.status.unique_key = Some(key.to_owned());
    job
}

async fn insert(store: &dyn Store, jobs: &[Job]) {
    let inserted = store.insert(jobs).await.expect("the store takes jobs");
    assert!(
        inserted.iter().all(|job| *job == Inserted::Inserted),
        "{inserted:?}"
    );
}

async fn claim(store: &dyn Store, max: usize) -> Claimed {
    let claim = Claim {
        worker: WorkerId::from("w"),
        from: ClaimFrom::Queues(vec![QueueName::default()]),
        max,
        lease: seconds(60),
        now: None,
    };
    store.claim(claim).await.expect("the store gives jobs")
}

fn success(job: &Job) -> Change {
    let mut status = job.status.clone();
    status.state = State::Succeeded;
    status.alarm = None;
    status.ended_at = Some(Timestamp::EPOCH);
    Change::to(job, status)
}

async fn is_there(store: &dyn Store, name: &str) -> bool {
    let rows = store.fetch(&[JobId::named(name)]).await.expect("the store reads");
    rows[0].is_some()
}

/// Asks until the answer is yes.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let polled = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let came = tokio::time::timeout(PATIENCE, polled).await;
    assert!(came.is_ok(), "it never came true that {what}");
}
