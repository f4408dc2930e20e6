//! What a check finds and says: of a server's clock, of its writes, of what it holds and nobody can read.

use std::sync::Arc;

use futures_util::future::join_all;
use macro_rules_attribute::apply;
use punctual::clock::{Clock, ManualClock, SystemClock};
use punctual::job::Job;
use punctual::store::postgres::{PostgresOptions, PostgresStore};
use punctual::store::redis::{RedisOptions, RedisStore};
use punctual::store::{Depth, Report, Store};
use punctual::time::Timestamp;
use punctual::{JobId, Kind, hours};

use crate::postgres::server::{House, connect, open, schema_of};
use crate::redis::server::shared_namespace;
use crate::rows::{insert, job};
use crate::stores::{Place, on_each_store};

async fn check(store: &dyn Store) -> Report {
    store.check(Depth::Quick).await.expect("it answers")
}

#[apply(on_each_store)]
async fn a_check_of_a_store_in_order_says_what_it_promises_and_nothing_else(place: Place) {
    let report = check(&*place.open().await).await;
    assert!(!report.version.is_empty(), "{report:?}");
    assert_eq!(report.schema == 0, report.store == "memory", "{report:?}");
    assert_eq!(report.notes.len(), 1, "{report:?}");
    let apart = report.clock_ahead_micros.abs();
    assert!(apart < 1_000_000, "it is the same machine's: {report:?}");
}

/// A job whose start deadline is over.
fn overdue(name: &str) -> Job {
    let mut job = job(name);
    job.status.alarm = Some(Timestamp::from_micros(1));
    job
}

/// Whether this note names the job as one that cannot be read.
fn names(report: &Report, name: &str) -> bool {
    let id = JobId::named(name).to_string();
    let notes = report.notes.join(" ");
    notes.contains("cannot be read: 1, ") && notes.contains(&id)
}

#[tokio::test]
async fn an_overdue_job_that_cannot_be_read_is_named_on_postgres() {
    let Some(house) = House::shared() else { return };
    let url = house.next();
    let store = open(&url).await;
    insert(&store, &["good", "bad"].map(overdue)).await;
    assert_eq!(check(&store).await.notes.len(), 1);
    let spoil = format!("update {}.jobs set tags = '{{' where id = $1", schema_of(&url));
    let client = house.client().await;
    let spoiled = client.execute(&spoil, &[&JobId::named("bad").0]).await;
    assert_eq!(spoiled.expect("it is changed"), 1);
    let report = check(&store).await;
    assert!(names(&report, "bad"), "{report:?}");

    // Also while somebody holds it.
    let mut client = house.client().await;
    let transaction = client.transaction().await.expect("it begins");
    let hold = format!("update {}.jobs set rev = rev", schema_of(&url));
    assert_eq!(transaction.execute(&hold, &[]).await.expect("both are held"), 2);
    let report = check(&store).await;
    assert!(names(&report, "bad"), "{report:?}");
    transaction.rollback().await.expect("it ends");
}

#[tokio::test]
async fn an_overdue_job_that_cannot_be_read_is_named_on_redis() {
    let Some(url) = shared_namespace() else { return };
    let store = RedisStore::open(&url, RedisOptions::default()).await;
    let store = store.expect("the store opens");
    insert(&store, &["good", "bad"].map(overdue)).await;
    assert_eq!(check(&store).await.notes.len(), 1);
    crate::redis::layout::spoil(&url, "j:", JobId::named("bad")).await;
    let report = check(&store).await;
    assert!(names(&report, "bad"), "{report:?}");
}

#[tokio::test]
async fn a_check_fails_where_a_write_would_on_postgres() {
    let Some(house) = House::shared() else { return };
    let url = house.next();
    let store = open(&url).await;
    let client = connect(house.url()).await;
    let schema = schema_of(&url);
    let full = format!(
        "create function {schema}.no_room() returns trigger language plpgsql as
           $$ begin raise exception using errcode = 'disk_full', message = 'the disk is full'; end $$;
         create trigger no_room before insert on {schema}.records execute function {schema}.no_room()"
    );
    client.batch_execute(&full).await.expect("it is made");
    let error = store.check(Depth::Quick).await.expect_err("it takes no write");
    assert!(error.to_string().contains("the disk is full"), "{error}");
    let emptied = format!("drop trigger no_room on {schema}.records");
    client.batch_execute(&emptied).await.expect("it is dropped");
    check(&store).await;
}

/// Whether the check says that the server's clock is an hour ahead.
fn says_an_hour(report: &Report) -> bool {
    let notes = report.notes.join(" ");
    notes.contains("clock is ") && notes.contains("ahead of this machine's") && notes.contains("too early")
}

#[tokio::test]
async fn a_servers_clock_that_is_not_this_machines_is_told_of() {
    let behind = Arc::new(ManualClock::new(SystemClock::new().now() - hours(1), 7));
    if let Some(house) = House::shared() {
        let options = PostgresOptions {
            clock: behind.clone(),
            ..PostgresOptions::default()
        };
        let store = PostgresStore::open(&house.next(), options).await;
        let report = check(&store.expect("the store opens")).await;
        assert!(says_an_hour(&report), "{report:?}");
    }
    if let Some(url) = shared_namespace() {
        let options = RedisOptions {
            clock: behind,
            ..RedisOptions::default()
        };
        let store = RedisStore::open(&url, options).await;
        let report = check(&store.expect("the store opens")).await;
        assert!(says_an_hour(&report), "{report:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_check_one_postgres_at_the_same_time_all_find_that_it_takes_writes() {
    let Some(house) = House::shared() else { return };
    let url = house.next();
    let mut stores = Vec::new();
    for _ in 0..8 {
        stores.push(open(&url).await);
    }
    join_all(stores.iter().map(|store| check(store))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_whose_write_somebody_holds_up_for_good_says_so_each_time() {
    let Some(house) = House::shared() else { return };
    let url = house.next();
    check(&open(&url).await).await;
    let store = open(&url).await;
    let mut client = house.client().await;
    let transaction = client.transaction().await.expect("it begins");
    let hold = format!(
        "update {}.records set rev = rev + 1 where kind = 'check'",
        schema_of(&url)
    );
    let held = transaction.execute(&hold, &[]).await;
    assert_eq!(held.expect("it is there"), 1);
    for _ in 0..2 {
        let error = store.check(Depth::Quick).await.expect_err("it is held up");
        assert_eq!(error.kind(), Kind::Unavailable);
        assert!(error.to_string().contains("another transaction"), "{error}");
    }
    transaction.commit().await.expect("it ends");
    check(&store).await;
}

#[tokio::test]
async fn a_write_that_postgres_refuses_is_seen_by_the_next_check() {
    let Some(house) = House::shared() else { return };
    let (url, client) = (house.next(), house.client().await);
    let store = open(&url).await;
    check(&store).await;
    let schema = schema_of(&url);
    let on = |table: &str| {
        format!(
            "create trigger is_full before insert or update on {schema}.{table} \
             for each statement execute function {schema}.refuse()"
        )
    };
    let fill = format!(
        "create function {schema}.refuse() returns trigger language plpgsql \
         as $$ begin raise 'no space left on device' using errcode = '53100'; end $$; {}; {}",
        on("jobs"),
        on("records")
    );
    client.batch_execute(&fill).await.expect("it is full");
    check(&store).await;
    let refused = store.insert(&[job("full")]).await;
    assert_eq!(refused.map_err(|error| error.kind()), Err(Kind::Unavailable));
    for _ in 0..2 {
        let error = store.check(Depth::Quick).await.expect_err("it is full");
        assert!(
            error.to_string().contains("disk of PostgreSQL is full"),
            "{error}"
        );
    }
    let make_room = format!("drop function {schema}.refuse() cascade");
    client.batch_execute(&make_room).await.expect("there is room");
    check(&store).await;
}
