//! Overdue: rows whose alarm has passed.
//!
//! One that cannot be read is passed over, and is not taken back by anybody: what its job allows, nobody can tell. It is
//! told in the log, now and then, and by a check.

use rusqlite::{Connection, params};

use super::claim::number;
use super::fault::Fault;
use super::row::{Columns, read_job};
use super::writing::{all, first};
use crate::error::Error;
use crate::job::{Job, JobId, State};
use crate::limits;
use crate::store::findings::PassedOver;
use crate::store::{Overdue, codec};
use crate::time::Timestamp;

pub(super) fn overdue(
    connection: &Connection,
    limit: usize,
    now: Timestamp,
    passed_over: &PassedOver,
) -> Result<Overdue, Fault> {
    let mut jobs = Vec::new();
    let (mut wanted, mut looked_at) = (limit, 0);
    loop {
        // One more than wanted: it may be the next alarm.
        let alarms = earliest(connection, wanted.saturating_add(1))?;
        let passed = alarms.iter().take(wanted).take_while(|(alarm, ..)| *alarm <= now);
        let passed = passed.count();
        for (_, id, row) in &alarms[looked_at..passed] {
            match read_row(connection, *row) {
                Ok(job) => jobs.push(job),
                Err(fault) if !fault.is_of_a_row() => return Err(fault),
                Err(fault) => passed_over.meet(*id, now, &fault.into()),
            }
        }
        looked_at = passed;
        // Rows that cannot be read take nobody's place, as far as one look may go.
        let unreadable = passed - jobs.len();
        let more = limit.saturating_add(unreadable).min(limits::PAGE_ROWS);
        if passed < wanted || more <= wanted {
            let next = alarms.get(passed).map(|(alarm, ..)| *alarm);
            return Ok(Overdue { jobs, next, now });
        }
        wanted = more;
    }
}

/// Those of the earliest overdue rows that cannot be read, and why.
pub(super) fn unreadable(connection: &Connection, now: Timestamp) -> Result<Vec<(JobId, Error)>, Fault> {
    let mut unreadable = Vec::new();
    for (alarm, id, row) in earliest(connection, limits::UNREADABLE_TOLD)? {
        match read_row(connection, row) {
            _ if alarm > now => break,
            Ok(_) => {}
            Err(fault) if fault.is_of_a_row() => unreadable.push((id, fault.into())),
            Err(fault) => return Err(fault),
        }
    }
    Ok(unreadable)
}

/// The earliest alarms of all.
fn earliest(connection: &Connection, count: usize) -> Result<Vec<(Timestamp, JobId, i64)>, Fault> {
    let mut alarms = Vec::new();
    for state in State::ALL {
        let first = params![codec::state_number(state), number(count)];
        alarms.extend(all(connection, include_str!("overdue.sql"), first, |row| {
            let column = Columns { row, first: 0 };
            Ok((column.instant(0)?, column.id(1)?, row.get(2)?))
        })?);
    }
    alarms.sort_unstable();
    Ok(alarms)
}

fn read_row(connection: &Connection, row: i64) -> Result<Job, Fault> {
    let sql = include_str!("fetch_row.sql");
    let job = first(connection, sql, params![row], |row| read_job(row, 0))?;
    job.ok_or_else(|| Fault::Told(Error::internal("an index names a row that is not there")))
}
