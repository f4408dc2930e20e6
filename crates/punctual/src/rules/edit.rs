//! What an operator may do to a job, and what it becomes then.

use crate::change::{Change, Edit};
use crate::error::Error;
use crate::job::{Body, Job, Options, Start, State, Status};
use crate::limits;
use crate::rules::Moment;
use crate::rules::admit::check::Check;
use crate::rules::admit::cut;
use crate::rules::end::{self, End};
use crate::rules::row::{is_husk, rewrite, start_alarm};
use crate::time::Timestamp;

/// Cancels a job that waits; notes on a running one that it is to stop, after which it can only end as cancelled.
/// Nothing if that was done before.
///
/// A noted cancel ends with the run: when its worker says that it has stopped, or when its lease runs out. A deferred
/// run has no worker to say so, and is left no more than an ordinary lease.
///
/// # Errors
///
/// `Conflict` if the job has ended otherwise; `Invalid` at `/reason`.
pub fn cancel(job: &Job, reason: &str, moment: &Moment<'_>) -> Result<Option<Change>, Error> {
    check_reason(reason)?;
    let mut status = job.status.clone();
    match status.state {
        State::Waiting => {
            let end = End::Cancelled(reason.to_owned());
            return Ok(Some(end::end(job, status, end, moment)));
        }
        State::Cancelled => return Ok(None),
        State::Running if status.cancel.is_some() => return Ok(None),
        State::Running => {}
        State::Succeeded | State::Failed => {
            return Err(Error::conflict(format!(
                "the job has ended: it has {}",
                status.state
            )));
        }
    }
    status.cancel = Some(reason.to_owned());
    if status.deferred {
        let soon = moment.now + limits::LEASE;
        status.alarm = Some(status.alarm.map_or(soon, |alarm| alarm.min(soon)));
    }
    Ok(Some(Change::to(job, status)))
}

/// Refuses a reason of a cancel that is too long, `Invalid` at `/reason`.
pub fn check_reason(reason: &str) -> Result<(), Error> {
    let mut check = Check::default();
    check.text("/reason", reason, 0, limits::REASON_BYTES);
    check.finish()
}

/// Begins a new life of a job that has ended: due now, attempts allowed anew, its unique key taken again. A start
/// deadline that has passed is waived; who retries the job wants it started.
///
/// # Errors
///
/// `Conflict` if the job is live, or nothing but its unique key was kept. Whether another job holds the key is found
/// out by the store.
pub fn retry(job: &Job, moment: &Moment<'_>) -> Result<Change, Error> {
    let old = &job.status;
    if !old.state.is_ended() {
        return Err(Error::conflict(format!(
            "the job is {}; only one that has ended can be retried",
            old.state
        )));
    }
    if is_husk(job) {
        return Err(Error::conflict(
            "the job was deleted when it ended; only its unique key is still held",
        ));
    }
    let mut body = Body::clone(&job.body);
    let missed = |deadline: &mut Timestamp| *deadline <= moment.now;
    body.options.start_deadline.take_if(missed);
    let mut status = Status {
        run: old.run,
        life: old.life.saturating_add(1),
        started_at: old.started_at,
        worker: old.worker.clone(),
        unique_key: body.unique_key.clone(),
        key_until: old.key_until,
        history: old.history.clone(),
        ..Status::waiting(old.rev, moment.now)
    };
    status.alarm = start_alarm(&body, &status);
    Ok(rewrite(job, body, status))
}

/// Makes a waiting job due now. One that is due already keeps its place in the line.
///
/// # Errors
///
/// `Conflict` if it does not wait.
pub fn run_now(job: &Job, moment: &Moment<'_>) -> Result<Change, Error> {
    let mut status = job.status.clone();
    match status.state {
        State::Waiting => {}
        State::Running => return Err(Error::conflict("the job is running already")),
        ended => {
            return Err(Error::conflict(format!(
                "the job has ended: it has {ended}; retry it instead"
            )));
        }
    }
    status.due = status.due.min(moment.now);
    Ok(Change::to(job, status))
}

/// Changes a job of whose life nothing has been run. What the edit leaves unset stays; so do the fingerprint, and a
/// unique key that was made from the payload.
///
/// # Errors
///
/// `Conflict` if the job does not wait, or an attempt of this life has begun; `Invalid` at each bad field.
pub fn edit(job: &Job, edit: Edit, moment: &Moment<'_>) -> Result<Change, Error> {
    let mut status = job.status.clone();
    if status.state != State::Waiting {
        return Err(Error::conflict(format!(
            "the job is {}; only one that waits can be edited",
            status.state
        )));
    }
    if status.first_started_at.is_some() {
        return Err(Error::conflict(
            "an attempt has begun; only a job that has not started can be edited",
        ));
    }
    let due = match edit.start {
        None => status.due,
        Some(Start::Now) => moment.now,
        Some(Start::At(instant)) => instant,
        Some(Start::In(length)) => moment.now + length,
    };
    let options = edit.options.clone().of(job.body.options.clone());
    check(job, &edit, &options, due, moment)?;

    let mut body = Body::clone(&job.body);
    status.due = due;
    body.priority = edit.priority.unwrap_or(body.priority);
    body.payload = edit.payload.unwrap_or(body.payload);
    body.tags = edit.tags.unwrap_or(body.tags);
    body.options = cut::options(options);
    status.alarm = start_alarm(&body, &status);
    Ok(rewrite(job, body, status))
}

/// Deletes a job that waits or has ended, with its unique key, whose window may still run.
///
/// # Errors
///
/// `Conflict` while it is running: whoever runs it must first be told to stop.
pub fn delete(job: &Job) -> Result<Change, Error> {
    match job.status.state {
        State::Running => Err(Error::conflict(
            "the job is running; cancel it, and delete it once it has ended",
        )),
        _ => Ok(Change::delete(job)),
    }
}

/// Checks what is edited, and the options and the due instant that come of it.
fn check(
    job: &Job,
    edit: &Edit,
    options: &Options,
    due: Timestamp,
    moment: &Moment<'_>,
) -> Result<(), Error> {
    let mut check = Check::default();
    let start = match edit.start {
        None | Some(Start::Now) => "/run_at",
        Some(Start::At(instant)) => {
            check.instant("/run_at", instant);
            "/run_at"
        }
        Some(Start::In(length)) => {
            check.length("/delay", length);
            "/delay"
        }
    };
    if let Some(priority) = edit.priority {
        check.priority(priority);
    }
    if let Some(payload) = &edit.payload {
        check.payload(payload, moment.defaults);
    }
    if let Some(tags) = &edit.tags {
        check.tags(tags);
    }
    check.options(options);
    if edit.options.max_attempts.is_some() {
        // Releases may have spent attempts of a job that never started.
        let used = job.status.attempt;
        let attempts = options.max_attempts.unwrap_or(moment.defaults.max_attempts);
        check.hold(attempts > used, "/max_attempts", || {
            format!("{used} are used already")
        });
    }
    if edit.options.start_deadline.is_some() {
        check.start_deadline("/start_deadline", options, due);
    } else if edit.start.is_some() {
        check.start_deadline(start, options, due);
    }
    check.finish()
}
