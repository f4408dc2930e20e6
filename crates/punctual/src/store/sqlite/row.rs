//! A job as a row of the table, and back.

use std::sync::Arc;

use bytes::Bytes;
use rusqlite::types::ValueRef;
use rusqlite::{Row, ToSql, params};
use uuid::Uuid;

use super::fault::Fault;
use crate::change::Holder;
use crate::job::{Body, Job, JobId, Status};
use crate::queue::QueueName;
use crate::run::WorkerId;
use crate::store::codec;
use crate::time::Timestamp;

/// Calls `write` with the columns in which new jobs differ from each other, in the order of `insert.sql`.
pub(super) fn with_new<T>(job: &Job, write: impl FnOnce(&[&dyn ToSql]) -> T) -> T {
    let Job { body, status } = job;
    write(params![
        body.id.0.as_bytes(),
        body.queue.as_str(),
        body.kind,
        body.priority,
        body.created_at.as_micros(),
        status.rev.cast_signed(),
        status.due.as_micros(),
        status.alarm.map(Timestamp::as_micros),
        status.unique_key,
        status.key_until.map(Timestamp::as_micros),
        codec::write_texts(&body.tags),
        codec::write_options(&body.options, body.origin.as_ref()),
        body.fingerprint.to_be_bytes(),
        body.unique_key,
        body.payload.as_ref(),
    ])
}

/// Calls `write` with the number of the row and all columns of its status, in the order of `apply.sql`.
pub(super) fn with_status<T>(row: i64, status: &Status, write: impl FnOnce(&[&dyn ToSql]) -> T) -> T {
    write(params![
        row,
        codec::state_number(status.state),
        status.rev.cast_signed(),
        status.run.cast_signed(),
        status.life,
        status.attempt,
        status.refunds,
        status.due.as_micros(),
        status.alarm.map(Timestamp::as_micros),
        status.first_started_at.map(Timestamp::as_micros),
        status.started_at.map(Timestamp::as_micros),
        status.ended_at.map(Timestamp::as_micros),
        status.worker.as_ref().map(WorkerId::as_str),
        status.unique_key,
        status.key_until.map(Timestamp::as_micros),
        status.cancel,
        status.deferred,
        status.failure.as_ref().map(codec::write_failure),
        codec::write_history(&status.history),
        status.progress.as_deref(),
        status.result.as_deref(),
    ])
}

/// Calls `write` with the number of the row and all columns of its body, in the order of `apply_body.sql`.
pub(super) fn with_body<T>(row: i64, body: &Body, write: impl FnOnce(&[&dyn ToSql]) -> T) -> T {
    write(params![
        row,
        body.queue.as_str(),
        body.kind,
        body.priority,
        body.created_at.as_micros(),
        body.payload.as_ref(),
        codec::write_texts(&body.tags),
        codec::write_options(&body.options, body.origin.as_ref()),
        body.fingerprint.to_be_bytes(),
        body.unique_key,
    ])
}

/// Reads all columns of the table from the column `first` on.
pub(super) fn read_job(row: &Row<'_>, first: usize) -> Result<Job, Fault> {
    let column = Columns { row, first };
    let (options, origin) = codec::read_options(column.text_if_any(23)?)?;
    let body = Body {
        id: column.id(0)?,
        queue: QueueName::from(column.text(1)?),
        kind: column.text(2)?.to_owned(),
        priority: row.get(first + 3)?,
        created_at: column.instant(4)?,
        payload: column.bytes(29)?.unwrap_or_default(),
        tags: codec::read_texts(column.text_if_any(22)?)?,
        options,
        unique_key: row.get(first + 25)?,
        fingerprint: u128::from_be_bytes(row.get(first + 24)?),
        origin,
    };
    let status = Status {
        state: codec::read_state(row.get(first + 5)?)?,
        rev: row.get::<_, i64>(first + 6)?.cast_unsigned(),
        run: row.get::<_, i64>(first + 7)?.cast_unsigned(),
        life: row.get(first + 8)?,
        attempt: row.get(first + 9)?,
        refunds: row.get(first + 10)?,
        due: column.instant(11)?,
        alarm: column.instant_if_any(12)?,
        first_started_at: column.instant_if_any(13)?,
        started_at: column.instant_if_any(14)?,
        ended_at: column.instant_if_any(15)?,
        worker: column.text_if_any(16)?.map(WorkerId::from),
        unique_key: row.get(first + 17)?,
        key_until: column.instant_if_any(18)?,
        cancel: row.get(first + 19)?,
        deferred: row.get(first + 20)?,
        history: codec::read_history(column.text_if_any(26)?)?,
        result: column.bytes(28)?,
        failure: column.text_if_any(21)?.map(codec::read_failure).transpose()?,
        progress: column.bytes(27)?,
    };
    Ok(Job {
        body: Arc::new(body),
        status,
    })
}

/// Reads the columns of `holder.sql`.
pub(super) fn read_holder(row: &Row<'_>) -> Result<Holder, Fault> {
    let column = Columns { row, first: 0 };
    Ok(Holder {
        id: column.id(0)?,
        rev: row.get::<_, i64>(1)?.cast_unsigned(),
        state: codec::read_state(row.get(2)?)?,
        key_until: column.instant_if_any(3)?,
    })
}

/// Columns that are more than a number.
pub(super) struct Columns<'a> {
    pub(super) row: &'a Row<'a>,
    pub(super) first: usize,
}

impl<'a> Columns<'a> {
    pub(super) fn id(&self, place: usize) -> Result<JobId, Fault> {
        Ok(JobId(Uuid::from_bytes(self.row.get(self.first + place)?)))
    }

    pub(super) fn instant(&self, place: usize) -> Result<Timestamp, Fault> {
        Ok(Timestamp::from_micros(self.row.get(self.first + place)?))
    }

    pub(super) fn instant_if_any(&self, place: usize) -> Result<Option<Timestamp>, Fault> {
        let micros: Option<i64> = self.row.get(self.first + place)?;
        Ok(micros.map(Timestamp::from_micros))
    }

    pub(super) fn text(&self, place: usize) -> Result<&'a str, Fault> {
        self.text_if_any(place).map(Option::unwrap_or_default)
    }

    pub(super) fn text_if_any(&self, place: usize) -> Result<Option<&'a str>, Fault> {
        match self.row.get_ref(self.first + place)? {
            ValueRef::Null => Ok(None),
            text => Ok(Some(text.as_str().map_err(rusqlite::Error::from)?)),
        }
    }

    pub(super) fn bytes(&self, place: usize) -> Result<Option<Bytes>, Fault> {
        match self.row.get_ref(self.first + place)? {
            ValueRef::Null => Ok(None),
            bytes => Ok(Some(Bytes::copy_from_slice(
                bytes.as_blob().map_err(rusqlite::Error::from)?,
            ))),
        }
    }
}
