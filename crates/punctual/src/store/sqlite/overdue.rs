//! Overdue: rows whose alarm has passed.
//!
//! One that cannot be read is passed over, and is not taken back by anybody: what its job allows, nobody can tell. It is
//! told in the log, now and then, and by a check.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, params};

use super::claim::number;
use super::fault::Fault;
use super::row::{Columns, read_job};
use super::writing::{all, first};
use crate::error::Error;
use crate::job::{Job, JobId, State};
use crate::limits;
use crate::store::{Overdue, codec};
use crate::time::Timestamp;

/// The rows that were told of and passed over, and when: each look meets them again.
#[derive(Default)]
pub(super) struct PassedOver(Mutex<BTreeMap<JobId, Timestamp>>);

impl PassedOver {
    /// Whether it is time to tell of this row.
    fn is_to_be_told(&self, id: JobId, now: Timestamp) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Those of a time that the clock was set back from are told again.
        told.retain(|_, at| *at <= now && now.since(*at) < limits::UNREADABLE_PAUSE);
        if told.len() >= limits::UNREADABLE_TOLD || told.contains_key(&id) {
            return false;
        }
        told.insert(id, now);
        true
    }
}

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
                Err(fault) if passed_over.is_to_be_told(*id, now) => tracing::error!(
                    job = %id, error = %Error::from(fault),
                    "an overdue job cannot be read, and is not taken back: nobody can tell what it allows; a version of \
                     Punctual that can read it does so"
                ),
                Err(_) => {}
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

/// A sentence about those of the earliest overdue rows that cannot be read, if there are any.
pub(super) fn unreadable(connection: &Connection, now: Timestamp) -> Result<Option<String>, Fault> {
    let mut told = None;
    let mut count = 0;
    for (alarm, id, row) in earliest(connection, limits::UNREADABLE_TOLD)? {
        match read_row(connection, row) {
            _ if alarm > now => break,
            Ok(_) => {}
            Err(fault) if fault.is_of_a_row() => {
                count += 1;
                told.get_or_insert_with(|| format!("{id} among them ({})", Error::from(fault)));
            }
            Err(fault) => return Err(fault),
        }
    }
    let say = |one: String| {
        format!(
            "Overdue jobs that cannot be read: {count}, {one}. They are not taken back, since nobody can tell what they allow; \
             a version of Punctual that can read them does so."
        )
    };
    Ok(told.map(say))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::seconds;

    #[test]
    fn a_row_that_cannot_be_read_is_told_of_now_and_then_and_not_too_many_are() {
        let passed_over = PassedOver::default();
        let (id, now) = (JobId::named("a"), Timestamp::EPOCH);
        assert!(passed_over.is_to_be_told(id, now));
        assert!(!passed_over.is_to_be_told(id, now + seconds(1)));
        assert!(passed_over.is_to_be_told(id, now + limits::UNREADABLE_PAUSE));
        assert!(passed_over.is_to_be_told(id, now), "the clock was set back");
        let others = (0..limits::UNREADABLE_TOLD).map(|n| JobId::named(&n.to_string()));
        let told = others.filter(|id| passed_over.is_to_be_told(*id, now)).count();
        assert_eq!(told, limits::UNREADABLE_TOLD - 1);
    }
}
