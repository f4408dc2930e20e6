//! The rows that SQL writes, beside those of the library.

use std::sync::Arc;

use punctual::clock::ManualClock;
use punctual::job::{Backoff, OnConflict, OnLost};
use punctual::store::Store;
use punctual::store::memory::MemoryStore;
use punctual::time::{Timestamp, days, hours, milliseconds, minutes, seconds};
use punctual::{Engine, JobId, NewJob};
use tokio_postgres::Client;

use super::super::insert;
use super::super::server::{House, open, schema_of};
use super::{enqueue, instant};

/// The whole row of a job, column by column.
async fn row(client: &Client, schema: &str, id: JobId) -> String {
    let sql = format!("select row_to_json(jobs)::text from {schema}.jobs where id = $1");
    client
        .query_one(&sql, &[&id.0])
        .await
        .expect("it is there")
        .get(0)
}

/// An engine whose time stands at `now`.
fn engine_at(now: Timestamp) -> Engine {
    let clock = ManualClock::new(now, 7);
    Engine::builder()
        .clock(Arc::new(clock.clone()))
        .on(Arc::new(MemoryStore::new(Arc::new(clock))))
}

const FAR: &str = "2399-12-31T23:59:59.000001Z";

/// Jobs in both languages.
fn same_jobs() -> Vec<(&'static str, NewJob)> {
    vec![
        ("'k'", NewJob::bytes("k", "null")),
        (
            "kind => 'mail.welcome', payload => '{\"user\": 7}'",
            NewJob::bytes("mail.welcome", "{\"user\": 7}"),
        ),
        (
            "'k', json_build_object('a', 1)",
            NewJob::bytes("k", "{\"a\" : 1}"),
        ),
        ("'k', '\"ä\\u0000\"'", NewJob::bytes("k", "\"ä\\u0000\"")),
        (
            "'k', payload_bytes => '\\x00ff'",
            NewJob::bytes("k", vec![0, 255]),
        ),
        ("'http', '{}', null", NewJob::bytes("http", "{}")),
        ("'command', '[]'", NewJob::bytes("command", "[]")),
        (
            "'http', '{}', 'default', 0",
            NewJob::bytes("http", "{}").queue("default").priority(0),
        ),
        (
            "'k', delay => '0', priority => 5",
            NewJob::bytes("k", "null").delay(seconds(0)).priority(5),
        ),
        (
            "'k', delay => '1d 2h 3.000004s'",
            NewJob::bytes("k", "null")
                .delay(days(1) + hours(2) + std::time::Duration::from_micros(3_000_004)),
        ),
        (
            "'k', run_at => '2399-12-31 23:59:59.000001Z'",
            NewJob::bytes("k", "null").at(instant(FAR)),
        ),
        (
            "'k', run_at => '1970-01-01Z'",
            NewJob::bytes("k", "null").at(Timestamp::EPOCH),
        ),
        (
            "'k', tags => array['b', 'a', E'\"\\\\/\\n\\t\\x01ä\\x7f']",
            NewJob::bytes("k", "null")
                .tag("b")
                .tag("a")
                .tag("\"\\/\n\t\u{1}ä\u{7f}"),
        ),
        ("'k', tags => '{}'", NewJob::bytes("k", "null")),
    ]
}

/// Jobs with policies of their own, in both languages.
fn same_policies() -> Vec<(&'static str, NewJob)> {
    vec![
        (
            "'k', on_lost => 'retry', unique_key => 'a'",
            NewJob::bytes("k", "null").on_lost(OnLost::Retry).unique("a"),
        ),
        (
            "'k', backoff => '{\"type\": \"fixed\", \"delay\": \"0\"}', unique_key => 'b', unique_window => '1 microsecond'",
            NewJob::bytes("k", "null")
                .backoff(Backoff::Fixed(seconds(0)))
                .unique("b")
                .unique_for(std::time::Duration::from_micros(1)),
        ),
        (
            "'k', backoff => '{\"type\": \"list\", \"delays\": [\"1h30m\", \"500ms\", \"1w\"]}', unique_key => 'c', on_conflict => 'reject'",
            NewJob::bytes("k", "null")
                .backoff(Backoff::List(vec![minutes(90), milliseconds(500), days(7)]))
                .unique("c")
                .on_conflict(OnConflict::Reject),
        ),
        (
            "'k', backoff => '{\"type\": \"exponential\"}', unique_key => 'd', on_conflict => 'debounce'",
            NewJob::bytes("k", "null")
                .backoff(Backoff::default())
                .unique("d")
                .on_conflict(OnConflict::Debounce),
        ),
        (
            "'k', '{}', 'q', 3, delay => '5m', tags => array['t1'], timeout => '30s', max_attempts => 3, \
             max_elapsed => '2h', start_deadline => '2399-12-31 23:59:59.000001Z', on_lost => 'fail', \
             backoff => '{\"type\": \"exponential\", \"base\": \"100ms\", \"factor\": 1.1, \"max\": \"3650d\"}', \
             unique_key => 'e', unique_window => '9m', on_conflict => 'replace'",
            NewJob::bytes("k", "{}")
                .queue("q")
                .priority(3)
                .delay(minutes(5))
                .tag("t1")
                .timeout(seconds(30))
                .max_attempts(3)
                .max_elapsed(hours(2))
                .start_deadline(instant(FAR))
                .on_lost(OnLost::Fail)
                .backoff(Backoff::Exponential {
                    base: milliseconds(100),
                    factor: 1.1,
                    max: days(3650),
                })
                .unique("e")
                .unique_for(minutes(9))
                .on_conflict(OnConflict::Replace),
        ),
    ]
}

#[tokio::test]
async fn a_job_that_is_enqueued_in_sql_is_to_the_byte_what_the_library_would_have_written() {
    let Some(house) = House::shared() else { return };
    let (url, other) = (house.next(), house.next());
    let (store, library) = (open(&url).await, open(&other).await);
    let client = house.client().await;
    // A session of whatever settings.
    let odd = "set extra_float_digits = 0; set intervalstyle = 'iso_8601'; set datestyle = 'german'; set timezone = 'Asia/Tokyo'";
    client.batch_execute(odd).await.expect("it is settled");
    for (number, (arguments, new)) in same_jobs().into_iter().chain(same_policies()).enumerate() {
        let id = JobId::named(&number.to_string());
        let arguments = format!("{arguments}, id => '{id}'");
        assert_eq!(enqueue(&client, schema_of(&url), &arguments).await, id);
        let stored = store.fetch(&[id]).await.expect("the store reads").remove(0);
        let stored = stored.expect("it is there");
        let admitted = engine_at(stored.body.created_at).admit(new.id(id));
        let admitted = admitted.expect("the library takes it, too");
        assert_eq!(stored, admitted, "{arguments}");
        insert(&library, &[admitted]).await;
        let rows = [
            row(&client, schema_of(&url), id).await,
            row(&client, schema_of(&other), id).await,
        ];
        assert_eq!(rows[0], rows[1], "{arguments}");
    }
}

#[tokio::test]
async fn an_id_that_is_given_to_nobody_is_made_a_fresh_one_that_tells_its_time() {
    let Some(house) = House::shared() else { return };
    let url = house.next();
    let store = open(&url).await;
    let client = house.client().await;
    let first = enqueue(&client, schema_of(&url), "'k'").await;
    let second = enqueue(&client, schema_of(&url), "'k'").await;
    assert_ne!(first, second);
    assert_eq!(first.0.get_version_num(), 7);
    assert_eq!(first.0.get_variant(), uuid::Variant::RFC4122);
    let stored = store.fetch(&[first]).await.expect("the store reads").remove(0);
    let created = stored.expect("it is there").body.created_at.as_micros();
    let (second, fraction) = first.0.get_timestamp().expect("it has one").to_unix();
    let told = i64::try_from(second).expect("it is near") * 1_000 + i64::from(fraction / 1_000_000);
    assert_eq!(told, created / 1_000);
}
