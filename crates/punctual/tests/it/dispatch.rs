//! Jobs in PostgreSQL that are dispatched through Redis: what lines are good for, and that nothing depends on them.

mod deaf;
mod ends;
mod firing;
mod lies;
mod lost;
mod trouble;
mod way;

use std::sync::Arc;

use punctual::job::Job;
use punctual::queue::QueueName;
use punctual::run::{Claim, ClaimFrom, WorkerId};
use punctual::store::Store;
use punctual::store::dispatch::Dispatched;
use punctual::store::postgres::{PostgresOptions, PostgresStore, Within};
use punctual::time::seconds;
use punctual::{Engine, JobId};

use crate::polling::until;
use crate::postgres::server::{House, schema_of};
use crate::redis::server;
use crate::rows::{insert, job, success, try_claim};

pub(crate) async fn open(url: &str, through: &str) -> Dispatched {
    let store = Dispatched::open(url, through, PostgresOptions::default()).await;
    store.expect("the store opens")
}

/// A server of PostgreSQL and one of Redis, which all tests share; nothing if the run was asked to leave one out.
fn servers() -> Option<(House, String)> {
    Some((House::shared()?, server::shared_namespace()?))
}

/// A job of this queue.
fn in_queue(name: &str, queue: &str) -> Job {
    let mut job = job(name);
    Arc::make_mut(&mut job.body).queue = QueueName::from(queue);
    job
}

/// The names of up to `max` jobs that are claimed from these queues.
async fn claim_from(store: &dyn Store, queues: &[&str], max: usize) -> Vec<JobId> {
    let claim = Claim {
        worker: WorkerId::from("w"),
        from: ClaimFrom::Queues(queues.iter().map(|queue| QueueName::from(*queue)).collect()),
        max,
        lease: seconds(60),
        now: None,
    };
    let claimed = store.claim(claim).await.expect("the store gives jobs");
    claimed.jobs.iter().map(Job::id).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_postgres_store_with_a_dispatch_conforms() {
    let Some((house, redis)) = servers() else { return };
    punctual::testing::conformance::run(async || {
        // Each namespace of PostgreSQL has lines of its own in one of Redis.
        Arc::new(open(&house.next(), &redis).await) as Arc<dyn Store>
    })
    .await;
}

#[tokio::test]
async fn an_idle_claim_asks_redis_and_not_the_table_of_jobs() {
    let Some((house, redis)) = servers() else { return };
    let url = house.next();
    let (store, other) = (open(&url, &redis).await, open(&url, &redis).await);
    let client = house.client().await;
    let lock = format!(
        "begin; lock table {}.jobs in access exclusive mode",
        schema_of(&url)
    );
    // Lines are trusted for some seconds only, so on a slow machine it takes another round.
    until(
        "a claim is answered though nobody can read the jobs",
        async || {
            for store in [&store, &other] {
                assert_eq!(claim_from(store, &["default"], 5).await, []);
            }
            client.batch_execute(&lock).await.expect("the table is locked");
            let (claimed, by_other) = (try_claim(&store, 5).await, try_claim(&other, 5).await);
            client
                .batch_execute("rollback")
                .await
                .expect("the lock is given up");
            claimed.is_ok() && by_other.is_ok()
        },
    )
    .await;
}

#[tokio::test]
async fn what_one_process_stores_another_finds_in_its_line() {
    let Some((house, redis)) = servers() else { return };
    let url = house.next();
    let (store, other) = (open(&url, &redis).await, open(&url, &redis).await);
    for number in 0..20 {
        assert_eq!(claim_from(&other, &["default"], 5).await, []);
        let job = job(&format!("job {number}"));
        insert(&store, std::slice::from_ref(&job)).await;
        assert_eq!(claim_from(&other, &["default"], 5).await, [job.id()]);
    }
}

#[tokio::test]
async fn a_job_that_was_stored_without_a_line_is_found() {
    let Some((house, redis)) = servers() else { return };
    for notify in [true, false] {
        let url = house.next();
        let store = open(&url, &redis).await;
        assert_eq!(claim_from(&store, &["default"], 5).await, []);
        let mut client = house.client().await;
        let transaction = client.transaction().await.expect("it begins");
        let namespace = schema_of(&url);
        let within = Within { namespace, notify };
        PostgresStore::insert_in(&transaction, within, &[job("a")])
            .await
            .expect("it is stored");
        transaction.commit().await.expect("it commits");
        until("the job is claimed", async || {
            claim_from(&store, &["default"], 5).await == [JobId::named("a")]
        })
        .await;
    }
}

#[tokio::test]
async fn two_stores_that_share_a_redis_do_not_share_lines() {
    let Some((house, redis)) = servers() else { return };
    let (one, two) = (
        open(&house.next(), &redis).await,
        open(&house.next(), &redis).await,
    );
    insert(&one, &[job("a"), job("b")]).await;
    insert(&two, &[job("b"), job("c")]).await;
    let ids = |names: [&str; 2]| names.map(JobId::named).to_vec();
    let mut claimed = claim_from(&one, &["default"], 5).await;
    claimed.sort_unstable();
    let mut expected = ids(["a", "b"]);
    expected.sort_unstable();
    assert_eq!(claimed, expected);
    assert_eq!(claim_from(&two, &["default"], 5).await.len(), 2);
}

#[tokio::test]
async fn a_check_tells_of_both_and_of_no_password() {
    let Some((house, redis)) = servers() else { return };
    let url = house.next();
    let builder = || Engine::builder().caretaker(false);
    let engine = builder().dispatch(&redis).open(&url).await.expect("it opens");
    let notes = engine.check().await.expect("it is there").notes.join(" ");
    assert!(notes.contains("synced to the disk"), "{notes}");
    assert!(notes.contains("dispatched through Redis at"), "{notes}");
    assert!(notes.contains("which answers"), "{notes}");

    let away = "redis://ann:hunter2@127.0.0.1:1/0";
    assert!(!format!("{:?}", builder().dispatch(away)).contains("hunter2"));
    let engine = builder()
        .dispatch(away)
        .open(&url)
        .await
        .expect("it opens without");
    let notes = engine.check().await.expect("it is there").notes.join(" ");
    assert!(notes.contains("127.0.0.1:1, which cannot be used"), "{notes}");
    assert!(!notes.contains("hunter2"), "{notes}");
}

#[tokio::test]
async fn only_jobs_in_postgres_are_dispatched() {
    let Some((house, redis)) = servers() else { return };
    for (url, through) in [("memory:", &*redis), (&*house.next(), "sqlite:jobs.db")] {
        let opened = Engine::builder().dispatch(through).open(url).await;
        let error = opened.expect_err("they do not go together");
        assert_eq!(error.kind(), punctual::Kind::Invalid, "{error}");
    }
}
