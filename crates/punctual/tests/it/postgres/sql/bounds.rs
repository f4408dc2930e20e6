//! What SQL accepts of a job, and what it says of the rest.

use tokio_postgres::error::SqlState;

use super::super::server::{House, open, schema_of};
use super::{call, count, enqueue};

/// What an error begins with, and the arguments that it is about.
const WRONG: [(&str, &str); 49] = [
    ("kind", "null"),
    ("kind", "''"),
    ("kind", "'a b'"),
    ("kind", "'ä'"),
    ("kind", "E'a\\n'"),
    ("kind", "repeat('a', 129)"),
    ("queue", "'k', queue => ''"),
    ("queue", "'k', queue => repeat('a', 129)"),
    ("priority", "'k', priority => 10"),
    ("priority", "'k', priority => -1"),
    (
        "payload",
        "'k', payload_bytes => repeat('a', 256 * 1024 + 1)::bytea",
    ),
    ("payload", "'k', to_json(repeat('a', 256 * 1024 - 1))"),
    ("payload_bytes", "'k', payload => '1', payload_bytes => ''"),
    ("tags", "'k', tags => array_fill('t'::text, array[17])"),
    ("tags", "'k', tags => array['']"),
    ("tags", "'k', tags => array[null]"),
    ("tags", "'k', tags => array[repeat('a', 129)]"),
    ("run_at", "'k', run_at => '1969-12-31Z'"),
    ("run_at", "'k', run_at => 'infinity'"),
    ("run_at", "'k', run_at => '9999-12-30 22:00:01Z'"),
    ("delay", "'k', delay => '-1s'"),
    ("delay", "'k', delay => '3651d'"),
    ("delay", "'k', delay => '1 month'"),
    ("delay", "'k', run_at => now(), delay => '1s'"),
    ("timeout", "'k', timeout => '0'"),
    ("max_elapsed", "'k', max_elapsed => '1 year'"),
    ("max_attempts", "'k', max_attempts => 0"),
    ("max_attempts", "'k', max_attempts => 1001"),
    ("start_deadline", "'k', start_deadline => now() - interval '1s'"),
    ("start_deadline", "'k', start_deadline => 'infinity'"),
    ("on_lost", "'k', on_lost => 'Retry'"),
    ("unique_key", "'k', unique_key => ''"),
    ("unique_key", "'k', unique_key => repeat('a', 513)"),
    ("unique_key", "'k', unique_key => 'xxh3:1'"),
    ("unique_window", "'k', unique_window => '1s'"),
    ("unique_window", "'k', unique_key => 'a', unique_window => '0'"),
    ("on_conflict", "'k', on_conflict => 'reject'"),
    ("on_conflict", "'k', unique_key => 'a', on_conflict => 'x'"),
    ("id", "'k', id => '00000000-0000-0000-0000-000000000000'"),
    ("type must", r#"'k', backoff => '{}'"#),
    ("type must", r#"'k', backoff => '[]'"#),
    (
        "\"delays\" is not",
        r#"'k', backoff => '{"type": "fixed", "delays": []}'"#,
    ),
    ("a delay is missing", r#"'k', backoff => '{"type": "fixed"}'"#),
    (
        "delay cannot be read",
        r#"'k', backoff => '{"type": "fixed", "delay": "soon"}'"#,
    ),
    (
        "a delay must not be negative",
        r#"'k', backoff => '{"type": "list", "delays": ["1s", "-1s"]}'"#,
    ),
    ("delays must have", r#"'k', backoff => '{"type": "list"}'"#),
    (
        "delays cannot be read",
        r#"'k', backoff => '{"type": "list", "delays": 7}'"#,
    ),
    (
        "factor must lie",
        r#"'k', backoff => '{"type": "exponential", "factor": 0.9}'"#,
    ),
    (
        "factor must lie",
        r#"'k', backoff => '{"type": "exponential", "factor": "NaN"}'"#,
    ),
];

#[tokio::test]
async fn what_is_wrong_with_a_job_in_sql_is_told_by_its_name_and_nothing_is_stored() {
    let Some(house) = House::shared() else { return };
    let url = house.next();
    let _store = open(&url).await;
    let client = house.client().await;
    let schema = schema_of(&url);
    for (name, arguments) in WRONG {
        let (code, message) = call(&client, schema, arguments).await.expect_err("it is wrong");
        assert_eq!(
            code,
            SqlState::INVALID_PARAMETER_VALUE,
            "{arguments:.100}: {message}"
        );
        let told = message.strip_prefix("this job cannot be enqueued: ");
        let told = told.unwrap_or_else(|| panic!("{message}"));
        let told = told.strip_prefix("backoff: ").unwrap_or(told);
        assert!(told.starts_with(name), "{arguments:.100}: {message}");
    }
    let several = call(&client, schema, "'', priority => 10, max_attempts => 0").await;
    let (_, message) = several.expect_err("three are wrong");
    let all = ["kind must", "; priority must", "; max_attempts must"];
    assert!(all.iter().all(|fault| message.contains(fault)), "{message}");
    assert_eq!(count(&client, schema).await, 0);
}

#[tokio::test]
async fn what_lies_on_a_bound_is_enqueued_in_sql() {
    let Some(house) = House::shared() else { return };
    let url = house.next();
    let _store = open(&url).await;
    let client = house.client().await;
    for arguments in [
        "repeat('a', 128), queue => repeat('a', 128), priority => 9",
        "'.-_/:aZ09', payload_bytes => repeat('a', 256 * 1024)::bytea, priority => 0",
        "'k', tags => array_fill(repeat('t', 128), array[16]), max_attempts => 1000",
        "'k', run_at => '9999-12-30 22:00:00Z', unique_key => repeat('a', 512)",
        "'k', delay => '3650d', timeout => '3650d', max_elapsed => '1us', unique_key => 'a', unique_window => '3650d'",
        "'k', run_at => now() - interval '2h', start_deadline => now() - interval '1h'",
    ] {
        enqueue(&client, schema_of(&url), arguments).await;
    }
}
