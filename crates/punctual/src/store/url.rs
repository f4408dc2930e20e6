//! Opening the store that a URL names.
//!
//! | URL | store |
//! |---|---|
//! | `memory:` | in this process, which it ends with |
//! | `sqlite:jobs.db` | a file in the working folder (feature `sqlite`) |
//! | `sqlite:/var/lib/punctual/jobs.db` | a file by its absolute path |
//! | `postgres://user:password@host:5432/database` | a schema in a PostgreSQL database (feature `postgres`) |
//! | `redis://user:password@host:6379/0` | a namespace in a Redis server, or in a cluster of which several hosts may be named (feature `redis`); `rediss:` for TLS |
//!
//! A path is taken as it is written: nothing in it is decoded, so that no `%` and no `+` turns into something else.
//! What follows a `?` are parameters, and one that is not known is refused rather than ignored. No error repeats a
//! password.

use std::path::Path;
use std::sync::Arc;

use crate::clock::Clock;
use crate::error::Error;
use crate::store::Store;
use crate::store::memory::MemoryStore;

/// Looks whether `url` names a store, without opening it: one that is accepted may still not be there.
///
/// # Errors
///
/// `Invalid` if it names no store, or has a parameter that its store does not know.
pub fn check(url: &str) -> Result<(), Error> {
    match parse(url)? {
        Place::Memory | Place::File(_) => Ok(()),
        Place::Server(url) => check_server(url),
        Place::Redis(url) => check_redis(url),
    }
}

/// Opens the store that `url` names, on this clock.
///
/// # Errors
///
/// `Invalid` if `url` names no store that this build knows, or has a parameter that its store does not know; otherwise
/// what the store has to say.
pub async fn open(url: &str, clock: Arc<dyn Clock>) -> Result<Arc<dyn Store>, Error> {
    match parse(url)? {
        Place::Memory => Ok(Arc::new(MemoryStore::new(clock))),
        Place::File(path) => open_file(path, clock, true).await,
        Place::Server(url) => open_server(url, clock, true).await,
        Place::Redis(url) => open_redis(url, clock, true).await,
    }
}

/// Looks whether jobs of the store that `url` names may be dispatched through the Redis that `through` names, without opening
/// either.
///
/// # Errors
///
/// `Invalid` if `url` names no PostgreSQL server, or `through` no Redis, or one of them cannot be read.
pub fn check_dispatch(url: &str, through: &str) -> Result<(), Error> {
    dispatch_of(url, through)?;
    check(url)?;
    check(through)
}

/// As [`open`], or as [`open_existing`] unless it may `create`, for a PostgreSQL store whose jobs are dispatched through the Redis
/// that `through` names.
///
/// # Errors
///
/// Those of [`check_dispatch`] and of [`open`]. A Redis that is away is none.
pub async fn open_dispatched(
    url: &str,
    through: &str,
    clock: Arc<dyn Clock>,
    create: bool,
) -> Result<Arc<dyn Store>, Error> {
    dispatch_of(url, through)?;
    dispatch(url, through, clock, create).await
}

fn dispatch_of(url: &str, through: &str) -> Result<(), Error> {
    match (parse(url)?, parse(through)) {
        (Place::Server(_), Ok(Place::Redis(_))) => Ok(()),
        (Place::Server(_), _) => Err(Error::invalid(format!(
            "jobs are dispatched through Redis, and {:?} is no URL of one; write redis://host",
            masked(through)
        ))),
        _ => Err(Error::invalid(format!(
            "only jobs in PostgreSQL are dispatched through Redis, and the store is {:?}; keep them in postgres://…, or do \
             without a dispatch",
            masked(url)
        ))),
    }
}

#[cfg(all(feature = "postgres", feature = "redis"))]
async fn dispatch(
    url: &str,
    through: &str,
    clock: Arc<dyn Clock>,
    create: bool,
) -> Result<Arc<dyn Store>, Error> {
    use crate::store::dispatch::Dispatched;
    use crate::store::postgres::PostgresOptions;

    let store = Dispatched::open(url, through, PostgresOptions { clock, create }).await?;
    Ok(Arc::new(store))
}

#[cfg(not(all(feature = "postgres", feature = "redis")))]
async fn dispatch(
    url: &str,
    through: &str,
    _clock: Arc<dyn Clock>,
    _create: bool,
) -> Result<Arc<dyn Store>, Error> {
    check_server(url).and_then(|()| check_redis(through))?;
    Err(Error::invalid(
        "this program was built without PostgreSQL or without Redis: turn on the features `postgres` and `redis`",
    ))
}

/// As [`open`], for a store that others have made: a slip in its name makes no empty one beside it.
///
/// # Errors
///
/// Beside those of [`open`]: `Unavailable` if there is none; `Invalid` for `memory:`, which nobody else can have made.
pub async fn open_existing(url: &str, clock: Arc<dyn Clock>) -> Result<Arc<dyn Store>, Error> {
    match parse(url)? {
        Place::Memory => Err(Error::invalid(
            "\"memory:\" is forgotten when the program ends that opens it, so that there is none to find; name a file, \
             such as sqlite:jobs.db",
        )),
        Place::File(path) => open_file(path, clock, false).await,
        Place::Server(url) => open_server(url, clock, false).await,
        Place::Redis(url) => open_redis(url, clock, false).await,
    }
}

/// The versions of a store's schema: how many steps it has had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// Before; 0 where there was no store.
    pub from: u32,
    /// Now.
    pub to: u32,
}

/// Brings the schema of the store that `url` names up to date, as whoever opens it does, and makes the store if it is not
/// there.
///
/// # Errors
///
/// `Invalid` for `memory:`, which has no schema, or if the store has a newer version than this program knows; otherwise those
/// of [`open`].
pub async fn migrate(url: &str) -> Result<Migrated, Error> {
    match parse(url)? {
        Place::Memory => Err(Error::invalid(
            "\"memory:\" has no schema, and there is nothing to bring up to date",
        )),
        Place::File(path) => migrate_file(path).await,
        Place::Server(url) => migrate_server(url).await,
        Place::Redis(url) => migrate_redis(url).await,
    }
}

#[cfg(feature = "sqlite")]
async fn migrate_file(path: &str) -> Result<Migrated, Error> {
    use crate::store::sqlite::SqliteStore;

    Ok(Migrated {
        from: SqliteStore::schema(path).await?,
        to: SqliteStore::migrate(path).await?,
    })
}

#[cfg(not(feature = "sqlite"))]
async fn migrate_file(path: &str) -> Result<Migrated, Error> {
    Err(without_sqlite(path))
}

/// Copies the store that `url` names to the file `to`, while others go on using it. Answers the copy's length in bytes.
///
/// # Errors
///
/// `Invalid` if `url` names no file; otherwise those of `SqliteStore::back_up`.
pub async fn back_up(url: &str, to: &Path, replace: bool) -> Result<u64, Error> {
    match parse(url)? {
        Place::Memory => Err(Error::invalid(
            "\"memory:\" is no file, and there is none to copy",
        )),
        Place::File(path) => back_up_file(path, to, replace).await,
        Place::Server(_) => Err(Error::invalid(
            "a PostgreSQL database is no file; copy it by PostgreSQL's own means, such as pg_dump",
        )),
        Place::Redis(_) => Err(Error::invalid(
            "a Redis server is no file; copy its data by its own means, such as BGSAVE",
        )),
    }
}

#[cfg(feature = "sqlite")]
async fn back_up_file(path: &str, to: &Path, replace: bool) -> Result<u64, Error> {
    crate::store::sqlite::SqliteStore::back_up(path, to, replace).await
}

#[cfg(not(feature = "sqlite"))]
async fn back_up_file(path: &str, _to: &Path, _replace: bool) -> Result<u64, Error> {
    Err(without_sqlite(path))
}

#[cfg(feature = "sqlite")]
async fn open_file(path: &str, clock: Arc<dyn Clock>, create: bool) -> Result<Arc<dyn Store>, Error> {
    use crate::store::sqlite::{SqliteOptions, SqliteStore};

    let store = SqliteStore::open(path, SqliteOptions { clock, create }).await?;
    Ok(Arc::new(store))
}

#[cfg(not(feature = "sqlite"))]
async fn open_file(path: &str, _clock: Arc<dyn Clock>, _create: bool) -> Result<Arc<dyn Store>, Error> {
    Err(without_sqlite(path))
}

#[cfg(not(feature = "sqlite"))]
fn without_sqlite(path: &str) -> Error {
    Error::invalid(format!(
        "this program was built without SQLite, so it cannot open {path:?}: turn on the feature `sqlite`"
    ))
}

#[cfg(feature = "postgres")]
fn check_server(url: &str) -> Result<(), Error> {
    crate::store::postgres::check_url(url)
}

#[cfg(not(feature = "postgres"))]
fn check_server(url: &str) -> Result<(), Error> {
    Err(without_postgres(url))
}

#[cfg(feature = "postgres")]
async fn open_server(url: &str, clock: Arc<dyn Clock>, create: bool) -> Result<Arc<dyn Store>, Error> {
    use crate::store::postgres::{PostgresOptions, PostgresStore};

    let store = PostgresStore::open(url, PostgresOptions { clock, create }).await?;
    Ok(Arc::new(store))
}

#[cfg(not(feature = "postgres"))]
async fn open_server(url: &str, _clock: Arc<dyn Clock>, _create: bool) -> Result<Arc<dyn Store>, Error> {
    Err(without_postgres(url))
}

#[cfg(feature = "postgres")]
async fn migrate_server(url: &str) -> Result<Migrated, Error> {
    let (from, to) = crate::store::postgres::PostgresStore::migrate(url).await?;
    Ok(Migrated { from, to })
}

#[cfg(not(feature = "postgres"))]
async fn migrate_server(url: &str) -> Result<Migrated, Error> {
    Err(without_postgres(url))
}

#[cfg(not(feature = "postgres"))]
fn without_postgres(url: &str) -> Error {
    Error::invalid(format!(
        "this program was built without PostgreSQL, so it cannot open {:?}: turn on the feature `postgres`",
        masked(url)
    ))
}

#[cfg(feature = "redis")]
fn check_redis(url: &str) -> Result<(), Error> {
    crate::store::redis::check_url(url)
}

#[cfg(not(feature = "redis"))]
fn check_redis(url: &str) -> Result<(), Error> {
    Err(without_redis(url))
}

#[cfg(feature = "redis")]
async fn open_redis(url: &str, clock: Arc<dyn Clock>, create: bool) -> Result<Arc<dyn Store>, Error> {
    use crate::store::redis::{RedisOptions, RedisStore};

    let store = RedisStore::open(url, RedisOptions { clock, create }).await?;
    Ok(Arc::new(store))
}

#[cfg(not(feature = "redis"))]
async fn open_redis(url: &str, _clock: Arc<dyn Clock>, _create: bool) -> Result<Arc<dyn Store>, Error> {
    Err(without_redis(url))
}

#[cfg(feature = "redis")]
async fn migrate_redis(url: &str) -> Result<Migrated, Error> {
    let (from, to) = crate::store::redis::RedisStore::migrate(url).await?;
    Ok(Migrated { from, to })
}

#[cfg(not(feature = "redis"))]
async fn migrate_redis(url: &str) -> Result<Migrated, Error> {
    Err(without_redis(url))
}

#[cfg(not(feature = "redis"))]
fn without_redis(url: &str) -> Error {
    Error::invalid(format!(
        "this program was built without Redis, so it cannot open {:?}: turn on the feature `redis`",
        masked(url)
    ))
}

/// What a URL names.
#[derive(Debug, PartialEq)]
enum Place<'a> {
    Memory,
    File(&'a str),
    /// A PostgreSQL server, whose URL its store reads.
    Server(&'a str),
    /// A Redis server, whose URL its store reads.
    Redis(&'a str),
}

/// A URL as it may be shown: `***` stands for whatever could be a password.
pub fn masked(url: &str) -> String {
    let (place, parameters) = url
        .split_once('?')
        .map_or((url, None), |(place, rest)| (place, Some(rest)));
    let place = match place
        .split_once("://")
        .and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?)))
    {
        Some((scheme, (user, rest))) => match user.split_once(':') {
            Some((name, _)) => format!("{scheme}://{name}:***@{rest}"),
            None => format!("{scheme}://{user}@{rest}"),
        },
        None => place.to_owned(),
    };
    match parameters {
        None => place,
        Some(parameters) => {
            let parameters = parameters
                .split('&')
                .map(|parameter| match parameter.split_once('=') {
                    Some((name, _)) if name.contains("password") => format!("{name}=***"),
                    _ => parameter.to_owned(),
                });
            format!("{place}?{}", parameters.collect::<Vec<_>>().join("&"))
        }
    }
}

fn parse(url: &str) -> Result<Place<'_>, Error> {
    if ["postgres://", "postgresql://"]
        .iter()
        .any(|scheme| url.starts_with(scheme))
    {
        return Ok(Place::Server(url));
    }
    if let Some(("redis" | "rediss", _)) = url.split_once(':') {
        return Ok(Place::Redis(url));
    }
    let refuse = |why: &str| Err(Error::invalid(format!("{:?} {why}", masked(url))));
    let (place, parameters) = match url.split_once('?') {
        Some((place, parameters)) => (place, parameters),
        None => (url, ""),
    };
    // There are none so far.
    if let Some(parameter) = parameters.split('&').find(|parameter| !parameter.is_empty()) {
        let name = parameter.split('=').next().unwrap_or(parameter);
        return match name {
            "namespace" => refuse("asks for a namespace: here that is another file, so name another file"),
            name => refuse(&format!("has the parameter {name:?}, which is not known")),
        };
    }
    match place.split_once(':') {
        Some(("memory", "")) => Ok(Place::Memory),
        Some(("sqlite", ":memory:")) => refuse("is called memory: here"),
        Some(("sqlite", "")) => refuse("names no file; write sqlite:jobs.db or sqlite:/absolute/path"),
        Some(("sqlite", path)) if path.starts_with("//") => refuse(
            "has slashes for a host, and a file has none; write sqlite:jobs.db or sqlite:/absolute/path",
        ),
        Some(("sqlite", path)) => Ok(Place::File(path)),
        _ => refuse(
            "names no store; write sqlite:jobs.db, sqlite:/absolute/path, postgres://user@host/database, \
             redis://host or memory:",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_taken_as_it_is_written() {
        assert_eq!(parse("memory:"), Ok(Place::Memory));
        for path in [
            "jobs.db",
            "/var/lib/jobs.db",
            "a b.db",
            "50%25.db",
            "../#1+2.db",
            "a:b",
        ] {
            assert_eq!(parse(&format!("sqlite:{path}")), Ok(Place::File(path)));
        }
        assert_eq!(parse("sqlite:jobs.db?"), Ok(Place::File("jobs.db")));
    }

    #[test]
    fn a_password_is_not_shown() {
        for (url, shown) in [
            ("postgres://u:hunter2@h/d", "postgres://u:***@h/d"),
            ("postgres://u:hunt@er2@h/d?a=b", "postgres://u:***@h/d?a=b"),
            (
                "postgres://u@h/d?password=hunter2&a=b",
                "postgres://u@h/d?password=***&a=b",
            ),
            ("rediss://:hunter2@h/0", "rediss://:***@h/0"),
            ("sqlite:jobs.db", "sqlite:jobs.db"),
        ] {
            assert_eq!(masked(url), shown);
        }
        let error = parse("postgre://u:hunter2@h/d").expect_err("it names no store");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    #[test]
    fn only_jobs_in_postgres_are_dispatched_and_only_through_redis() {
        let (rows, lines) = ("postgres://u:hunter2@h/d", "redis://:hunter2@h");
        assert!(dispatch_of(rows, lines).is_ok());
        for (url, through, why) in [
            ("sqlite:jobs.db", lines, "\"sqlite:jobs.db\""),
            ("memory:", lines, "only jobs in PostgreSQL"),
            (lines, lines, "redis://:***@h"),
            (rows, rows, "postgres://u:***@h/d"),
            (rows, "redis", "no URL of one"),
        ] {
            let error = dispatch_of(url, through)
                .expect_err("they do not go together")
                .to_string();
            assert!(error.contains(why) && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for url in [
            "",
            "jobs.db",
            "memory:x",
            "sqlite:",
            "sqlite::memory:",
            "sqlite://jobs.db",
            "sqlite:///tmp/jobs.db",
            "sqlite:jobs.db?mode=rwc",
            "sqlite:jobs.db?namespace=a",
            "memory:?cache=shared",
            "mysql://localhost/jobs",
        ] {
            assert!(parse(url).is_err(), "{url} was accepted");
        }
    }
}
