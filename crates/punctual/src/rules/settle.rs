//! What becomes of a run, and of whatever else the time has come for.
//!
//! ```text
//!  done ────────────────────────────────────────────▶ succeeded
//!  fail; lost or interrupted under `on_lost: fail` ─▶ failed
//!  retry, lost ───── attempts and time left ────────▶ waiting, else failed
//!  snooze, release ─ the attempt given back ────────▶ waiting, else failed
//!  cancelled; anything, once a cancel was noted ────▶ cancelled
//!  defer ───────────────────────────────────────────▶ running, without a worker
//! ```
//!
//! A decision is made for one version of the row, which [`Change::expect`] names: so each run is settled once, either
//! by what its worker answers or by the passing of its lease.

use std::time::Duration;

use bytes::Bytes;

use crate::change::Change;
use crate::job::{FailureReason, Job, OnLost, State};
use crate::limits;
use crate::queue::Retention;
use crate::rules::end::{self, End};
use crate::rules::row::too_late;
use crate::rules::{Moment, backoff};
use crate::run::{AttemptOutcome, Outcome, Release, RetryCause};
use crate::time::Timestamp;

mod over;

use over::Over;

/// What the outcome of `run` makes of the job; nothing if that run does not hold the job, and the outcome is stale.
///
/// Whether the lease has passed does not matter as long as nobody took the job away.
pub fn settle(job: &Job, run: u64, outcome: &Outcome, moment: &Moment<'_>) -> Option<Change> {
    if !holds(job, run) {
        return None;
    }
    Some(match outcome {
        Outcome::Done(result) => done(job, result, moment),
        Outcome::Retry { error, after, cause } => retry(job, error, *after, *cause, moment),
        Outcome::Fail { error } => fail(job, error, moment),
        Outcome::Snooze { until } => snooze(job, *until, moment),
        Outcome::Cancelled { reason } => cancelled(job, reason, moment),
        Outcome::Defer(length) => defer(job, *length, moment),
        Outcome::Release(Release::Unstarted) => unstarted(job, moment),
        Outcome::Release(Release::Interrupted) => interrupted(job, moment),
        Outcome::Release(Release::UnknownKind(after)) => unknown_kind(job, *after, moment),
    })
}

/// Whether this run holds the job.
pub fn holds(job: &Job, run: u64) -> bool {
    job.status.state == State::Running && job.status.run == run
}

/// Prolongs a run that goes on elsewhere until this long from now at least, and keeps what it says of its progress; nothing
/// if that run does not hold the job.
///
/// Whoever holds the run's token may be quicker than the worker that defers it: then the run is deferred by this.
pub fn prolong(
    job: &Job,
    run: u64,
    length: Duration,
    progress: Option<&Bytes>,
    moment: &Moment<'_>,
) -> Option<Change> {
    if !holds(job, run) {
        return None;
    }
    let mut status = job.status.clone();
    status.deferred = true;
    status.alarm = status.alarm.max(Some(deferred_until(job, length, moment)));
    status.progress = progress.cloned().or(status.progress);
    Some(Change::to(job, status))
}

/// What becomes of a job whose alarm has passed: a run whose lease ran out is lost, a job that has not started by its
/// start deadline has failed, and so has one that still waits when its longest time has elapsed. Nothing if none of it
/// is the case.
///
/// A lost run has spent its attempt. If another is left, the job can be claimed at once, behind those that are due
/// already: a job that takes its worker with it stands in nobody's way.
pub fn reclaim(job: &Job, moment: &Moment<'_>) -> Option<Change> {
    let alarm = job.status.alarm?;
    if alarm > moment.now {
        return None;
    }
    match job.status.state {
        State::Running => Some(lose(job, alarm, moment)),
        State::Waiting => Some(overdue(job, alarm, moment)),
        State::Succeeded | State::Failed | State::Cancelled => None,
    }
}

/// Whether a row has been kept long enough: the retention of its state is over, and so is the window of its unique
/// key. Never for a live job.
pub fn prunable(
    state: State,
    ended_at: Option<Timestamp>,
    key_until: Option<Timestamp>,
    retention: &Retention,
    now: Timestamp,
) -> bool {
    match (retention.of(state), ended_at) {
        (Some(kept), Some(ended_at)) => ended_at + kept <= now && key_until.is_none_or(|until| until <= now),
        _ => false,
    }
}

/// A result that is too long is a failure that says so, without a further attempt: the work is done, and would end
/// with the same result again.
fn done(job: &Job, result: &Bytes, moment: &Moment<'_>) -> Change {
    let (has, may) = (result.len(), moment.defaults.result_bytes);
    if has > may {
        let error = format!("it is done, but its result has {has} bytes, and at most {may} are kept");
        return fail(job, &error, moment);
    }
    Over::new(job, AttemptOutcome::Succeeded, None, moment).ends(End::Succeeded(result.clone()))
}

fn retry(job: &Job, error: &str, after: Option<Duration>, cause: RetryCause, moment: &Moment<'_>) -> Change {
    let how = match cause {
        RetryCause::Error => AttemptOutcome::Failed,
        RetryCause::Timeout => AttemptOutcome::TimedOut,
        RetryCause::Panic => AttemptOutcome::Panicked,
    };
    let backoff = moment.defaults.backoff_of(&job.body);
    let delay = after.unwrap_or_else(|| backoff::delay(backoff, job.status.attempt, moment.chance));
    let due = moment.now + delay.min(limits::LENGTH_MAX);
    Over::new(job, how, Some(error), moment).again(due, error)
}

fn fail(job: &Job, error: &str, moment: &Moment<'_>) -> Change {
    Over::new(job, AttemptOutcome::Failed, Some(error), moment).fails(FailureReason::Failed, error)
}

/// Waits until the instant that its handler named, as far as that is neither past nor further off than anybody may
/// ask for.
fn snooze(job: &Job, until: Timestamp, moment: &Moment<'_>) -> Change {
    let due = until.clamp(moment.now, moment.now + limits::LENGTH_MAX);
    Over::new(job, AttemptOutcome::Snoozed, None, moment)
        .give_back()
        .again(due, "it asked to be run later")
}

fn cancelled(job: &Job, reason: &str, moment: &Moment<'_>) -> Change {
    Over::new(job, AttemptOutcome::Cancelled, None, moment).ends(End::Cancelled(reason.to_owned()))
}

/// The run goes on without its worker, leased for a length of its own: or for longer, if it was prolonged before its worker
/// said so.
fn defer(job: &Job, length: Duration, moment: &Moment<'_>) -> Change {
    let prolonged = job.status.alarm.filter(|_| job.status.deferred);
    let mut status = job.status.clone();
    status.deferred = true;
    status.alarm = prolonged.max(Some(deferred_until(job, length, moment)));
    Change::to(job, status)
}

/// The end of a deferred run's lease. If the run is to stop already, it is given no more than an ordinary lease to be told
/// so.
fn deferred_until(job: &Job, length: Duration, moment: &Moment<'_>) -> Timestamp {
    let most = match job.status.cancel {
        Some(_) => limits::LEASE,
        None => limits::LEASE_MAX,
    };
    moment.now + length.min(most)
}

/// Its worker reserved it and will not come to it.
fn unstarted(job: &Job, moment: &Moment<'_>) -> Change {
    Over::new(job, AttemptOutcome::Released, None, moment)
        .not_started()
        .refund()
        .again(job.status.due, "its worker put it back")
}

/// Its worker stops, and the run with it: through no fault of the job's, so that it keeps its place in the line.
fn interrupted(job: &Job, moment: &Moment<'_>) -> Change {
    let error = "its worker stopped";
    let over = Over::new(job, AttemptOutcome::Interrupted, Some(error), moment);
    match on_lost(job) {
        OnLost::Retry => over.refund().again(job.status.due, error),
        OnLost::Fail => over.fails(FailureReason::Interrupted, error),
    }
}

/// Its worker does not know its kind; another may. This never costs an attempt, however often it happens: what bounds
/// it is the delay, which nobody can ask to be shorter.
fn unknown_kind(job: &Job, after: Duration, moment: &Moment<'_>) -> Change {
    let after = after.clamp(limits::UNKNOWN_KIND_DELAY, limits::UNKNOWN_KIND_DELAY_MAX);
    let error = format!("its worker knows no kind {:?}", job.body.kind);
    Over::new(job, AttemptOutcome::Released, Some(&error), moment)
        .not_started()
        .give_back()
        .again(moment.now + after, &error)
}

/// It waited until no attempt may begin any more. What its last attempt came to is part of the story.
fn overdue(job: &Job, alarm: Timestamp, moment: &Moment<'_>) -> Change {
    let options = &job.body.options;
    let end = match options
        .max_elapsed
        .filter(|_| job.status.first_started_at.is_some())
    {
        Some(elapsed) => {
            let spent = too_late(elapsed);
            let error = job.status.history.last().and_then(|last| last.error.as_ref());
            let message = error.map_or(spent.clone(), |error| format!("{spent}: {error}"));
            End::Failed(FailureReason::Exhausted, message)
        }
        None => End::Failed(FailureReason::Expired, format!("it had not started by {alarm}")),
    };
    end::end(job, job.status.clone(), end, moment)
}

fn lose(job: &Job, alarm: Timestamp, moment: &Moment<'_>) -> Change {
    let error = match &job.status.worker {
        _ if job.status.deferred => format!("it was deferred, and nobody settled it by {alarm}"),
        Some(worker) => format!("worker {worker} was lost: its lease ran out at {alarm}"),
        None => format!("its worker was lost: the lease ran out at {alarm}"),
    };
    let over = Over::new(job, AttemptOutcome::Lost, Some(&error), moment);
    match on_lost(job) {
        OnLost::Retry => over.again(moment.now, &error),
        OnLost::Fail => over.fails(FailureReason::Lost, &error),
    }
}

fn on_lost(job: &Job) -> OnLost {
    job.body.options.on_lost.unwrap_or_default()
}
