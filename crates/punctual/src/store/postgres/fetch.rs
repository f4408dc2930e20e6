//! Fetch: whole rows by id.

use std::collections::BTreeMap;

use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::fault::Fault;
use super::row::read_job;
use super::session::{Link, Param, Session};
use crate::job::{Job, JobId};

const FETCH: &str = include_str!("fetch.sql");

/// The rows of these jobs within a transaction.
pub(super) async fn fetch(link: Link<'_>, ids: &[JobId]) -> Result<Vec<Option<Job>>, Fault> {
    let wanted = uuids(ids);
    let params: [Param<'_>; 1] = [(&wanted, Type::UUID_ARRAY)];
    in_order(ids, link.query(FETCH, &params).await?)
}

/// The rows of these jobs, as they are now.
pub(super) async fn fetch_now(session: &Session, ids: &[JobId]) -> Result<Vec<Option<Job>>, Fault> {
    let wanted = uuids(ids);
    let params: [Param<'_>; 1] = [(&wanted, Type::UUID_ARRAY)];
    in_order(ids, session.read(FETCH, &params).await?)
}

fn uuids(ids: &[JobId]) -> Vec<Uuid> {
    ids.iter().map(|id| id.0).collect()
}

fn in_order(ids: &[JobId], rows: Vec<Row>) -> Result<Vec<Option<Job>>, Fault> {
    let read = |row: &Row| read_job(row, 0).map(|job| (job.id(), job));
    let found = rows.iter().map(read).collect::<Result<BTreeMap<_, _>, _>>()?;
    Ok(ids.iter().map(|id| found.get(id).cloned()).collect())
}
