//! Insert: whole rows, each by itself.

use redis::Value;
use uuid::Uuid;

use super::link::Link;
use super::row::{read_holder, write_body, write_status};
use super::script::{Arguments, INSERT};
use super::{batch::Batches, reply};
use crate::change::{Holder, Inserted};
use crate::error::Error;
use crate::job::{Job, JobId};

pub(super) async fn insert(link: &Link, jobs: &[Job]) -> Result<Vec<Inserted>, Error> {
    let mut batches = Batches::default();
    jobs.iter()
        .for_each(|job| batches.add(1, |arguments| push(arguments, job)));
    let answers = batches.write(link, &INSERT).await?;
    answers.into_iter().map(read).collect()
}

/// The arguments that tell of a row.
fn push(arguments: &mut Arguments, job: &Job) {
    arguments
        .bytes(job.body.id.0.as_bytes())
        .bytes(write_status(job))
        .bytes(write_body(&job.body));
}

/// The arguments that tell how many rows there are, and of each of them.
pub(super) fn push_all(arguments: &mut Arguments, jobs: &[Job]) {
    arguments.number(jobs.len());
    jobs.iter().for_each(|job| push(arguments, job));
}

fn read(answer: Value) -> Result<Inserted, Error> {
    if let Value::Array(answer) = answer {
        return Ok(Inserted::Held(holder(answer)?));
    }
    match reply::bytes(answer)?.as_slice() {
        b"I" => Ok(Inserted::Inserted),
        b"S" => Ok(Inserted::Exists { same: true }),
        b"O" => Ok(Inserted::Exists { same: false }),
        _ => Err(Error::internal("Redis gave an unknown answer to an insert")),
    }
}

/// Reads who holds a key.
pub(super) fn holder(answer: Vec<Value>) -> Result<Holder, Error> {
    let [_, id, status] = reply::parts(Value::Array(answer))?;
    read_holder(id_of(&reply::bytes(id)?)?, &reply::bytes(status)?)
}

/// Reads an id.
pub(super) fn id_of(bytes: &[u8]) -> Result<JobId, Error> {
    Ok(JobId(Uuid::from_bytes(reply::fixed(bytes)?)))
}
