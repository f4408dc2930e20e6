//! Rows for the tests of single stores, and what is done with them.

use std::sync::Arc;

use bytes::Bytes;
use punctual::change::{Change, Inserted};
use punctual::job::{Body, Job, Options, State, Status};
use punctual::limits::UNREADABLE_ROUNDS;
use punctual::queue::QueueName;
use punctual::run::{Beat, BeatRun, Claim, ClaimFrom, Claimed, RunId, WorkerId, WorkerInfo};
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

/// A heartbeat of the worker that claimed these jobs.
pub(crate) fn beat_of(claimed: &[Job]) -> Beat {
    Beat {
        worker: WorkerInfo {
            id: WorkerId::from("w"),
            host: String::new(),
            pid: 1,
            queues: Vec::new(),
            concurrency: 2,
            running: 2,
            started_at: Timestamp::EPOCH,
            stopping: false,
        },
        runs: claimed
            .iter()
            .map(|job| BeatRun {
                id: RunId {
                    job: job.id(),
                    run: job.status.run,
                },
                progress: None,
            })
            .collect(),
        lease: seconds(60),
        stopped: false,
        now: None,
    }
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

/// Rows that cannot be read stand at the head of a line, more of them than a claim passes at once; `spoil` makes one so.
pub(crate) async fn bad_rows_at_the_head_are_got_through(store: &dyn Store, spoil: impl AsyncFn(&str)) {
    let names: Vec<String> = (0..3 * UNREADABLE_ROUNDS).map(|n| n.to_string()).collect();
    let jobs: Vec<Job> = names.iter().map(|name| job(name)).collect();
    insert(store, &jobs).await;
    for name in &names {
        spoil(name).await;
    }
    let mut last = job("last");
    last.status.due = Timestamp::EPOCH + seconds(1);
    insert(store, &[last]).await;
    let mut claimed = Vec::new();
    for _ in 0..=names.len() {
        claimed.extend(claim(store, 1).await.jobs);
    }
    assert_eq!((claimed.len(), claimed[0].id()), (1, JobId::named("last")));
}

/// Claims these jobs by their names.
pub(crate) async fn claim_by_name(store: &dyn Store, names: &[&str]) -> Vec<Job> {
    let wish = Claim {
        worker: WorkerId::from("w"),
        from: ClaimFrom::Ids(names.iter().map(|name| JobId::named(name)).collect()),
        max: names.len(),
        lease: seconds(60),
        now: None,
    };
    store.claim(wish).await.expect("the store gives jobs").jobs
}
