//! Rows and changes as steps describe them.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::rule;
use super::schedules::made_by_a_schedule;
use super::step::{Decision, Does, Import, Row, Seen, Settings};
use crate::change::Change;
use crate::job::{Failure, FailureReason, Job, State};
use crate::queue::{QueueSettings, Rate};
use crate::run::{Attempt, AttemptOutcome};
use crate::testing::sample::{self, Draft};
use crate::time::{Timestamp, milliseconds, seconds};

pub(super) fn queue(number: u8) -> String {
    format!("queue-{number}")
}

pub(super) fn key(number: u8) -> String {
    format!("key {number}")
}

/// So many milliseconds from now, before it or after.
pub(super) fn from(now: Timestamp, millis: i32) -> Timestamp {
    Timestamp::from_micros(now.as_micros() + i64::from(millis) * 1_000)
}

fn millis(count: u32) -> Duration {
    milliseconds(u64::from(count))
}

pub(super) fn row(row: &Row, now: Timestamp) -> Job {
    let due = from(now, row.due);
    let mut job = sample::job(u64::from(row.job))
        .queue(&queue(row.queue))
        .priority(row.priority)
        .due(due);
    if row.job.is_multiple_of(2) {
        job = job.tag("even").tag("number");
    }
    if row.job.is_multiple_of(3) {
        job = job.kind("third");
    }
    job = made_by_a_schedule(row.job, job);
    if row.other {
        job = job.other();
    }
    if let Some(length) = row.deadline {
        job = job.deadline(due + millis(length) + milliseconds(1));
    }
    if let Some(number) = row.key {
        job = job.key(&key(number)).key_until(due + seconds(1));
    }
    match row.import {
        Some(Import::Running) => job.running("elsewhere", due),
        Some(Import::Ended(state)) => job.ended(state, due),
        None => job,
    }
}

/// The versions of each row that the history has met, oldest first.
#[derive(Debug, Default)]
pub(super) struct Known(BTreeMap<u8, Vec<Job>>);

/// Versions that are kept of a row.
const VERSIONS: usize = 4;

impl Known {
    pub(super) fn learn(&mut self, number: u8, job: &Job) {
        let versions = self.0.entry(number).or_default();
        if versions.last() != Some(job) {
            versions.push(job.clone());
        }
        let surplus = versions.len().saturating_sub(VERSIONS);
        versions.drain(..surplus);
    }

    /// What somebody knows of a job; of one that nobody ever met, its plain sample.
    pub(super) fn version(&self, number: u8, seen: Seen) -> Job {
        let versions = self.0.get(&number).map_or(&[][..], Vec::as_slice);
        let back = usize::from(seen == Seen::Earlier);
        let place = versions.len().saturating_sub(1 + back);
        versions
            .get(place)
            .cloned()
            .unwrap_or_else(|| sample::job(u64::from(number)))
    }

    /// The changes that are decided on what is known, one batch.
    pub(super) fn decide(&self, decisions: &[Decision], now: Timestamp) -> Vec<Change> {
        let mut expected: BTreeMap<u8, Job> = BTreeMap::new();
        let mut changes = Vec::new();
        for decision in decisions {
            let planned = expected
                .get(&decision.job)
                .filter(|_| decision.seen == Seen::Expected);
            let job = planned
                .cloned()
                .unwrap_or_else(|| self.version(decision.job, decision.seen));
            let Some(mut change) = change(&job, decision.does, now) else {
                continue;
            };
            change.then = decision.then.iter().map(|then| row(then, now)).collect();
            if let Some(status) = change.becomes.clone() {
                let body = change.body.clone().unwrap_or(job.body);
                expected.insert(decision.job, Job { body, status });
            }
            changes.push(change);
        }
        changes
    }
}

fn change(job: &Job, does: Does, now: Timestamp) -> Option<Change> {
    let to = |status| Change::to(job, status);
    let change = match does {
        Does::Succeed => to(success(job, now).status),
        Does::Fail => to(failure(job, now).status),
        Does::Cancel => to(cancelled(job, now).status),
        Does::Wait(length) => to(again(job, now + millis(length), now).status),
        Does::Edit {
            queue: to_queue,
            priority,
        } => {
            let edited = job.clone().queue(&queue(to_queue)).priority(priority);
            let status = again(job, job.status.due, now).status;
            Change {
                body: Some(edited.body),
                ..to(status)
            }
        }
        Does::Key(number) => to(job
            .clone()
            .status(|status| status.unique_key = number.map(key))
            .status),
        Does::Delete => Change::delete(job),
        Does::Nonsense => Change {
            becomes: Some(job.status.clone()),
            ..Change::delete(job)
        },
        Does::Rule { event, gone } => return rule::change(job, event, gone, now),
    };
    Some(change)
}

fn success(job: &Job, now: Timestamp) -> Job {
    job.clone().ended(State::Succeeded, now).status(|status| {
        status.result = Some(Bytes::from_static(b"[\"done\"]"));
        status.unique_key = None;
        status.key_until = None;
    })
}

fn failure(job: &Job, now: Timestamp) -> Job {
    job.clone().ended(State::Failed, now).status(|status| {
        status.failure = Some(Failure {
            reason: FailureReason::Exhausted,
            message: "no 'luck'".to_owned(),
        });
    })
}

fn cancelled(job: &Job, now: Timestamp) -> Job {
    let noted = job
        .clone()
        .status(|status| status.cancel = Some("enough".to_owned()));
    match job.status.state {
        State::Running => noted,
        _ => noted.ended(State::Cancelled, now),
    }
}

/// The job waits once more.
fn again(job: &Job, due: Timestamp, now: Timestamp) -> Job {
    job.clone().status(|status| {
        if let Some(started_at) = status.started_at.filter(|_| status.state == State::Running) {
            status.history.push(Attempt {
                number: status.attempt,
                life: status.life,
                run: status.run,
                worker: status.worker.clone(),
                started_at,
                ended_at: now,
                outcome: AttemptOutcome::TimedOut,
                error: Some("it took too long".to_owned()),
            });
        }
        let surplus = status.history.len().saturating_sub(VERSIONS);
        status.history.drain(..surplus);
        status.state = State::Waiting;
        status.due = due;
        status.alarm = None;
        status.ended_at = None;
        status.cancel = None;
        status.result = None;
        status.failure = None;
    })
}

pub(super) fn settings(of: Settings) -> QueueSettings {
    let rate = |n: u8, burst: u8| {
        Some(Rate {
            n: u32::from(n.max(1)),
            per: seconds(1),
            burst: u32::from(burst.max(1)),
        })
    };
    let (paused, max_running, rate) = match of {
        Settings::Open => (None, None, None),
        Settings::Paused => (Some(String::new()), None, None),
        Settings::Running(count) => (None, Some(u32::from(count)), None),
        Settings::Rate(n, burst) => (None, None, rate(n, burst)),
        Settings::RunningAndRate(count, n) => (None, Some(u32::from(count)), rate(n, n)),
    };
    QueueSettings {
        paused,
        max_running,
        rate,
        ..QueueSettings::default()
    }
}
