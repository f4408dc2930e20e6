//! Rows for the tests of single stores, and what is done with them.

use std::sync::Arc;

use bytes::Bytes;
use punctual::change::{Change, Inserted};
use punctual::job::{Body, Job, Options, State, Status};
use punctual::queue::QueueName;
use punctual::run::{Claim, ClaimFrom, Claimed, WorkerId};
use punctual::store::Store;
use punctual::time::{Timestamp, seconds};
use punctual::{Error, JobId};

/// A job that has been due since the epoch, with a payload of so many bytes.
pub(crate) fn job_of(name: &str, payload_bytes: usize) -> Job {
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
        origin: None,
    };
    Job {
        body: Arc::new(body),
        status: Status::waiting(1, Timestamp::EPOCH),
    }
}

pub(crate) fn job(name: &str) -> Job {
    job_of(name, 16)
}

pub(crate) async fn insert(store: &dyn Store, jobs: &[Job]) {
    let inserted = store.insert(jobs).await.expect("the store takes jobs");
    assert!(
        inserted.iter().all(|job| *job == Inserted::Inserted),
        "{inserted:?}"
    );
}

pub(crate) async fn try_claim(store: &dyn Store, max: usize) -> Result<Claimed, Error> {
    let claim = Claim {
        worker: WorkerId::from("w"),
        from: ClaimFrom::Queues(vec![QueueName::default()]),
        max,
        lease: seconds(60),
        now: None,
    };
    store.claim(claim).await
}

pub(crate) async fn claim(store: &dyn Store, max: usize) -> Claimed {
    try_claim(store, max).await.expect("the store gives jobs")
}

/// The job has succeeded.
pub(crate) fn success(job: &Job) -> Change {
    let mut status = job.status.clone();
    status.state = State::Succeeded;
    status.alarm = None;
    status.ended_at = Some(Timestamp::EPOCH);
    Change::to(job, status)
}

pub(crate) async fn is_there(store: &dyn Store, name: &str) -> bool {
    let found = store.fetch(&[JobId::named(name)]).await.expect("the store reads");
    found[0].is_some()
}
