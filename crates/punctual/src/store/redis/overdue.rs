//! Overdue: rows whose alarm has passed.

use std::collections::BTreeSet;

use futures_util::future;

use super::fetch::{Fetched, fetch_each};
use super::link::Link;
use super::order::{Place, instant, read_instant};
use super::reply;
use crate::error::Error;
use crate::job::{Job, JobId};
use crate::limits;
use crate::store::Overdue;
use crate::store::findings::PassedOver;
use crate::time::Timestamp;

pub(super) async fn overdue(
    link: &Link,
    limit: usize,
    now: Option<Timestamp>,
    passed_over: &PassedOver,
) -> Result<Overdue, Error> {
    let now = match now {
        Some(now) => now,
        None => server_time(link).await?,
    };
    let mut jobs = Vec::new();
    let (mut wanted, mut looked_at) = (limit, 0);
    loop {
        // One more than wanted: it may be the next alarm.
        let alarms = earliest(link, wanted.saturating_add(1)).await?;
        let passed = alarms
            .iter()
            .take(wanted)
            .take_while(|alarm| alarm.at <= instant(now));
        let passed = passed.count();
        for (id, read) in read_each(link, alarms.get(looked_at..passed).unwrap_or_default()).await? {
            match read {
                Ok(job) => jobs.push(job),
                Err(error) => passed_over.meet(id, now, &error),
            }
        }
        looked_at = passed;
        // Rows that cannot be read, or moved on just now, take nobody's place, as far as one look may go.
        let passed_over = passed.saturating_sub(jobs.len());
        let more = limit.saturating_add(passed_over).min(limits::PAGE_ROWS);
        if passed < wanted || more <= wanted {
            let next = alarms.get(passed).map(|alarm| read_instant(alarm.at));
            return Ok(Overdue { jobs, next, now });
        }
        wanted = more;
    }
}

/// Those of the earliest overdue rows that cannot be read, and why.
pub(super) async fn unreadable(link: &Link) -> Result<Vec<(JobId, Error)>, Error> {
    let now = instant(server_time(link).await?);
    let alarms = earliest(link, limits::UNREADABLE_TOLD).await?;
    let passed = alarms.partition_point(|alarm| alarm.at <= now);
    let rows = read_each(link, alarms.get(..passed).unwrap_or_default()).await?;
    Ok(rows
        .into_iter()
        .filter_map(|(id, read)| Some((id, read.err()?)))
        .collect())
}

/// The server's time.
pub(super) async fn server_time(link: &Link) -> Result<Timestamp, Error> {
    let [seconds, micros] = reply::parts(link.ask(redis::cmd("TIME")).await?)?;
    let (seconds, micros) = (reply::number(seconds)?, reply::number(micros)?);
    Ok(Timestamp::from_micros(
        seconds.saturating_mul(1_000_000).saturating_add(micros),
    ))
}

/// The earliest alarms of all.
async fn earliest(link: &Link, count: usize) -> Result<Vec<Place>, Error> {
    let look = |index: &str| {
        let mut range = redis::cmd("ZRANGE");
        range.arg(link.key(index)).arg(0).arg(count.saturating_sub(1));
        link.ask(range)
    };
    let (running, others) = future::try_join(look("running"), look("alarm")).await?;
    let members = reply::list(running)?.into_iter().chain(reply::list(others)?);
    // A row that changed its state between the two looks may stand in both.
    let alarms: BTreeSet<Place> = members.filter_map(|member| Place::read(&member)).collect();
    Ok(alarms.into_iter().take(count).collect())
}

/// The rows that still have these alarms, and those that cannot be read.
async fn read_each(link: &Link, alarms: &[Place]) -> Result<Vec<(JobId, Result<Job, Error>)>, Error> {
    let ids: Vec<_> = alarms.iter().map(|alarm| alarm.id).collect();
    let rows = alarms.iter().zip(fetch_each(link, &ids).await?);
    let still = |(alarm, (id, row)): (&Place, Fetched)| {
        let read = row?;
        let has_moved = read
            .as_ref()
            .is_ok_and(|job| job.status.alarm.map(instant) != Some(alarm.at));
        (!has_moved).then_some((id, read))
    };
    Ok(rows.filter_map(still).collect())
}
