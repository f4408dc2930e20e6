//! Ids that are sent again, and unique keys that are held.

use std::sync::Arc;

use punctual::job::{OnConflict, OnLost, State};
use punctual::store::Store;
use punctual::time::{days, hours};
use punctual::{Engine, JobId, Kind, NewJob};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::super::server::{House, open, schema_of};
use super::super::{PATIENCE, claim, success};
use super::{call, count, enqueue, instant};

#[tokio::test]
async fn the_same_job_sent_again_in_sql_or_by_the_library_is_the_same_job_and_another_a_conflict() {
    let Some(house) = House::shared() else { return };
    let url = house.next();
    let engine = Engine::builder().on(Arc::new(open(&url).await));
    let client = house.client().await;
    let schema = schema_of(&url);
    let id = JobId::named("order 7");
    let arguments = format!("'order.ship', '7', id => '{id}', delay => '1h'");
    for _ in 0..2 {
        assert_eq!(enqueue(&client, schema, &arguments).await, id);
    }
    let again = NewJob::bytes("order.ship", "7").id(id).delay(hours(1));
    assert_eq!(engine.enqueue(again).await.expect("it is the same job").id(), id);
    let other = NewJob::bytes("order.ship", "8").id(id).delay(hours(1));
    let error = engine.enqueue(other).await.map(|job| job.id());
    assert_eq!(error.expect_err("it is another").kind(), Kind::Conflict);
    let error = call(
        &client,
        schema,
        &format!("'order.ship', '8', id => '{id}', delay => '1h'"),
    )
    .await;
    let (code, message) = error.expect_err("it is another");
    assert_eq!(code, SqlState::UNIQUE_VIOLATION);
    assert_eq!(message, format!("there is another job with the id {id}"));

    let id = JobId::named("order 9");
    let first = NewJob::bytes("order.ship", "9").id(id);
    engine.enqueue(first).await.expect("it is stored");
    assert_eq!(
        enqueue(&client, schema, &format!("'order.ship', '9', id => '{id}'")).await,
        id
    );
    assert_eq!(count(&client, schema).await, 2);
}

/// What a caller can tell of the job that holds a key, its instants of making left out.
async fn holder(client: &Client, schema: &str) -> String {
    let sql = format!(
        "select json_build_array(kind, state, rev - created, due, alarm, unique_key, key_until - created, options, \
         fingerprint, convert_from(payload, 'UTF8'))::text from {schema}.jobs where unique_key is not null"
    );
    client
        .query_one(&sql, &[])
        .await
        .expect("one job holds it")
        .get(0)
}

#[tokio::test]
async fn a_unique_key_that_is_held_leads_to_the_same_in_sql_as_in_the_library() {
    let Some(house) = House::shared() else { return };
    let client = house.client().await;
    let later = instant("2399-12-31T23:59:59Z");
    for (word, on_conflict) in [
        ("existing", OnConflict::Existing),
        ("reject", OnConflict::Reject),
        ("replace", OnConflict::Replace),
        ("debounce", OnConflict::Debounce),
    ] {
        for (first_options, second_options) in [(false, false), (true, false), (false, true), (true, true)] {
            let (url, other) = (house.next(), house.next());
            let (_store, library) = (open(&url).await, open(&other).await);
            let engine = Engine::builder().on(Arc::new(library));
            let schema = schema_of(&url);
            let mut first = NewJob::bytes("k", "1").unique("a").at(later);
            let mut first_sql = "'k', '1', unique_key => 'a', run_at => '2399-12-31 23:59:59Z'".to_owned();
            if first_options {
                first = first
                    .max_attempts(3)
                    .start_deadline(later + days(1))
                    .on_lost(OnLost::Fail);
                first_sql +=
                    ", max_attempts => 3, start_deadline => '2400-01-01 23:59:59Z', on_lost => 'fail'";
            }
            let mut second = NewJob::bytes("k", "2")
                .unique("a")
                .at(later + hours(1))
                .on_conflict(on_conflict);
            let mut second_sql = format!(
                "'k', '2', unique_key => 'a', run_at => '2400-01-01 00:59:59Z', on_conflict => '{word}'"
            );
            if second_options {
                second = second.start_deadline(later + days(2));
                second_sql += ", start_deadline => '2400-01-02 23:59:59Z'";
            }
            engine.enqueue(first).await.expect("the key is free");
            let held = enqueue(&client, schema, &first_sql).await;
            let answered = engine.enqueue(second).await.map(|job| job.id());
            let answered_sql = call(&client, schema, &second_sql).await;
            match answered {
                Ok(_) => assert_eq!(answered_sql, Ok(held)),
                Err(_) => {
                    let (code, message) = answered_sql.expect_err("it is rejected");
                    assert_eq!(code, SqlState::UNIQUE_VIOLATION);
                    assert_eq!(message, format!("the unique key a is held by job {held}"));
                }
            }
            let holders = [
                holder(&client, schema).await,
                holder(&client, schema_of(&other)).await,
            ];
            assert_eq!(
                holders[0], holders[1],
                "{word}, options {first_options} {second_options}"
            );
        }
    }
}

#[tokio::test]
async fn a_key_is_taken_in_sql_from_a_job_that_has_ended_and_not_from_one_that_runs() {
    let Some(house) = House::shared() else { return };
    let url = house.next();
    let store = open(&url).await;
    let client = house.client().await;
    let schema = schema_of(&url);
    let first = enqueue(
        &client,
        schema,
        "'k', unique_key => 'a', unique_window => '1 microsecond'",
    )
    .await;
    let running = claim(&store, 1).await.jobs.remove(0);
    for on_conflict in ["existing", "replace", "debounce"] {
        let arguments = format!("'k', unique_key => 'a', on_conflict => '{on_conflict}'");
        assert_eq!(enqueue(&client, schema, &arguments).await, first);
    }
    // It ends, and its window has passed: whoever comes next finds it still in the row, and takes it.
    store.apply(&[success(&running)]).await.expect("it ends");
    let second = enqueue(&client, schema, "'k', unique_key => 'a', on_conflict => 'reject'").await;
    assert_ne!(second, first);
    let rows = store.fetch(&[first, second]).await.expect("the store reads");
    let [ended, fresh] = &rows[..] else {
        panic!("two were asked for")
    };
    let ended = &ended.as_ref().expect("it is kept").status;
    assert_eq!((ended.state, &ended.unique_key), (State::Succeeded, &None));
    assert_eq!(ended.rev, running.status.rev + 2);
    let fresh = &fresh.as_ref().expect("it is there").status;
    assert_eq!(fresh.unique_key.as_deref(), Some("a"));

    // With another kind than the holder's, a payload is never replaced.
    let other = call(
        &client,
        schema,
        "'l', unique_key => 'a', on_conflict => 'replace'",
    )
    .await;
    assert_eq!(other.expect_err("it is rejected").0, SqlState::UNIQUE_VIOLATION);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_open_transaction_that_holds_a_unique_key_by_sql_delays_nobody_but_that_key() {
    let Some(house) = House::shared() else { return };
    let url = house.next();
    let engine = Engine::builder().on(Arc::new(open(&url).await));
    let schema = schema_of(&url).to_owned();
    let mut client = house.client().await;
    let transaction = client.transaction().await.expect("it begins");
    let mine = enqueue(transaction.client(), &schema, "'k', unique_key => 'taken'").await;

    let by_library = {
        let engine = engine.clone();
        tokio::spawn(async move { engine.enqueue(NewJob::bytes("k", "1").unique("taken")).await })
    };
    let by_sql = {
        let (client, schema) = (house.client().await, schema.clone());
        tokio::spawn(async move { enqueue(&client, &schema, "'k', unique_key => 'taken'").await })
    };
    let others = house.client().await;
    for number in 0..20 {
        let free = format!("'k', unique_key => 'free {number}'");
        let stored = tokio::time::timeout(PATIENCE, enqueue(&others, &schema, &free)).await;
        stored.expect("it is not delayed");
        let new = NewJob::bytes("k", "1").unique(format!("as free {number}"));
        let stored = tokio::time::timeout(PATIENCE, engine.enqueue(new)).await;
        stored.expect("it is not delayed").expect("it is stored");
    }
    assert!(!by_library.is_finished() && !by_sql.is_finished());
    transaction.commit().await.expect("it commits");
    let by_library = by_library
        .await
        .expect("it does not panic")
        .expect("it is answered");
    assert_eq!(by_library.id(), mine);
    assert_eq!(by_sql.await.expect("it does not panic"), mine);
}
