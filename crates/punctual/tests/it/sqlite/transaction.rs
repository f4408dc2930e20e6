//! Jobs within the caller's own transaction, and who hears of them.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use punctual::change::{Applied, Inserted};
use punctual::job::State;
use punctual::run::{Claim, ClaimFrom, Outcome};
use punctual::signals::Signal;
use punctual::source::Source;
use punctual::store::Store;
use punctual::store::sqlite::SqliteStore;
use punctual::time::seconds;
use punctual::{Engine, Kind, NewJob};

use super::{claim, connect, count, folder, insert, is_there, job, open, success, within_patience};

#[tokio::test]
async fn a_job_inserted_within_a_transaction_shares_its_fate() {
    let folder = folder();
    let path = folder.path().join("jobs.db");
    let store = open(&path).await;
    let mut mine = connect(&path);
    mine.execute_batch("create table orders (number integer)")
        .expect("the file takes tables");

    let transaction = mine.transaction().expect("a transaction begins");
    transaction
        .execute("insert into orders values (1)", [])
        .expect("it takes rows");
    let inserted = SqliteStore::insert_in(&transaction, &[job("a")]);
    assert_eq!(inserted, Ok(vec![Inserted::Inserted]));
    transaction.rollback().expect("it rolls back");
    assert!(!is_there(&store, "a").await);
    assert_eq!(count(&store, State::Waiting).await, 0);

    let transaction = mine.transaction().expect("a transaction begins");
    transaction
        .execute("insert into orders values (1)", [])
        .expect("it takes rows");
    let inserted = SqliteStore::insert_in(&transaction, &[job("a"), job("a")]);
    let twice = vec![Inserted::Inserted, Inserted::Exists { same: true }];
    assert_eq!(inserted, Ok(twice));
    transaction.commit().expect("it commits");
    assert!(is_there(&store, "a").await);
    assert_eq!(count(&store, State::Waiting).await, 1);
}

#[tokio::test]
async fn a_job_settled_within_a_transaction_shares_its_fate() {
    let folder = folder();
    let path = folder.path().join("jobs.db");
    let store = open(&path).await;
    insert(&store, &[job("a")]).await;
    let claimed = claim(&store, 1).await.jobs;
    let settled = [success(&claimed[0])];
    let mut mine = connect(&path);

    let transaction = mine.transaction().expect("a transaction begins");
    let applied = SqliteStore::settle_in(&transaction, &settled);
    assert_eq!(applied, Ok(vec![Applied::Applied]));
    transaction.rollback().expect("it rolls back");
    assert_eq!(count(&store, State::Running).await, 1);

    let transaction = mine.transaction().expect("a transaction begins");
    let applied = SqliteStore::settle_in(&transaction, &settled);
    assert_eq!(applied, Ok(vec![Applied::Applied]));
    transaction.commit().expect("it commits");
    assert_eq!(count(&store, State::Running).await, 0);
    assert_eq!(count(&store, State::Succeeded).await, 1);
}

#[tokio::test]
async fn the_engine_makes_the_rows_and_the_decisions_for_a_transaction_of_the_callers_own() {
    let folder = folder();
    let path = folder.path().join("jobs.db");
    let engine = Engine::builder().caretaker(false).on(Arc::new(open(&path).await));
    let mut mine = connect(&path);
    let bad = engine.admit(NewJob::bytes("a kind?", "{}"));
    assert_eq!(bad.map_err(|error| error.kind()), Err(Kind::Invalid));

    let new = engine.admit(NewJob::bytes("work", "{}")).expect("it is in order");
    let id = new.id();
    let transaction = mine.transaction().expect("a transaction begins");
    let inserted = SqliteStore::insert_in(&transaction, &[new]);
    assert_eq!(inserted, Ok(vec![Inserted::Inserted]));
    transaction.commit().expect("it commits");

    let wish = Claim {
        worker: "w".into(),
        from: ClaimFrom::Ids(vec![id]),
        max: 1,
        lease: seconds(60),
        now: None,
    };
    let claimed = engine.claim(wish, seconds(0)).await;
    let claimed = claimed.expect("the store gives jobs").jobs.remove(0);
    let run = claimed.status.run;
    let outcome = Outcome::Done(Bytes::from_static(b"1"));
    let change = engine.decide(&claimed, run, &outcome).await;
    let change = change.expect("the store answers").expect("the run holds the job");
    let transaction = mine.transaction().expect("a transaction begins");
    let applied = SqliteStore::settle_in(&transaction, &[change]);
    assert_eq!(applied, Ok(vec![Applied::Applied]));
    transaction.commit().expect("it commits");

    let ended = engine.fetch(id).await.expect("it is kept");
    assert_eq!(ended.status.result.as_deref(), Some(&b"1"[..]));
    assert_eq!(engine.decide(&ended, run, &outcome).await, Ok(None));
}

#[tokio::test]
async fn a_database_of_the_callers_own_takes_no_jobs_for_a_punctual_one_that_is_attached() {
    let folder = folder();
    let path = folder.path().join("jobs.db");
    let store = open(&path).await;
    let mut mine = connect(&folder.path().join("mine.db"));
    mine.execute_batch("create table orders (number integer)")
        .expect("the file takes tables");
    mine.execute("attach ?1 as punctual", [path.to_str().expect("it is text")])
        .expect("it can be attached");
    let transaction = mine.transaction().expect("a transaction begins");
    let error = SqliteStore::insert_in(&transaction, &[job("a")]).expect_err("it is refused");
    assert_eq!(error.kind(), Kind::Invalid);
    transaction.commit().expect("it goes on");
    assert!(!is_there(&store, "a").await);
}

#[tokio::test]
async fn whoever_listens_hears_of_a_transaction_of_the_callers_own() {
    let folder = folder();
    let path = folder.path().join("jobs.db");
    let store = open(&path).await;
    let mut heard = store.signals().listen();
    let mut mine = connect(&path);
    for name in ["a", "b", "c"] {
        let transaction = mine.transaction().expect("a transaction begins");
        SqliteStore::insert_in(&transaction, &[job(name)]).expect("it takes jobs");
        transaction.commit().expect("it commits");
        assert_eq!(within_patience(heard.next()).await, Some(Signal::Anything));
        assert!(is_there(&store, name).await);
    }
}

#[tokio::test]
async fn nobody_is_told_of_what_the_store_itself_wrote() {
    let folder = folder();
    let path = folder.path().join("jobs.db");
    let store = open(&path).await;
    let mut heard = store.signals().listen();
    for number in 0..50 {
        insert(&store, &[job(&number.to_string())]).await;
    }
    // What comes first is what somebody sent.
    store.signals().send(&[Signal::Ended(job("0").id())]);
    assert_eq!(
        within_patience(heard.next()).await,
        Some(Signal::Ended(job("0").id()))
    );
}

#[tokio::test]
async fn a_database_that_is_not_punctuals_takes_no_jobs() {
    let folder = folder();
    let mut mine = connect(&folder.path().join("mine.db"));
    let transaction = mine.transaction().expect("a transaction begins");
    let error = SqliteStore::insert_in(&transaction, &[job("a")]).expect_err("it is refused");
    assert_eq!(error.kind(), Kind::Invalid);
}
