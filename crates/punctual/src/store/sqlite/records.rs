//! Records: small documents with a rev.

use bytes::Bytes;
use rusqlite::{Connection, Row, params};

use super::claim::number;
use super::fault::Fault;
use super::row::Columns;
use super::writing::{Writing, all, first};
use crate::change::{Record, RecordApplied, RecordChange, RecordKind};

pub(super) fn change_records(
    writing: &mut Writing<'_>,
    changes: &[RecordChange],
) -> Result<Vec<RecordApplied>, Fault> {
    changes.iter().map(|change| change_one(writing, change)).collect()
}

pub(super) fn records(
    connection: &Connection,
    kind: RecordKind,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<Record>, Fault> {
    all(
        connection,
        include_str!("records.sql"),
        params![kind.as_str(), after, number(limit)],
        |row| read_record(row, kind),
    )
}

fn change_one(writing: &Writing<'_>, change: &RecordChange) -> Result<RecordApplied, Fault> {
    let key = params![change.kind.as_str(), change.name];
    let there = first(writing.connection(), include_str!("record.sql"), key, |row| {
        read_record(row, change.kind)
    })?;
    if there.as_ref().map_or(0, |record| record.rev) != change.expect {
        return Ok(RecordApplied::Stale(there));
    }
    match &change.becomes {
        Some(document) => {
            let rev = change.expect.saturating_add(1).cast_signed();
            writing.execute(
                include_str!("change_records.sql"),
                params![change.kind.as_str(), change.name, rev, document.as_ref()],
            )?;
        }
        None => {
            writing.execute(include_str!("change_records_delete.sql"), key)?;
            match change.kind {
                RecordKind::Queue => {
                    writing.execute(include_str!("change_records_bucket.sql"), params![change.name])?;
                }
                RecordKind::TokenKey | RecordKind::Calendar => {}
            }
        }
    }
    Ok(RecordApplied::Applied)
}

fn read_record(row: &Row<'_>, kind: RecordKind) -> Result<Record, Fault> {
    Ok(Record {
        kind,
        name: row.get(0)?,
        rev: row.get::<_, i64>(1)?.cast_unsigned(),
        document: Columns { row, first: 0 }.bytes(2)?.unwrap_or_else(Bytes::new),
    })
}
