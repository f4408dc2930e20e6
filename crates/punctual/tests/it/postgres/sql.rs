//! Jobs that are enqueued in SQL, by whoever speaks it.

mod bounds;
mod keys;
mod rows;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use punctual::JobId;
use punctual::signals::Signal;
use punctual::store::Store;
use punctual::store::postgres::PostgresStore;
use punctual::time::Timestamp;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::server::{House, Pooler, connect, open, schema_of};
use super::{PATIENCE, claim, hears, job};

/// What a call of `enqueue` with these arguments answers.
async fn call(client: &Client, schema: &str, arguments: &str) -> Result<JobId, (SqlState, String)> {
    let sql = format!("select {schema}.enqueue({arguments})");
    let row = client.query_one(&sql, &[]).await.map_err(|error| {
        let told = error.as_db_error().expect("the server answers");
        (told.code().clone(), told.message().to_owned())
    })?;
    Ok(JobId(row.get(0)))
}

async fn enqueue(client: &Client, schema: &str, arguments: &str) -> JobId {
    let id = call(client, schema, arguments).await;
    id.unwrap_or_else(|error| panic!("{arguments}: {error:?}"))
}

async fn count(client: &Client, schema: &str) -> i64 {
    let sql = format!("select count(*) from {schema}.jobs");
    client
        .query_one(&sql, &[])
        .await
        .expect("it can be counted")
        .get(0)
}

fn instant(text: &str) -> Timestamp {
    text.parse().expect("it is an instant")
}

#[tokio::test]
async fn a_job_that_is_enqueued_in_sql_shares_the_fate_of_its_transaction_and_is_told_of_when_it_commits() {
    let Some(house) = House::shared() else { return };
    let url = house.next();
    let store = open(&url).await;
    let mut heard = store.signals().listen();
    let mut client = house.client().await;
    let schema = schema_of(&url);
    // From then on it hears others, and may say so itself a moment later.
    let known = [Signal::Ended(JobId::named("known")), Signal::Lost];
    hears(&mut heard, &open(&url).await, &known[0]).await;
    let next = async |heard: &mut BoxStream<'static, Signal>| {
        let mut others = heard.filter(|hint| std::future::ready(!known.contains(hint)));
        let hint = tokio::time::timeout(PATIENCE, others.next()).await;
        hint.expect("a hint comes").expect("the store is there")
    };
    for (arguments, commits) in [
        ("'k', queue => 'undone'", false),
        ("'k', queue => 'quiet', notify => false", true),
        ("'k', queue => 'later', run_at => '2399-01-01Z'", true),
        ("'k'", true),
    ] {
        let transaction = client.transaction().await.expect("it begins");
        enqueue(transaction.client(), schema, arguments).await;
        match commits {
            true => transaction.commit().await.expect("it commits"),
            false => transaction.rollback().await.expect("it rolls back"),
        }
    }
    let later = Signal::Due("later".into(), instant("2399-01-01T00:00:00Z"));
    assert_eq!(next(&mut heard).await, later);
    let now = Signal::Due("default".into(), Timestamp::EPOCH);
    assert_eq!(next(&mut heard).await, now);
    assert_eq!(count(&client, schema).await, 3);
    assert_eq!(
        claim(&store, 10).await.jobs.len(),
        1,
        "what is due can be claimed at once"
    );
}

#[tokio::test]
async fn who_may_call_enqueue_needs_no_rights_on_the_tables_and_nobody_else_may() {
    let Some(house) = House::shared() else { return };
    let url = house.next();
    let _store = open(&url).await;
    let client = house.client().await;
    let schema = schema_of(&url);
    let role = format!("{schema}_shop");
    let make = format!("create role {role}; grant usage on schema {schema} to {role}");
    client.batch_execute(&make).await.expect("it is made");
    let session = connect(house.url()).await;
    let become_it = format!("set role {role}; set search_path = pg_temp; create temp table jobs (id int)");
    session.batch_execute(&become_it).await.expect("it is that role");

    let (code, _) = call(&session, schema, "'k'").await.expect_err("it may not yet");
    assert_eq!(code, SqlState::INSUFFICIENT_PRIVILEGE);
    let grant = format!("grant execute on function {schema}.enqueue to {role}");
    client.batch_execute(&grant).await.expect("it is granted");
    let all = "'k', unique_key => 'a', backoff => '{\"type\": \"exponential\"}', on_conflict => 'debounce'";
    for arguments in ["'k'", all, all] {
        enqueue(&session, schema, arguments).await;
    }
    assert_eq!(count(&client, schema).await, 2);
    let meet = format!("select {schema}.enqueue_meet('a', 'replace', 'k', '', 0, 0, 0)");
    for forbidden in [
        meet,
        format!("select from {schema}.jobs"),
        format!("delete from {schema}.jobs"),
    ] {
        let error = session
            .batch_execute(&forbidden)
            .await
            .expect_err("it may not do that");
        assert_eq!(
            error.code(),
            Some(&SqlState::INSUFFICIENT_PRIVILEGE),
            "{forbidden}"
        );
    }
    drop(session);
    let end = format!("drop owned by {role}; drop role {role}");
    client.batch_execute(&end).await.expect("it goes");
}

#[tokio::test]
async fn jobs_are_enqueued_in_sql_through_a_pooler() {
    let Some(pooler) = Pooler::start() else { return };
    let house = House::on(pooler.url());
    let url = house.next();
    let store = open(&format!("{url}&pooled=true&notify=off")).await;
    let client = house.client().await;
    let schema = schema_of(&url);
    let done = format!("begin; select {schema}.enqueue('k'); select {schema}.enqueue('k'); commit");
    client.simple_query(&done).await.expect("it commits");
    let undone = format!("begin; select {schema}.enqueue('k'); rollback");
    client.simple_query(&undone).await.expect("it rolls back");
    assert_eq!(claim(&store, 10).await.jobs.len(), 2);
}

#[tokio::test]
async fn a_namespace_of_the_first_version_is_brought_up_to_date_with_all_that_is_in_it() {
    let Some(house) = House::shared() else { return };
    let url = house.next();
    let client = house.client().await;
    let schema = schema_of(&url);
    let first = include_str!("../../../src/store/postgres/migrations/0001.sql");
    let first = first.replace("punctual.", &format!("{schema}."));
    let make = format!(
        "create schema {schema}; {first}; insert into {schema}.punctual_schema (version) values (1); \
         insert into {schema}.jobs (id, queue, kind, priority, created, state, rev, due, fingerprint, payload) \
         values ('{id}', 'default', 'k', 5, 0, 0, 1, 0, '{id}', 'null')",
        id = job("a").id()
    );
    client.batch_execute(&make).await.expect("it is made");
    assert_eq!(PostgresStore::migrate(&url).await, Ok((1, 3)));
    enqueue(&client, schema, "'k'").await;
    assert_eq!(claim(&open(&url).await, 10).await.jobs.len(), 2);
}
