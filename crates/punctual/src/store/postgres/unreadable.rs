//! Rows that cannot be read, since a newer version, or somebody's hand, wrote them. They harm nobody but themselves.
//!
//! A claim gives up its rows as soon as it has them, so that one that cannot be read is found out too late to be left
//! alone: it is put back as it was, and is due a little later.

use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::fault::Fault;
use super::row::{COLUMNS, Columns, read_job};
use super::session::{Param, Session};
use crate::error::Error;
use crate::job::Job;
use crate::limits;
use crate::time::{Timestamp, format_length};

/// Rows that were claimed and cannot be read, column by column: which they are, and what they were before.
#[derive(Default)]
pub(super) struct Unreadable {
    ids: Vec<Uuid>,
    revs: Vec<i64>,
    runs: Vec<i64>,
    alarms: Vec<Option<i64>>,
    first_started: Vec<Option<i64>>,
    started: Vec<Option<i64>>,
    workers: Vec<Option<String>>,
    why: Option<Error>,
}

impl Unreadable {
    pub(super) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Reads a claimed job from the column `first` on; one that cannot be read is kept here.
    pub(super) fn read_or_note(&mut self, row: &Row, first: usize) -> Result<Option<Job>, Fault> {
        match read_job(row, first) {
            Ok(job) => Ok(Some(job)),
            Err(why) if why.is_of_a_row() => {
                let now = Columns { row, first };
                let before = Columns {
                    row,
                    first: first + COLUMNS,
                };
                self.ids.push(now.get(0)?);
                self.revs.push(now.get(6)?);
                self.runs.push(before.get(0)?);
                self.alarms.push(before.get(1)?);
                self.first_started.push(before.get(2)?);
                self.started.push(before.get(3)?);
                self.workers.push(before.get(4)?);
                self.why = Some(why.into());
                Ok(None)
            }
            Err(fault) => Err(fault),
        }
    }

    /// Makes these rows wait again and be due later, so that they do not stand at the head of their lines. Whoever can read
    /// them may claim them then.
    pub(super) async fn put_off(self, session: &Session, now: Timestamp) -> Result<(), Fault> {
        let due = (now + limits::UNREADABLE_DELAY).as_micros();
        let params: [Param<'_>; 8] = [
            (&self.ids, Type::UUID_ARRAY),
            (&due, Type::INT8),
            (&self.revs, Type::INT8_ARRAY),
            (&self.runs, Type::INT8_ARRAY),
            (&self.alarms, Type::INT8_ARRAY),
            (&self.first_started, Type::INT8_ARRAY),
            (&self.started, Type::INT8_ARRAY),
            (&self.workers, Type::TEXT_ARRAY),
        ];
        session.write(include_str!("claim_put_off.sql"), &params).await?;
        if let (Some(id), Some(why)) = (self.ids.last(), self.why) {
            tracing::error!(
                rows = self.ids.len(), job = %id, error = %why,
                "rows that are due cannot be read, this one among them; they are put off by {}",
                format_length(limits::UNREADABLE_DELAY)
            );
        }
        Ok(())
    }
}
