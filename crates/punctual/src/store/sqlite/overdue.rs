//! Overdue: rows whose alarm has passed.

use rusqlite::{Connection, params};

use super::claim::number;
use super::fault::Fault;
use super::row::{Columns, if_readable, read_job, state_number};
use super::writing::{all, first};
use crate::error::Error;
use crate::job::{Job, JobId, State};
use crate::store::Overdue;
use crate::time::Timestamp;

pub(super) fn overdue(connection: &Connection, limit: usize, now: Timestamp) -> Result<Overdue, Fault> {
    let mut alarms: Vec<(Timestamp, JobId, i64)> = Vec::new();
    for state in State::ALL {
        // One more than wanted: it may be the next alarm.
        let earliest = params![state_number(state), number(limit.saturating_add(1))];
        alarms.extend(all(connection, include_str!("overdue.sql"), earliest, |row| {
            let column = Columns { row, first: 0 };
            Ok((column.instant(0)?, column.id(1)?, row.get(2)?))
        })?);
    }
    alarms.sort_unstable();
    let passed = alarms.iter().take(limit).take_while(|(alarm, ..)| *alarm <= now);
    let passed = passed.count();
    let mut jobs = Vec::with_capacity(passed);
    for (_, id, row) in &alarms[..passed] {
        jobs.extend(if_readable(*id, read_row(connection, *row))?);
    }
    let next = alarms.get(passed).map(|(alarm, ..)| *alarm);
    Ok(Overdue { jobs, next, now })
}

fn read_row(connection: &Connection, row: i64) -> Result<Job, Fault> {
    let sql = include_str!("fetch_row.sql");
    let job = first(connection, sql, params![row], |row| read_job(row, 0))?;
    job.ok_or_else(|| Fault::Told(Error::internal("an index names a row that is not there")))
}
