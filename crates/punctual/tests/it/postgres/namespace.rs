//! Namespaces and their schema: made once, recognised, and left alone where they are not ours.

use punctual::Kind;
use punctual::store::postgres::{PostgresOptions, PostgresStore};
use punctual::store::{Depth, Store};

use super::server::{House, open, schema_of};
use super::{insert, is_there, job};
use crate::rows::{job_of, make, schedule};

async fn refused(url: &str, options: PostgresOptions) -> punctual::Error {
    let store = PostgresStore::open(url, options).await;
    store.map(|_| ()).expect_err("the store must not open")
}

#[tokio::test]
async fn processes_that_start_together_make_a_namespace_once() {
    let Some(house) = House::shared() else { return };
    let url = house.next();
    let opening: Vec<_> = (0..8)
        .map(|_| {
            let url = url.clone();
            tokio::spawn(async move { open(&url).await })
        })
        .collect();
    let mut stores = Vec::new();
    for opened in opening {
        stores.push(opened.await.expect("it opens"));
    }
    insert(&stores[0], &[job("a")]).await;
    for store in &stores {
        assert!(is_there(store, "a").await);
    }
}

#[tokio::test]
async fn namespaces_on_one_database_know_nothing_of_each_other() {
    let Some(house) = House::shared() else { return };
    let (one, other) = (open(&house.next()).await, open(&house.next()).await);
    insert(&one, &[job("a")]).await;
    assert!(!is_there(&other, "a").await);
    insert(&other, &[job("a")]).await;
    assert_ne!(one.namespace(), other.namespace());
}

#[tokio::test]
async fn a_namespace_of_a_newer_version_is_refused_and_left_alone() {
    let Some(house) = House::shared() else { return };
    let url = house.next();
    drop(open(&url).await);
    let client = house.client().await;
    let schema = schema_of(&url);
    let newer = format!("insert into {schema}.punctual_schema (version) values (99)");
    client.batch_execute(&newer).await.expect("it takes the row");
    let error = refused(&url, PostgresOptions::default()).await;
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(error.to_string().contains("version 99"), "{error}");
}

#[tokio::test]
async fn a_schema_of_somebody_elses_is_refused_and_an_empty_one_is_used() {
    let Some(house) = House::shared() else { return };
    let client = house.client().await;
    let url = house.next();
    let schema = schema_of(&url);
    client
        .batch_execute(&format!(
            "create schema {schema}; create table {schema}.users (name text)"
        ))
        .await
        .expect("it takes a schema");
    let error = refused(&url, PostgresOptions::default()).await;
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(error.to_string().contains("not Punctual's"), "{error}");

    client
        .batch_execute(&format!("drop table {schema}.users"))
        .await
        .expect("it goes");
    insert(&open(&url).await, &[job("a")]).await;
}

#[tokio::test]
async fn a_namespace_that_is_not_there_is_not_made_for_those_who_look_for_one() {
    let Some(house) = House::shared() else { return };
    let url = house.next();
    let only_look = || PostgresOptions {
        create: false,
        ..PostgresOptions::default()
    };
    let error = refused(&url, only_look()).await;
    assert_eq!(error.kind(), Kind::Unavailable);
    drop(open(&url).await);
    let found = PostgresStore::open(&url, only_look()).await;
    found.expect("now it is there");
}

#[tokio::test]
async fn a_namespace_that_had_no_schedules_takes_them_beside_the_jobs_that_are_in_it() {
    let Some(house) = House::shared() else { return };
    let (url, client) = (house.next(), house.client().await);
    let store = open(&url).await;
    insert(&store, &[job("a")]).await;
    drop(store);
    let schema = schema_of(&url);
    let before = format!(
        "drop table {schema}.schedules cascade; drop table {schema}.occurrences;
         delete from {schema}.punctual_schema where version = 3"
    );
    client.batch_execute(&before).await.expect("it is ours");
    assert_eq!(PostgresStore::migrate(&url).await, Ok((2, 3)));
    let store = open(&url).await;
    assert!(is_there(&store, "a").await);
    make(&store, &[schedule("nightly")]).await;
    let sql = format!("select name, next_look_at = to_timestamp(1) from {schema}.schedules_readable");
    let row = client.query_one(&sql, &[]).await.expect("the view is there");
    assert_eq!((row.get(0), row.get(1)), ("nightly", true));
}

#[tokio::test]
async fn people_read_the_jobs_in_words_and_instants() {
    let Some(house) = House::shared() else { return };
    let url = house.next();
    let store = open(&url).await;
    insert(&store, &[job_of("a", 2)]).await;
    let client = house.client().await;
    let sql = format!(
        "select state, due_at = to_timestamp(0), payload_bytes from {}.jobs_readable",
        schema_of(&url)
    );
    let row = client.query_one(&sql, &[]).await.expect("the view is there");
    let read: (&str, bool, i32) = (row.get(0), row.get(1), row.get(2));
    assert_eq!(read, ("waiting", true, 2));
}

#[tokio::test]
async fn a_store_says_what_its_server_promises() {
    let Some(house) = House::shared() else { return };
    let report = open(&house.next())
        .await
        .check(Depth::Quick)
        .await
        .expect("it is there");
    assert_eq!((report.store, report.schema), ("postgres", 3));
    assert_eq!(report.notes.len(), 1);
}
