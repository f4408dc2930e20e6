//! Apply: what rules decided, each change wholly or not at all.

use redis::Value;

use super::batch::Batches;
use super::insert::{holder, push_all};
use super::link::Link;
use super::reply;
use super::row::{place, read_job, status_after_place, status_before_place, write_body};
use super::script::{APPLY, Arguments};
use crate::change::{Applied, Change};
use crate::error::Error;
use crate::job::JobId;

pub(super) async fn apply(link: &Link, changes: &[Change]) -> Result<Vec<Applied>, Error> {
    let mut batches = Batches::default();
    changes
        .iter()
        .for_each(|change| batches.add(1 + change.then.len(), |arguments| push_change(arguments, change)));
    let answers = batches.write(link, &APPLY).await?;
    let alone = changes.len() == 1;
    let answers = changes.iter().zip(answers);
    answers
        .map(|(change, answer)| read(change.id, answer, alone))
        .collect()
}

fn push_change(arguments: &mut Arguments, change: &Change) {
    arguments
        .bytes(change.id.0.as_bytes())
        .bytes(change.expect.to_be_bytes());
    match &change.becomes {
        Some(status) => arguments
            .bytes("W")
            .bytes(status_before_place(status))
            .bytes(change.body.as_ref().map(|body| place(body)).unwrap_or_default())
            .bytes(status_after_place(status))
            .bytes(
                change
                    .body
                    .as_ref()
                    .map(|body| write_body(body))
                    .unwrap_or_default(),
            ),
        None => arguments.bytes("D").bytes("").bytes("").bytes("").bytes(""),
    };
    arguments.bytes(
        change
            .pokes
            .as_ref()
            .map_or(&[][..], |schedule| schedule.0.as_bytes()),
    );
    push_all(arguments, &change.then);
}

fn read(id: JobId, answer: Value, alone: bool) -> Result<Applied, Error> {
    let Value::Array(mut answer) = answer else {
        return match reply::bytes(answer)?.as_slice() {
            b"A" => Ok(Applied::Applied),
            b"M" => Ok(Applied::Missing),
            _ => Err(Error::internal("Redis gave an unknown answer to a change")),
        };
    };
    if answer.first() == Some(&Value::BulkString(b"H".to_vec())) {
        return Ok(Applied::Held(holder(answer)?));
    }
    let body = answer.pop().unwrap_or_default();
    let status = answer.pop().unwrap_or_default();
    match read_job(id, &reply::bytes(status)?, &reply::bytes(body)?) {
        Ok(job) => Ok(Applied::Stale(Box::new(job))),
        Err(error) if alone => Err(error),
        // The other changes of the batch stand, and are not to be taken for refused since this row cannot be shown.
        Err(error) => {
            tracing::error!(job = %id, %error, "a row that has moved on cannot be read; it is taken for gone");
            Ok(Applied::Missing)
        }
    }
}
