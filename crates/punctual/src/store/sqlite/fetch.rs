//! Fetch: whole rows by id.

use rusqlite::{Connection, params};

use super::fault::Fault;
use super::row::read_job;
use super::writing::first;
use crate::job::{Job, JobId};

pub(super) fn fetch(connection: &Connection, ids: &[JobId]) -> Result<Vec<Option<Job>>, Fault> {
    ids.iter().map(|id| fetch_one(connection, *id)).collect()
}

pub(super) fn fetch_one(connection: &Connection, id: JobId) -> Result<Option<Job>, Fault> {
    let id = params![id.0.as_bytes()];
    first(connection, include_str!("fetch.sql"), id, |row| read_job(row, 0))
}
