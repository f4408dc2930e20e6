//! Claims beside a transaction that keeps dead rows from being cleared away.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::StreamExt;
use punctual::JobId;
use punctual::change::{RecordChange, RecordKind};
use punctual::clock::ManualClock;
use punctual::job::Job;
use punctual::queue::QueueName;
use punctual::run::{Claim, ClaimFrom, WorkerId};
use punctual::signals::Signal;
use punctual::store::Store;
use punctual::store::postgres::{PostgresOptions, PostgresStore};
use punctual::time::{Timestamp, hours, seconds};

use super::server::{House, open, schema_of};
use super::{PATIENCE, claim, insert, job, until};

/// A job that has been due since `due`.
fn due(name: &str, due: Timestamp) -> Job {
    let mut job = job(name);
    job.status.due = due;
    job
}

/// Many jobs, due one after the other.
async fn fill(store: &dyn Store, count: u64) {
    let jobs: Vec<Job> = (0..count)
        .map(|number| due(&number.to_string(), Timestamp::EPOCH + hours(1) + seconds(number)))
        .collect();
    for batch in jobs.chunks(1_000) {
        insert(store, batch).await;
    }
}

async fn next(store: &dyn Store) -> JobId {
    claim(store, 1).await.jobs.remove(0).id()
}

/// A store whose claims look at dead rows again when this clock says so.
async fn stepped(url: &str) -> (PostgresStore, ManualClock) {
    let clock = ManualClock::new(Timestamp::EPOCH, 7);
    let options = PostgresOptions {
        clock: Arc::new(clock.clone()),
        ..PostgresOptions::default()
    };
    let store = PostgresStore::open(url, options).await;
    (store.expect("the store opens"), clock)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_beside_a_long_transaction_pass_its_dead_rows_seldom() {
    let Some(house) = House::shared() else { return };
    let url = house.next();
    let schema = schema_of(&url);
    let (store, _clock) = stepped(&url).await;
    let client = house.client().await;
    let look = format!("begin isolation level repeatable read; select count(*) from {schema}.jobs");
    client.batch_execute(&look).await.expect("it looks");
    fill(&store, 4_000).await;
    for _ in 0..6 {
        assert_eq!(claim(&store, 500).await.jobs.len(), 500);
    }
    // Each of these would pass 3,000 dead rows.
    for number in 3_000..3_200_u32 {
        assert_eq!(next(&store).await, JobId::named(&number.to_string()));
    }
    client.batch_execute("rollback").await.expect("it ends");
    // A session tells what it did when it ends.
    drop(store);
    let passed = format!(
        "select idx_tup_read from pg_stat_user_indexes where schemaname = '{schema}' and indexrelname = 'jobs_line'"
    );
    let passed = async || client.query_one(&passed, &[]).await.expect("it counts").get(0);
    until("the server knows what was done", async || {
        let passed: i64 = passed().await;
        passed > 3_000
    })
    .await;
    let passed: i64 = passed().await;
    assert!(passed < 60_000, "{passed} entries of the index were passed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_comes_to_stand_before_dead_rows_is_claimed_at_once_or_after_two_seconds_if_nobody_told_of_it()
 {
    let Some(house) = House::shared() else { return };
    let url = house.next();
    let (store, clock) = stepped(&url).await;
    let other = open(&url).await;
    let mut heard = store.signals().listen();
    let client = house.client().await;
    let look = format!(
        "begin isolation level repeatable read; select count(*) from {}.jobs",
        schema_of(&url)
    );
    client.batch_execute(&look).await.expect("it looks");
    fill(&store, 3_000).await;
    for _ in 0..5 {
        assert_eq!(claim(&store, 500).await.jobs.len(), 500);
    }

    // Nobody tells of it: it is passed over, until the span is over.
    insert(&other, &[due("stray", Timestamp::EPOCH)]).await;
    assert_eq!(next(&store).await, JobId::named("2500"));
    clock.advance(seconds(2));
    assert_eq!(next(&store).await, JobId::named("stray"));

    // Another process tells of it.
    insert(&other, &[due("told", Timestamp::EPOCH)]).await;
    let hint = Signal::Due("default".into(), Timestamp::EPOCH);
    other.signals().send(std::slice::from_ref(&hint));
    let hears = async { while heard.next().await != Some(hint.clone()) {} };
    tokio::time::timeout(PATIENCE, hears)
        .await
        .expect("the hint is heard");
    assert_eq!(next(&store).await, JobId::named("told"));

    // This process knows of it.
    clock.advance(seconds(2));
    assert_eq!(next(&store).await, JobId::named("2501"));
    insert(&store, &[due("own", Timestamp::EPOCH)]).await;
    assert_eq!(next(&store).await, JobId::named("own"));

    // A claim that comes back short says when to look again, and in the end nothing was missed.
    clock.advance(seconds(2));
    let mut left = claim(&store, 100).await.jobs;
    insert(&other, &[due("last", Timestamp::EPOCH)]).await;
    let short = claim(&store, 1_000).await;
    assert!(short.next_due.is_some_and(|due| due > short.now), "{short:?}");
    left.extend(short.jobs);
    clock.advance(seconds(2));
    left.extend(claim(&store, 1_000).await.jobs);
    let left: BTreeSet<JobId> = left.iter().map(Job::id).collect();
    let names = (2_502..3_000).map(|number| number.to_string());
    let all = names.chain(["last".to_owned()]).map(|name| JobId::named(&name));
    assert_eq!(left, all.collect());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_missed_beside_a_long_transaction_where_queues_have_limits_and_jobs_priorities() {
    let Some(house) = House::shared() else { return };
    let url = house.next();
    let store = open(&url).await;
    let client = house.client().await;
    let look = format!(
        "begin isolation level repeatable read; select count(*) from {}.jobs",
        schema_of(&url)
    );
    client.batch_execute(&look).await.expect("it looks");
    let limited = RecordChange {
        kind: RecordKind::Queue,
        name: "limited".to_owned(),
        expect: 0,
        becomes: Some(r#"{"max_running":2200}"#.into()),
    };
    store.change_records(&[limited]).await.expect("it is limited");
    let queues = ["first", "limited", "last"].map(QueueName::from);
    let mut jobs = Vec::new();
    for number in 0..9_000_u64 {
        let mut job = due(&number.to_string(), Timestamp::EPOCH + seconds(number % 1_000));
        let body = Arc::make_mut(&mut job.body);
        body.queue = queues[usize::try_from(number % 3).expect("it is small")].clone();
        body.priority = u8::try_from(number / 3 % 10).expect("it is small");
        jobs.push(job);
    }
    for batch in jobs.chunks(1_000) {
        insert(&store, batch).await;
    }
    let mut claimed = Vec::new();
    until("all are claimed", async || {
        let wish = Claim {
            worker: WorkerId::from("w"),
            from: ClaimFrom::Queues(queues.to_vec()),
            max: 300,
            lease: seconds(600),
            now: None,
        };
        let more = store.claim(wish).await.expect("the store gives jobs");
        claimed.extend(more.jobs);
        claimed.len() >= 8_200
    })
    .await;
    let of = |queue: &QueueName| claimed.iter().filter(|job| job.body.queue == *queue).count();
    assert_eq!(queues.each_ref().map(of), [3_000, 2_200, 3_000]);
    let once: BTreeSet<JobId> = claimed.iter().map(Job::id).collect();
    assert_eq!(once.len(), claimed.len());
}
