//! Apply: what rules decided, each change wholly or not at all.

use rusqlite::{CachedStatement, params};

use super::fault::Fault;
use super::fetch::fetch_one;
use super::insert::{holder, insert};
use super::row::{with_body, with_status};
use super::schedules;
use super::writing::Writing;
use crate::change::{Applied, Change, Holder, Inserted};
use crate::error::Error;
use crate::job::{Job, JobId, State, Status};
use crate::store::codec;

pub(super) fn apply(writing: &mut Writing<'_>, changes: &[Change]) -> Result<Vec<Applied>, Fault> {
    let mut statements = Statements::new(writing)?;
    changes
        .iter()
        .map(|change| apply_one(writing, &mut statements, change))
        .collect()
}

/// What every change of a batch needs, looked up once.
struct Statements<'a> {
    before: CachedStatement<'a>,
    update: CachedStatement<'a>,
    delete: CachedStatement<'a>,
    delete_output: CachedStatement<'a>,
}

impl<'a> Statements<'a> {
    fn new(writing: &Writing<'a>) -> Result<Statements<'a>, Fault> {
        Ok(Statements {
            before: writing.statement(include_str!("apply_before.sql"))?,
            update: writing.statement(include_str!("apply.sql"))?,
            delete: writing.statement(include_str!("apply_delete.sql"))?,
            delete_output: writing.statement(include_str!("apply_delete_output.sql"))?,
        })
    }
}

fn apply_one(
    writing: &mut Writing<'_>,
    statements: &mut Statements<'_>,
    change: &Change,
) -> Result<Applied, Fault> {
    let Some(before) = before(statements, change.id)? else {
        return Ok(Applied::Missing);
    };
    if before.rev != change.expect {
        let row = fetch_one(writing.connection(), change.id)?;
        return Ok(row.map_or(Applied::Missing, |row| Applied::Stale(Box::new(row))));
    }
    let applied = match change.then.is_empty() {
        true => write_row(writing, statements, &before, change),
        false => writing.all_or_nothing(
            |writing| match write_row(writing, statements, &before, change)? {
                Applied::Applied => write_then(writing, &change.then),
                held => Ok(held),
            },
            |applied| *applied == Applied::Applied,
        ),
    }?;
    if applied == Applied::Applied
        && let Some(schedule) = change.pokes
    {
        schedules::poke(writing, schedule)?;
    }
    Ok(applied)
}

/// What has to be known of a row before it is changed.
struct Before {
    row: i64,
    rev: u64,
    state: State,
    queue: String,
    unique_key: Option<String>,
}

fn before(statements: &mut Statements<'_>, id: JobId) -> Result<Option<Before>, Fault> {
    let mut rows = statements.before.query(params![id.0.as_bytes()])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    Ok(Some(Before {
        row: row.get(0)?,
        rev: row.get::<_, i64>(1)?.cast_unsigned(),
        state: codec::read_state(row.get(2)?)?,
        queue: row.get(3)?,
        unique_key: row.get(4)?,
    }))
}

fn write_row(
    writing: &mut Writing<'_>,
    statements: &mut Statements<'_>,
    before: &Before,
    change: &Change,
) -> Result<Applied, Fault> {
    let Some(status) = &change.becomes else {
        statements.delete.execute(params![before.row])?;
        statements
            .delete_output
            .execute(params![change.id.0.as_bytes()])?;
        writing.count(&before.queue, before.state, -1);
        return Ok(Applied::Applied);
    };
    if let Some(holder) = other_holder(writing, before, status)? {
        return Ok(Applied::Held(holder));
    }
    with_status(before.row, status, |columns| statements.update.execute(columns))?;
    let mut queue = before.queue.as_str();
    if let Some(body) = &change.body {
        let mut statement = writing.statement(include_str!("apply_body.sql"))?;
        with_body(before.row, body, |columns| statement.execute(columns))?;
        queue = body.queue.as_str();
    }
    writing.count(&before.queue, before.state, -1);
    writing.count(queue, status.state, 1);
    Ok(Applied::Applied)
}

/// The job that holds the key which this one would take.
fn other_holder(writing: &Writing<'_>, before: &Before, status: &Status) -> Result<Option<Holder>, Fault> {
    if status.unique_key == before.unique_key {
        return Ok(None);
    }
    holder(writing, status.unique_key.as_deref())
}

fn write_then(writing: &mut Writing<'_>, jobs: &[Job]) -> Result<Applied, Fault> {
    for (job, inserted) in jobs.iter().zip(insert(writing, jobs)?) {
        match inserted {
            Inserted::Inserted => {}
            Inserted::Held(holder) => return Ok(Applied::Held(holder)),
            Inserted::Exists { .. } => {
                let there = fetch_one(writing.connection(), job.id())?;
                let there = there.ok_or_else(|| Error::internal("a row vanished within a transaction"))?;
                return Ok(Applied::Held(Holder::of(&there)));
            }
        }
    }
    Ok(Applied::Applied)
}
