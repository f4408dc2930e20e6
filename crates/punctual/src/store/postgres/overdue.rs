//! Overdue: rows whose alarm has passed.

use std::collections::BTreeMap;

use tokio_postgres::types::Type;

use super::claim::number;
use super::fault::Fault;
use super::fetch::rows_of;
use super::row::{Columns, if_readable, read_job};
use super::session::{Param, Session};
use crate::job::{Job, JobId};
use crate::limits;
use crate::store::Overdue;
use crate::time::Timestamp;

pub(super) async fn overdue(
    session: &Session,
    limit: usize,
    stepped: Option<Timestamp>,
) -> Result<Overdue, Fault> {
    let mut jobs = Vec::new();
    let (mut wanted, mut looked_at) = (limit, 0);
    loop {
        // One more than wanted: it may be the next alarm.
        let (now, alarms) = earliest(session, wanted.saturating_add(1), stepped).await?;
        let passed = alarms.iter().take(wanted).take_while(|(alarm, _)| *alarm <= now);
        let passed = passed.count().max(looked_at);
        let ids = alarms.get(looked_at..passed).unwrap_or_default();
        jobs.extend(readable(session, ids).await?);
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

/// The rows of these jobs that can be read and still have their alarm, in this order.
async fn readable(session: &Session, alarms: &[(Timestamp, JobId)]) -> Result<Vec<Job>, Fault> {
    if alarms.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<JobId> = alarms.iter().map(|(_, id)| *id).collect();
    let mut found = BTreeMap::new();
    for row in &rows_of(session, &ids).await? {
        let id = Columns::of(row).id(0)?;
        found.extend(if_readable(id, read_job(row, 0))?.map(|job| (id, job)));
    }
    let still =
        |(alarm, id): &(Timestamp, JobId)| found.remove(id).filter(|job| job.status.alarm == Some(*alarm));
    Ok(alarms.iter().filter_map(still).collect())
}
