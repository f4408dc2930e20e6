//! Insert: whole rows, each by itself.

use rusqlite::{Statement, params};

use super::fault::Fault;
use super::row::{read_holder, with_new, with_status};
use super::writing::{Writing, first};
use crate::change::{Holder, Inserted};
use crate::job::Job;
use crate::store::codec;

pub(super) fn insert(writing: &mut Writing<'_>, jobs: &[Job]) -> Result<Vec<Inserted>, Fault> {
    let mut statement = writing.statement(include_str!("insert.sql"))?;
    jobs.iter()
        .map(|job| insert_one(writing, &mut statement, job))
        .collect()
}

fn insert_one(
    writing: &mut Writing<'_>,
    statement: &mut Statement<'_>,
    job: &Job,
) -> Result<Inserted, Fault> {
    if with_new(job, |columns| statement.execute(columns))? == 1 {
        if !codec::is_new(&job.status) {
            let row = writing.connection().last_insert_rowid();
            let mut update = writing.statement(include_str!("apply.sql"))?;
            with_status(row, &job.status, |columns| update.execute(columns))?;
        }
        writing.count(job.body.queue.as_str(), job.status.state, 1);
        return Ok(Inserted::Inserted);
    }
    let id = params![job.body.id.0.as_bytes()];
    let sql = include_str!("insert_exists.sql");
    if let Some(there) = first(writing.connection(), sql, id, |row| Ok(row.get(0)?))? {
        let same = u128::from_be_bytes(there) == job.body.fingerprint;
        return Ok(Inserted::Exists { same });
    }
    let holder = holder(writing, job.status.unique_key.as_deref())?;
    let holder = holder.ok_or(rusqlite::Error::StatementChangedRows(0))?;
    Ok(Inserted::Held(holder))
}

/// The job that holds this key.
pub(super) fn holder(writing: &Writing<'_>, key: Option<&str>) -> Result<Option<Holder>, Fault> {
    let Some(key) = key else {
        return Ok(None);
    };
    first(
        writing.connection(),
        include_str!("holder.sql"),
        params![key],
        read_holder,
    )
}
