//! Admission: what a new job must be like, and the row it becomes.
//!
//! Everything that a store could refuse is refused here, all of it at once, before the job stands in any lane:
//! afterwards an insert can fail for what is already there, never for what the job is like.

use std::sync::Arc;

use crate::error::Error;
use crate::job::{Body, Job, JobId, NewJob, OnConflict, Origin, Start, Status, Unique};
use crate::limits;
use crate::queue::QueueName;
use crate::rules::Moment;
use crate::rules::row::start_alarm;
use crate::time::Timestamp;

mod canonical;
pub(super) mod check;
pub(super) mod cut;
mod fingerprint;
mod unique;

pub use unique::{Conflict, conflict, fold};

use canonical::payload_key;
use check::Check;
use fingerprint::fingerprint;

/// A job that may be inserted.
#[derive(Clone, Debug, PartialEq)]
pub struct Admitted {
    /// The row: waiting, in its first life.
    pub job: Job,
    /// What happens if another job holds its unique key.
    pub on_conflict: OnConflict,
}

/// Turns a new job into a row, under the id it chose or else under `fresh_id`.
///
/// A start instant that has passed stays the due instant, so that what is long due goes first; the job can be
/// claimed at once. A job sent again at any time gets the same fingerprint, a delay or a window included.
///
/// # Errors
///
/// `Invalid`, with a JSON pointer to every bad field. A start deadline must come after the due instant, for a job
/// whose deadline has come is never started.
pub fn admit(new: NewJob, fresh_id: JobId, moment: &Moment<'_>) -> Result<Admitted, Error> {
    let due = match new.start {
        Start::Now => moment.now,
        Start::At(instant) => instant,
        Start::In(length) => moment.now + length,
    };
    check(&new, due, moment)?;
    Ok(row(new, fresh_id, due, None, moment))
}

/// The row that a job becomes which has been checked.
pub(super) fn row(
    new: NewJob,
    fresh_id: JobId,
    due: Timestamp,
    origin: Option<Origin>,
    moment: &Moment<'_>,
) -> Admitted {
    let fingerprint = fingerprint(&new);
    let unique_key = new.unique.as_ref().map(|unique| key_of(&new, unique));
    let window = new.unique.as_ref().and_then(|unique| unique.window);
    let body = Body {
        id: new.id.unwrap_or(fresh_id),
        queue: new.queue.unwrap_or_else(|| QueueName::home_of(&new.kind)),
        kind: new.kind,
        priority: new.priority.unwrap_or(limits::PRIORITY),
        created_at: moment.now,
        payload: new.payload,
        tags: new.tags,
        options: cut::options(new.options),
        unique_key: unique_key.clone(),
        fingerprint,
        origin,
    };
    let mut status = Status::waiting(first_rev(moment.now), due);
    status.alarm = start_alarm(&body, &status);
    status.unique_key = unique_key;
    status.key_until = window.map(|window| moment.now + window);
    Admitted {
        job: Job {
            body: Arc::new(body),
            status,
        },
        on_conflict: new.unique.unwrap_or_default().on_conflict,
    }
}

pub(super) fn check(new: &NewJob, due: Timestamp, moment: &Moment<'_>) -> Result<(), Error> {
    let mut check = Check::default();
    check.id(new.id);
    check.name("/kind", &new.kind);
    if let Some(queue) = &new.queue {
        check.name("/queue", queue.as_str());
    }
    if let Some(priority) = new.priority {
        check.priority(priority);
    }
    check.payload(&new.payload, moment.defaults);
    check.tags(&new.tags);
    match new.start {
        Start::Now => {}
        Start::At(instant) => check.instant("/run_at", instant),
        Start::In(length) => check.length("/delay", length),
    }
    check.options(&new.options);
    check.start_deadline("/start_deadline", &new.options, due);
    if let Some(unique) = &new.unique {
        check.unique(unique);
    }
    check.finish()
}

/// The first version of a row. It begins at the microsecond of admission, so that an id that was deleted and used
/// again does not repeat its runs.
fn first_rev(now: Timestamp) -> u64 {
    u64::try_from(now.as_micros()).unwrap_or(0).max(1)
}

fn key_of(new: &NewJob, unique: &Unique) -> String {
    match &unique.key {
        Some(key) => key.clone(),
        None => payload_key(&new.kind, &new.payload),
    }
}
