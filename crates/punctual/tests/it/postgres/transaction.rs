//! Jobs within the caller's own transaction, and who waits for whom.

use std::sync::Arc;

use futures_util::StreamExt;
use punctual::change::{Applied, Inserted};
use punctual::job::{Job, State};
use punctual::run::BeatVerdict;
use punctual::signals::Signal;
use punctual::store::Store;
use punctual::store::postgres::{PostgresStore, Within};
use punctual::time::Timestamp;
use punctual::{Engine, JobId, Kind, NewJob};

use super::server::{House, open, schema_of};
use super::{PATIENCE, claim, insert, is_there, job, success, with_key};
use crate::rows::beat_of;

fn within(url: &str) -> Within<'_> {
    Within {
        namespace: schema_of(url),
        ..Within::default()
    }
}

#[tokio::test]
async fn a_job_inserted_within_a_transaction_shares_its_fate() {
    let Some(house) = House::shared() else { return };
    let url = house.next();
    let store = open(&url).await;
    let mut client = house.client().await;

    let transaction = client.transaction().await.expect("it begins");
    let inserted = PostgresStore::insert_in(&transaction, within(&url), &[job("a")]).await;
    assert_eq!(inserted, Ok(vec![Inserted::Inserted]));
    transaction.rollback().await.expect("it rolls back");
    assert!(!is_there(&store, "a").await);

    let transaction = client.transaction().await.expect("it begins");
    let inserted = PostgresStore::insert_in(&transaction, within(&url), &[job("a"), job("a")]).await;
    let twice = vec![Inserted::Inserted, Inserted::Exists { same: true }];
    assert_eq!(inserted, Ok(twice));
    assert!(!is_there(&store, "a").await);
    transaction.commit().await.expect("it commits");
    assert!(is_there(&store, "a").await);
}

#[tokio::test]
async fn a_job_settled_within_a_transaction_shares_its_fate() {
    let Some(house) = House::shared() else { return };
    let url = house.next();
    let store = open(&url).await;
    insert(&store, &[job("a")]).await;
    let claimed = claim(&store, 1).await.jobs.remove(0);
    let settled = [success(&claimed)];
    let mut client = house.client().await;
    let state = async || {
        let rows = store.fetch(&[claimed.id()]).await.expect("the store reads");
        rows[0].as_ref().expect("it is there").status.state
    };

    let transaction = client.transaction().await.expect("it begins");
    let applied = PostgresStore::settle_in(&transaction, within(&url), &settled).await;
    assert_eq!(applied, Ok(vec![Applied::Applied]));
    transaction.rollback().await.expect("it rolls back");
    assert_eq!(state().await, State::Running);

    let transaction = client.transaction().await.expect("it begins");
    let applied = PostgresStore::settle_in(&transaction, within(&url), &settled).await;
    assert_eq!(applied, Ok(vec![Applied::Applied]));
    transaction.commit().await.expect("it commits");
    assert_eq!(state().await, State::Succeeded);
}

#[tokio::test]
async fn others_hear_of_a_transaction_when_it_commits_unless_it_is_asked_to_be_quiet() {
    let Some(house) = House::shared() else { return };
    let url = house.next();
    let store = open(&url).await;
    let mut heard = store.signals().listen();
    let mut client = house.client().await;
    let next = async |heard: &mut futures_util::stream::BoxStream<'static, Signal>| {
        let hint = tokio::time::timeout(PATIENCE, heard.next()).await;
        hint.expect("a hint comes").expect("the store is there")
    };
    // The store says so when it begins to listen.
    assert_eq!(next(&mut heard).await, Signal::Lost);
    for (name, notify) in [("quiet", false), ("told", true)] {
        let transaction = client.transaction().await.expect("it begins");
        let within = Within {
            notify,
            ..within(&url)
        };
        let inserted = PostgresStore::insert_in(&transaction, within, &[job(name)]).await;
        assert_eq!(inserted, Ok(vec![Inserted::Inserted]));
        transaction.commit().await.expect("it commits");
    }
    store.signals().send(&[Signal::Ended(job("last").id())]);
    let first = next(&mut heard).await;
    let second = next(&mut heard).await;
    let due = Signal::Due("default".into(), Timestamp::EPOCH);
    let last = Signal::Ended(job("last").id());
    assert!(
        [&first, &second].contains(&&due) && [&first, &second].contains(&&last),
        "{first:?} {second:?}"
    );
}

#[tokio::test]
async fn a_transaction_without_such_a_namespace_is_told_so() {
    let Some(house) = House::shared() else { return };
    let mut client = house.client().await;
    let transaction = client.transaction().await.expect("it begins");
    let nowhere = Within {
        namespace: "nowhere",
        ..Within::default()
    };
    let error = PostgresStore::insert_in(&transaction, nowhere, &[job("a")]).await;
    assert_eq!(error.expect_err("it is nowhere").kind(), Kind::Invalid);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_open_transaction_that_holds_a_unique_key_delays_nobody_but_that_key() {
    let Some(house) = House::shared() else { return };
    let url = house.next();
    let engine = Engine::builder().on(Arc::new(open(&url).await));
    let mut client = house.client().await;
    let transaction = client.transaction().await.expect("it begins");
    let inserted = PostgresStore::insert_in(&transaction, within(&url), &[with_key("mine", "taken")]).await;
    assert_eq!(inserted, Ok(vec![Inserted::Inserted]));

    let wanting = {
        let engine = engine.clone();
        tokio::spawn(async move { engine.enqueue(NewJob::bytes("work", "1").unique("taken")).await })
    };
    let mut others = Vec::new();
    for number in 0..50 {
        let engine = engine.clone();
        others.push(tokio::spawn(async move {
            let new = NewJob::bytes("work", number.to_string()).unique(format!("free {number}"));
            engine.enqueue(new).await.map(|job| job.id())
        }));
    }
    for other in others {
        let stored = tokio::time::timeout(PATIENCE, other)
            .await
            .expect("it is not delayed");
        stored.expect("it does not panic").expect("it is stored");
    }
    assert!(!wanting.is_finished(), "whoever wants the key waits for it");
    transaction.commit().await.expect("it commits");
    let job = wanting.await.expect("it does not panic").expect("it is answered");
    assert_eq!(
        job.id(),
        super::job("mine").id(),
        "it is given the job that holds the key"
    );
}

#[tokio::test]
async fn a_run_that_is_being_settled_in_an_open_transaction_counts_as_held() {
    let Some(house) = House::shared() else { return };
    let url = house.next();
    let store = open(&url).await;
    insert(&store, &[job("a"), job("b")]).await;
    let claimed = claim(&store, 2).await.jobs;
    let mut client = house.client().await;
    let transaction = client.transaction().await.expect("it begins");
    let settled = [success(&claimed[0])];
    let applied = PostgresStore::settle_in(&transaction, within(&url), &settled).await;
    assert_eq!(applied, Ok(vec![Applied::Applied]));
    let beat = || beat_of(&claimed);
    let beaten = store.beat(beat()).await.expect("the store beats");
    assert_eq!(beaten.verdicts, [BeatVerdict::Held, BeatVerdict::Held]);
    // Nor is it taken back when its lease is over, whatever is taken back with it.
    let later = Some(Timestamp::MAX);
    let overdue = store.overdue(10, later).await.expect("the store looks");
    let ids: Vec<JobId> = overdue.jobs.iter().map(Job::id).collect();
    assert_eq!(ids, [claimed[1].id()]);
    transaction.commit().await.expect("it commits");
    let beaten = store.beat(beat()).await.expect("the store beats");
    assert_eq!(beaten.verdicts, [BeatVerdict::Lost, BeatVerdict::Held]);
}
