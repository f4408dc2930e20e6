//! Records: small documents with a rev.

use bytes::Bytes;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::claim::number;
use super::fault::Fault;
use super::gates;
use super::row::Columns;
use super::session::{Link, Param, Session};
use crate::change::{Record, RecordApplied, RecordChange, RecordKind};

/// Changes records under their locks, so that no claim of the queue is under way when its new settings are acknowledged.
pub(super) async fn change_records(
    session: &Session,
    changes: &[RecordChange],
) -> Result<Vec<RecordApplied>, Fault> {
    let names = changes.iter().map(|change| (change.kind, change.name.as_str()));
    let link = session
        .begin(&gates::locks_alone(session.namespace(), names))
        .await?;
    let done = change_in(link, changes).await;
    session.end(done).await
}

pub(super) async fn records(
    session: &Session,
    kind: RecordKind,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<Record>, Fault> {
    let (name, limit) = (kind.as_str(), number(limit));
    let params: [Param<'_>; 3] = [(&name, Type::TEXT), (&after, Type::TEXT), (&limit, Type::INT8)];
    let rows = session.read(include_str!("records.sql"), &params).await?;
    rows.iter().map(|row| read_record(row, kind)).collect()
}

async fn change_in(link: Link<'_>, changes: &[RecordChange]) -> Result<Vec<RecordApplied>, Fault> {
    let mut answers = Vec::new();
    for change in changes {
        answers.push(change_one(link, change).await?);
    }
    Ok(answers)
}

async fn change_one(link: Link<'_>, change: &RecordChange) -> Result<RecordApplied, Fault> {
    let kind = change.kind.as_str();
    let key: [Param<'_>; 2] = [(&kind, Type::TEXT), (&change.name, Type::TEXT)];
    let rows = link.query(include_str!("record.sql"), &key).await?;
    let there = rows
        .first()
        .map(|row| read_record(row, change.kind))
        .transpose()?;
    if there.as_ref().map_or(0, |record| record.rev) != change.expect {
        return Ok(RecordApplied::Stale(there));
    }
    match &change.becomes {
        Some(document) => {
            let (rev, document) = (change.expect.saturating_add(1).cast_signed(), &**document);
            let mut params = key.to_vec();
            params.extend([(&rev as _, Type::INT8), (&document as _, Type::BYTEA)]);
            link.query(include_str!("change_records.sql"), &params).await?;
        }
        None => {
            link.query(include_str!("change_records_delete.sql"), &key)
                .await?;
            match change.kind {
                RecordKind::Queue => {
                    let queue: [Param<'_>; 1] = [(&change.name, Type::TEXT)];
                    link.query(include_str!("change_records_bucket.sql"), &queue)
                        .await?;
                }
                RecordKind::TokenKey | RecordKind::Calendar => {}
            }
        }
    }
    Ok(RecordApplied::Applied)
}

fn read_record(row: &Row, kind: RecordKind) -> Result<Record, Fault> {
    let column = Columns::of(row);
    Ok(Record {
        kind,
        name: column.get(0)?,
        rev: column.get::<i64>(1)?.cast_unsigned(),
        document: column.bytes(2)?.unwrap_or_else(Bytes::new),
    })
}
