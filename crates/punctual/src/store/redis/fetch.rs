//! Fetch: whole rows by id.

use redis::Value;

use super::link::Link;
use super::reply;
use super::row::read_job;
use crate::error::Error;
use crate::job::{Job, JobId};
use crate::limits;

pub(super) async fn fetch(link: &Link, ids: &[JobId]) -> Result<Vec<Option<Job>>, Error> {
    fetch_each(link, ids)
        .await?
        .into_iter()
        .map(|(_, row)| row.transpose())
        .collect()
}

/// A row, or nothing where there is none, or why it cannot be read.
pub(super) type Fetched = (JobId, Option<Result<Job, Error>>);

/// The rows of these jobs, each by itself: one that cannot be read is an error of its own.
pub(super) async fn fetch_each(link: &Link, ids: &[JobId]) -> Result<Vec<Fetched>, Error> {
    let mut rows = Vec::with_capacity(ids.len());
    for ids in ids.chunks(limits::SCRIPT_ITEMS) {
        let mut get = redis::cmd("MGET");
        for id in ids {
            let id = id.0.as_bytes();
            get.arg(link.key_of("s:", id)).arg(link.key_of("j:", id));
        }
        let strings = reply::array(link.ask(get).await?)?;
        let strings = reply::as_many(strings, ids.len() * 2)?;
        for (id, strings) in ids.iter().zip(strings.chunks_exact(2)) {
            rows.push((*id, read(*id, strings)));
        }
    }
    Ok(rows)
}

fn read(id: JobId, strings: &[Value]) -> Option<Result<Job, Error>> {
    match strings {
        [Value::BulkString(status), Value::BulkString(body)] => Some(read_job(id, status, body)),
        _ => None,
    }
}
