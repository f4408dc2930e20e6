//! Jobs within a transaction of somebody else's, beside an API and a runner that know nothing of it.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use punctual::job::Job;
use punctual::store::postgres::{PostgresStore, Within};
use punctual::store::sqlite::SqliteStore;
use punctual::{Engine, JobId, NewJob};
use serde_json::json;

use super::nodes::Nodes;
use super::server::{request, shell, until};
use super::stores::{Sort, Store};

/// Less than the five seconds after which a runner looks by itself: it is told.
const AT_ONCE: Duration = Duration::from_secs(3);
/// How long a transaction stays open.
const OPEN: Duration = Duration::from_secs(10);

/// A job that writes a line to the log of this place.
fn job(log: &Path, line: &str) -> NewJob {
    let payload = shell(&format!("echo {line} >> {}", log.display()))["payload"].clone();
    let job = NewJob::new("command", &payload).expect("it is JSON");
    job.id(JobId::named(line)).queue("command")
}

async fn row(job: NewJob) -> Job {
    let engine = Engine::open("memory:").await.expect("it opens");
    engine.admit(job).expect("it is whole")
}

fn within(store: &Store) -> Within<'_> {
    Within {
        namespace: store.namespace(),
        ..Within::default()
    }
}

async fn connect(store: &Store) -> tokio_postgres::Client {
    // The namespace is ours to know, not the driver's.
    let server = store
        .url()
        .split_once('?')
        .map_or(store.url(), |(server, _)| server);
    let (client, connection) = tokio_postgres::connect(server, tokio_postgres::NoTls)
        .await
        .expect("the server is there");
    tokio::spawn(connection);
    client
}

#[test]
fn a_job_of_a_transaction_on_sqlite_is_gone_with_it_or_runs_at_once() {
    shares_its_fate(Sort::Sqlite, async |store, row, commits| {
        let path = store.url().trim_start_matches("sqlite:");
        let mut database = rusqlite::Connection::open(path).expect("the file is there");
        let transaction = database.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate);
        let transaction = transaction.expect("it begins");
        SqliteStore::insert_in(&transaction, &[row]).expect("it is stored");
        match commits {
            true => transaction.commit(),
            false => transaction.rollback(),
        }
        .expect("it ends");
    });
}

#[test]
fn a_job_of_a_transaction_on_postgres_is_gone_with_it_or_runs_at_once() {
    shares_its_fate(Sort::Postgres, async |store, row, commits| {
        let mut client = connect(store).await;
        let transaction = client.transaction().await.expect("it begins");
        let inserted = PostgresStore::insert_in(&transaction, within(store), &[row]).await;
        inserted.expect("it is stored");
        match commits {
            true => transaction.commit().await,
            false => transaction.rollback().await,
        }
        .expect("it ends");
    });
}

fn shares_its_fate(sort: Sort, insert: impl AsyncFn(&Store, Job, bool)) {
    let Some(store) = sort.empty() else { return };
    let nodes = Nodes::open(&store, 1, &[]);
    let log = nodes.place.path("log");
    let runtime = tokio::runtime::Runtime::new().expect("threads are to be had");
    let insert = |line: &str, commits| {
        runtime.block_on(async { insert(&store, row(job(&log, line)).await, commits).await });
    };
    insert("rolled-back", false);
    insert("committed", true);
    let committed = Instant::now();
    until("it runs", || {
        let ran = !nodes.place.lines("log").is_empty();
        assert!(ran || committed.elapsed() < AT_ONCE, "it does not run at once");
        ran.then_some(())
    });
    nodes.all_succeeded(1);
    assert_eq!(nodes.place.lines("log"), ["committed"]);
    let path = format!("/v1/jobs/{}", JobId::named("rolled-back"));
    assert_eq!(request(nodes.address(), "GET", &path, None).status, 404);
}

#[test]
fn a_transaction_that_stays_open_with_a_key_on_postgres_delays_nobody_but_that_key() {
    let Some(store) = Sort::Postgres.empty() else {
        return;
    };
    let nodes = Nodes::open(&store, 1, &[]);
    let log = nodes.place.path("log");
    let runtime = tokio::runtime::Runtime::new().expect("threads are to be had");
    let mut client = runtime.block_on(connect(&store));
    let transaction = runtime.block_on(client.transaction()).expect("it begins");
    let held = runtime.block_on(async {
        let row = row(job(&log, "held").unique("held")).await;
        let inserted = PostgresStore::insert_in(&transaction, within(&store), &[row]).await;
        inserted.expect("it is stored");
        JobId::named("held").to_string()
    });
    let add = |key: Option<&str>, line: &str| {
        let mut job = shell(&format!("echo {line} >> {}", log.display()));
        if let Some(key) = key {
            job["unique"] = json!({"key": key});
        }
        request(nodes.address(), "POST", "/v1/jobs", Some(&job.to_string()))
    };
    let same = thread::scope(|scope| {
        let same = scope.spawn(|| add(Some("held"), "same"));
        let begun = Instant::now();
        let mut other = 0;
        while begun.elapsed() < OPEN {
            let key = format!("key {other}");
            let line = other.to_string();
            let added = add((other % 2 == 0).then_some(&key), &line);
            assert_eq!(added.status, 201, "{}", added.body);
            let added = Instant::now();
            until("the job of another key runs", || {
                let ran = nodes.place.lines("log").contains(&line);
                assert!(ran || added.elapsed() < AT_ONCE, "it is held up");
                ran.then_some(())
            });
            other += 1;
        }
        assert!(!same.is_finished(), "whose key is held waits");
        runtime.block_on(transaction.commit()).expect("it commits");
        same.join().expect("it asks")
    });
    until("the job of the transaction runs", || {
        nodes
            .place
            .lines("log")
            .contains(&"held".to_owned())
            .then_some(())
    });
    // By then the job of the transaction may have ended, and its key be free.
    match same.status {
        200 => assert_eq!(same.json()["id"], held),
        status => assert_eq!(status, 201, "{}", same.body),
    }
}
