//! Overdue: rows whose alarm has passed, but for those that another transaction holds: most likely they are being settled in their
//! handlers' own, and count as held for as long as it is open.

use std::collections::BTreeMap;

use tokio_postgres::types::Type;
use uuid::Uuid;

use super::claim::number;
use super::fault::Fault;
use super::row::{Columns, read_job};
use super::session::{Param, Session};
use crate::error::Error;
use crate::job::{Job, JobId};
use crate::limits;
use crate::store::Overdue;
use crate::store::findings::PassedOver;
use crate::time::Timestamp;

pub(super) async fn overdue(
    session: &Session,
    limit: usize,
    stepped: Option<Timestamp>,
    passed_over: &PassedOver,
) -> Result<Overdue, Fault> {
    let mut jobs = Vec::new();
    let (mut wanted, mut looked_at) = (limit, 0);
    loop {
        // One more than wanted: it may be the next alarm.
        let (now, alarms) = earliest(session, wanted.saturating_add(1), stepped).await?;
        let passed = alarms.iter().take(wanted).take_while(|(alarm, _)| *alarm <= now);
        let passed = passed.count().max(looked_at);
        let alarms_looked_at = alarms.get(looked_at..passed).unwrap_or_default();
        for (id, read) in read_each(session, include_str!("overdue_rows.sql"), alarms_looked_at).await? {
            match read {
                Ok(job) => jobs.push(job),
                Err(fault) => passed_over.meet(id, now, &fault.into()),
            }
        }
        looked_at = passed;
        // Rows that cannot be read take nobody's place, as far as one look may go.
        let unreadable = passed - jobs.len();
        let more = limit.saturating_add(unreadable).min(limits::PAGE_ROWS);
        if passed < wanted || more <= wanted {
            let next = alarms.get(passed).map(|(alarm, _)| *alarm);
            return Ok(Overdue { jobs, next, now });
        }
        wanted = more;
    }
}

/// Those of the earliest overdue rows that cannot be read, and why.
pub(super) async fn unreadable(session: &Session) -> Result<Vec<(JobId, Error)>, Fault> {
    let (now, alarms) = earliest(session, limits::UNREADABLE_TOLD, None).await?;
    let passed = alarms.partition_point(|(alarm, _)| *alarm <= now);
    // Also of those that somebody holds: nothing is done to them.
    let sql = include_str!("fetch.sql");
    let rows = read_each(session, sql, alarms.get(..passed).unwrap_or_default()).await?;
    let unreadable = |(id, read): (JobId, Result<Job, Fault>)| Some((id, read.err()?.into()));
    Ok(rows.into_iter().filter_map(unreadable).collect())
}

/// The earliest alarms of all, and the store's time.
async fn earliest(
    session: &Session,
    count: usize,
    stepped: Option<Timestamp>,
) -> Result<(Timestamp, Vec<(Timestamp, JobId)>), Fault> {
    let (count, stepped) = (number(count), stepped.map(Timestamp::as_micros));
    let params: [Param<'_>; 2] = [(&count, Type::INT8), (&stepped, Type::INT8)];
    let rows = session.read(include_str!("overdue.sql"), &params).await?;
    let mut now = Timestamp::MIN;
    let mut alarms = Vec::new();
    for row in &rows {
        let column = Columns::of(row);
        now = column.instant(0)?;
        if let Some(alarm) = column.instant_if_any(1)? {
            alarms.push((alarm, column.id(2)?));
        }
    }
    Ok((now, alarms))
}

/// The rows of these jobs that `sql` finds and that still have their alarm, in this order, and those that cannot be read.
async fn read_each(
    session: &Session,
    sql: &'static str,
    alarms: &[(Timestamp, JobId)],
) -> Result<Vec<(JobId, Result<Job, Fault>)>, Fault> {
    if alarms.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Uuid> = alarms.iter().map(|(_, id)| id.0).collect();
    let mut found = BTreeMap::new();
    for row in &session.read(sql, &[(&ids, Type::UUID_ARRAY)]).await? {
        let id = Columns::of(row).id(0)?;
        match read_job(row, 0) {
            Err(fault) if !fault.is_of_a_row() => return Err(fault),
            read => found.insert(id, read),
        };
    }
    let still = |(alarm, id): &(Timestamp, JobId)| {
        let read = found.remove(id)?;
        let has_moved = read.as_ref().is_ok_and(|job| job.status.alarm != Some(*alarm));
        (!has_moved).then_some((*id, read))
    };
    Ok(alarms.iter().filter_map(still).collect())
}
