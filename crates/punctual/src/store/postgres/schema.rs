//! The schema: recognised before it is touched, and brought up to date by one process at a time.

use tokio_postgres::types::Type;

use super::fault::Fault;
use super::namespace::Namespace;
use super::row::Columns;
use super::session::{Link, Session};
use crate::error::Error;
use crate::limits;

/// The steps of the schema, oldest first. A step that was ever released never changes.
const MIGRATIONS: [&str; 3] = [
    include_str!("migrations/0001.sql"),
    include_str!("migrations/0002.sql"),
    include_str!("migrations/0003.sql"),
];

/// The version of the schema that this library reads and writes.
pub(super) const SCHEMA: u32 = MIGRATIONS.len() as u32;

/// The oldest server whose statements and settings these are: 13.0, the oldest that is still looked after.
const SERVER_MIN: i32 = 130_000;

/// Looks at the server and at the namespace, and brings its schema up to date; makes it, if it is to be `create`d. Answers
/// the version that was found, 0 for none.
pub(super) async fn prepare(session: &Session, create: bool) -> Result<u32, Fault> {
    look_at_server(session).await?;
    let link = session.begin("").await?;
    let found = version(link).await;
    match session.end(found).await? {
        Some(SCHEMA) => Ok(SCHEMA),
        Some(newer) if newer > SCHEMA => Err(Fault::Told(of_other_version(session.namespace(), newer))),
        None if !create => Err(Fault::Told(Error::unavailable(format!(
            "there is no namespace {:?} in this database; `punctual store migrate` makes it, and so does the first API",
            session.namespace().as_str()
        )))),
        older => migrate(session).await.map(|()| older.unwrap_or(0)),
    }
}

/// Refuses a transaction in whose database the namespace is not ours, or of another version.
pub(super) async fn recognise(link: Link<'_>) -> Result<(), Fault> {
    match version(link).await? {
        Some(SCHEMA) => Ok(()),
        Some(other) => Err(Fault::Told(of_other_version(link.namespace(), other))),
        None => Err(Fault::Told(Error::invalid(format!(
            "there is no namespace {:?} in this database; open a store on it first",
            link.namespace().as_str()
        )))),
    }
}

async fn look_at_server(session: &Session) -> Result<(), Fault> {
    let rows = session.read(include_str!("schema_server.sql"), &[]).await?;
    let row = rows
        .first()
        .ok_or_else(|| Error::internal("the server tells no version"))?;
    let column = Columns::of(row);
    let (version, encoding): (&str, &str) = (column.get(1)?, column.get(2)?);
    if column.get::<i32>(0)? < SERVER_MIN {
        return Err(Fault::Told(Error::invalid(format!(
            "PostgreSQL 13 or newer is needed, and this is {version}"
        ))));
    }
    if encoding != "UTF8" {
        return Err(Fault::Told(Error::invalid(format!(
            "the database is encoded in {encoding}; make one in UTF8: create database … encoding 'UTF8' template template0"
        ))));
    }
    Ok(())
}

/// Brings the schema up to date. Safe for several processes at once: who comes second finds nothing left to do.
async fn migrate(session: &Session) -> Result<(), Fault> {
    let namespace = session.namespace();
    let lock = format!(
        "set local lock_timeout = {patience}; set local statement_timeout = {patience}; select pg_advisory_xact_lock({});",
        namespace.lock("schema", ""),
        patience = limits::MIGRATION_WAIT.as_millis(),
    );
    let link = session.begin(&lock).await?;
    let done = steps(link).await;
    session.end(done).await
}

async fn steps(link: Link<'_>) -> Result<(), Fault> {
    let namespace = link.namespace();
    let found = version(link).await?;
    if let Some(newer) = found.filter(|found| *found > SCHEMA) {
        return Err(Fault::Told(of_other_version(namespace, newer)));
    }
    if found.is_none() && !look(link).await?.exists {
        link.run(&format!("create schema \"{}\"", namespace.as_str()))
            .await?;
    }
    let done = found.unwrap_or(0);
    for (step, version) in MIGRATIONS.iter().zip(1..).filter(|(_, version)| *version > done) {
        link.run(&namespace.statement(step)).await?;
        let note = format!("insert into punctual.punctual_schema (version) values ({version})");
        link.run(&namespace.statement(&note)).await?;
    }
    Ok(())
}

/// What there is under the name of the namespace.
struct Look {
    exists: bool,
    is_ours: bool,
    things: i64,
}

async fn look(link: Link<'_>) -> Result<Look, Fault> {
    let name = link.namespace().as_str();
    let rows = link
        .query(include_str!("schema_found.sql"), &[(&name, Type::TEXT)])
        .await?;
    let row = rows
        .first()
        .ok_or_else(|| Error::internal("the server tells no schemas"))?;
    let column = Columns::of(row);
    Ok(Look {
        exists: column.get(0)?,
        is_ours: column.get(1)?,
        things: column.get(2)?,
    })
}

/// How many steps the namespace has had; nothing where there is none, or an empty schema that somebody made for it.
async fn version(link: Link<'_>) -> Result<Option<u32>, Fault> {
    let found = look(link).await?;
    if !found.is_ours && found.things > 0 {
        return Err(Fault::Told(Error::invalid(format!(
            "the schema {:?} holds tables that are not Punctual's; it was left as it is. Name another one by ?namespace=",
            link.namespace().as_str()
        ))));
    }
    if !found.is_ours {
        return Ok(None);
    }
    let rows = link.query(include_str!("schema_version.sql"), &[]).await?;
    let row = rows
        .first()
        .ok_or_else(|| Error::internal("the schema has no version"))?;
    Ok(Some(Columns::of(row).number::<i32, u32>(0)?))
}

fn of_other_version(namespace: &Namespace, version: u32) -> Error {
    Error::invalid(format!(
        "the namespace {:?} has version {version} of the schema, and this program knows version {SCHEMA}: use the program \
         that belongs to it; it was left as it is",
        namespace.as_str()
    ))
}
