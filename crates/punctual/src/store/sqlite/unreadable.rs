//! Rows that cannot be read, since a newer version, or somebody's hand, wrote them. They harm nobody but themselves.

use rusqlite::{Row, params};

use super::fault::Fault;
use super::row::{Columns, read_job};
use super::writing::Writing;
use crate::error::Error;
use crate::job::{Job, JobId};
use crate::limits;
use crate::time::{Timestamp, format_length};

/// A row that was to be claimed and cannot be read.
pub(super) struct Unreadable {
    row: i64,
    /// Nothing where even that cannot be read.
    id: Option<JobId>,
    why: Fault,
}

/// Reads the number of a row and, from its second column on, the job; one that cannot be read is put among `unreadable`.
pub(super) fn read_or_note(row: &Row<'_>, unreadable: &mut Vec<Unreadable>) -> Result<Option<Job>, Fault> {
    match read_job(row, 1) {
        Ok(job) => Ok(Some(job)),
        Err(why) if why.is_of_a_row() => {
            unreadable.push(Unreadable {
                row: row.get(0)?,
                id: Columns { row, first: 1 }.id(0).ok(),
                why,
            });
            Ok(None)
        }
        Err(fault) => Err(fault),
    }
}

/// Makes these rows due later, so that they do not stand at the head of their lines. They stay what they are: whoever can
/// read them may claim them then.
pub(super) fn put_off(
    writing: &Writing<'_>,
    mut unreadable: Vec<Unreadable>,
    now: Timestamp,
) -> Result<(), Fault> {
    let due = (now + limits::UNREADABLE_DELAY).as_micros();
    for bad in &unreadable {
        writing.execute(include_str!("claim_put_off.sql"), params![bad.row, due])?;
    }
    let rows = unreadable.len();
    if let Some(Unreadable { id, why, .. }) = unreadable.pop() {
        tracing::error!(
            rows, job = id.map(tracing::field::display), error = %Error::from(why),
            "rows that are due cannot be read, this one among them; they are put off by {}",
            format_length(limits::UNREADABLE_DELAY)
        );
    }
    Ok(())
}
