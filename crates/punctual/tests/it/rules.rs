//! Rules: what each of them decides, told one by one, and the laws that hold over any sequence of them.

use std::time::Duration;

use bytes::Bytes;
use punctual::change::Change;
use punctual::job::{Body, Defaults, FailureReason, Job, NewJob, State};
use punctual::limits;
use punctual::queue::Retention;
use punctual::rules::Moment;
use punctual::rules::admit::{Admitted, admit};
use punctual::rules::settle::settle;
use punctual::run::{Outcome, RetryCause, WorkerId};
use punctual::time::{Timestamp, days, hours, milliseconds, minutes, seconds};
use punctual::{Error, JobId};

mod admission;
mod catching_up;
mod editing;
mod firing;
mod keeping;
mod laws;
pub(crate) mod ledger;
mod reclaiming;
mod settling;
mod unique;

/// The instant at which most of these tests begin.
const NOON: Timestamp = Timestamp::from_micros(1_796_126_400_000_000);

/// What is in force, and when.
struct World {
    now: Timestamp,
    defaults: Defaults,
    retention: Retention,
    chance: f64,
}

impl World {
    fn new() -> World {
        World {
            now: NOON,
            defaults: Defaults::default(),
            retention: Retention::default(),
            chance: 0.5,
        }
    }

    fn moment(&self) -> Moment<'_> {
        Moment {
            now: self.now,
            defaults: &self.defaults,
            retention: self.retention,
            chance: self.chance,
        }
    }

    fn admit(&self, new: NewJob) -> Result<Admitted, Error> {
        admit(new, JobId::named("fresh"), &self.moment())
    }

    /// The row of a job that must be right.
    fn row(&self, new: NewJob) -> Job {
        self.admit(new).expect("the job is right").job
    }

    /// The row after a claim now.
    fn claimed(&self, job: &Job) -> Job {
        claim(job, self.now)
    }

    /// The row of a new job after a claim now.
    fn running(&self, new: NewJob) -> Job {
        self.claimed(&self.row(new))
    }
}

fn plain() -> NewJob {
    NewJob::bytes("mail.welcome", "{}")
}

/// What a store's claim does to a row.
fn claim(job: &Job, now: Timestamp) -> Job {
    let mut job = job.clone();
    let status = &mut job.status;
    assert_eq!(status.state, State::Waiting);
    assert!(status.due <= now, "a job is never claimed early");
    status.state = State::Running;
    status.rev += 1;
    status.run = status.rev;
    status.attempt += 1;
    status.first_started_at = status.first_started_at.or(Some(now));
    status.started_at = Some(now);
    status.worker = Some(WorkerId::from("w"));
    status.alarm = Some(now + limits::LEASE);
    job
}

/// What a store's apply makes of a change; nothing if it deletes the row.
fn apply(job: &Job, change: Change) -> Option<Job> {
    assert_eq!(change.id, job.id());
    assert_eq!(
        change.expect, job.status.rev,
        "a change is made for the row that was decided on"
    );
    let status = change.becomes?;
    assert_eq!(status.rev, job.status.rev + 1, "each write raises rev by one");
    let body = change.body.unwrap_or_else(|| job.body.clone());
    Some(Job { body, status })
}

/// The row that a change makes, which must not delete it.
fn applied(job: &Job, change: Change) -> Job {
    apply(job, change).expect("the change keeps the row")
}

/// The bad fields that an error names.
fn pointers(error: &Error) -> Vec<&str> {
    error
        .fields()
        .iter()
        .map(|field| field.pointer.as_str())
        .collect()
}

fn settled(world: &World, job: &Job, outcome: &Outcome) -> Job {
    let change = settle(job, job.status.run, outcome, &world.moment()).expect("the run holds the job");
    applied(job, change)
}

fn failure(job: &Job) -> (FailureReason, &str) {
    let failure = job.status.failure.as_ref().expect("the job has failed");
    (failure.reason, &failure.message)
}

fn done() -> Outcome {
    Outcome::Done(Bytes::from_static(b"1"))
}

fn fail() -> Outcome {
    Outcome::Fail {
        error: "it broke".to_owned(),
    }
}

fn retry(cause: RetryCause) -> Outcome {
    Outcome::Retry {
        error: "it broke".to_owned(),
        after: None,
        cause,
    }
}

fn retry_after(after: Duration) -> Outcome {
    Outcome::Retry {
        error: "it broke".to_owned(),
        after: Some(after),
        cause: RetryCause::Error,
    }
}

fn cancelled() -> Outcome {
    Outcome::Cancelled {
        reason: "changed my mind".to_owned(),
    }
}
