//! A queue: what it is set to, and how many jobs it has.

use std::time::Duration;

use punctual::engine::{self, QueueView};
use punctual::job::State;
use punctual::{Error, queue};
use serde::{Deserialize, Serialize};

use super::faults::Faults;
use super::list::{read_cursor, view_of, write_cursor};
use super::read::{optional_object, or_default};
use super::{At, Length};
use crate::problem::Problem;

/// A queue. One that was never set and has no jobs looks like any other: no queue need be made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// The version of its settings: 0 where nothing was ever set.
    pub rev: u64,
    /// Set while it is paused: no run of its jobs begins.
    pub paused: Option<Paused>,
    /// How many of its jobs may run at once, on all workers together; `null`: any number.
    pub max_running: Option<u32>,
    /// How many of its jobs may start in a length of time; `null`: any number.
    pub rate: Option<Rate>,
    /// How long its ended jobs are kept; `null`: as the server is configured.
    pub retention: Option<Retention>,
    /// Its jobs by state.
    pub counts: Counts,
    /// How long the oldest ready job has been due; `null` if none is ready.
    pub oldest_ready: Option<Length>,
}

/// A pause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paused {
    /// Why; may be empty.
    pub reason: String,
    /// Since when, where that is known.
    pub since: Option<At>,
}

/// At most `n` starts per `per` on the long run, and at most `burst` at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// Starts.
    pub n: u32,
    /// In this length of time.
    pub per: Length,
    /// Starts that may be saved up.
    pub burst: u32,
}

/// How long ended jobs are kept. `0` deletes a job as it ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// Jobs that succeeded.
    pub succeeded: Length,
    /// Jobs that failed.
    pub failed: Length,
    /// Jobs that were cancelled.
    pub cancelled: Length,
}

/// How many jobs are in each stored state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each is named after its state")]
pub struct Counts {
    pub waiting: u64,
    pub running: u64,
    pub succeeded: u64,
    pub failed: u64,
    pub cancelled: u64,
}

/// The body of `PUT /v1/queues/{name}`: all that holds for the queue from now on, but for a pause, which stays as it is. What
/// is left out, or null, is not limited.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QueueLimits {
    /// How many of its jobs may run at once; 0: none begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_running: Option<i64>,
    /// How many of its jobs may start in a length of time.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "optional_object")]
    pub rate: Option<NewRate>,
    /// How long its ended jobs are kept.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "optional_object")]
    pub retention: Option<NewRetention>,
}

/// A rate on its way in.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NewRate {
    /// Starts; at least 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n: Option<i64>,
    /// In this length of time; at least `1ms`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per: Option<String>,
    /// Starts that may be saved up; unset, as many as `n`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst: Option<i64>,
}

/// A retention on its way in. What is left out is filled in as the server is configured.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NewRetention {
    /// Jobs that succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub succeeded: Option<String>,
    /// Jobs that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// Jobs that were cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancelled: Option<String>,
}

/// The body of `POST /v1/queues/{name}/pause`, which may be left out.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pause {
    /// Why, for people.
    #[serde(deserialize_with = "or_default")]
    pub reason: String,
}

/// The body of `POST /v1/queues/{name}/purge`, which may be left out.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Purge {
    /// Which jobs: `waiting` (unless it is set), `succeeded`, `failed` or `cancelled`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Only count them.
    #[serde(deserialize_with = "or_default")]
    pub dry_run: bool,
    /// Where the last answer said to go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// The answer to a purge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purged {
    /// Whether it only counted.
    pub dry_run: bool,
    /// Jobs of that state.
    pub matched: u64,
    /// Those of them that were deleted. What moved on meanwhile was left alone.
    pub changed: u64,
    /// Send it as `cursor` to go on; `null` once all jobs were passed.
    pub next: Option<String>,
}

/// What a queue is to be limited to, in the library's words.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    max_running: Option<u32>,
    rate: Option<queue::Rate>,
    retention: Option<queue::Retention>,
}

impl Limits {
    /// Sets a queue to them; its pause stays as it is.
    pub fn put(&self, settings: &mut queue::QueueSettings) {
        settings.max_running = self.max_running;
        settings.rate = self.rate;
        settings.retention = self.retention;
    }
}

impl QueueLimits {
    /// The limits in the library's words, with every text and number that is wrong. `unset` fills in what a retention
    /// leaves out.
    pub fn read(self, unset: queue::Retention) -> Result<Limits, Error> {
        let mut faults = Faults::default();
        let limits = Limits {
            max_running: faults.whole("/max_running", self.max_running, "0 to 4294967295"),
            rate: self.rate.and_then(|rate| rate.read(&mut faults)),
            retention: self.retention.map(|retention| retention.read(unset, &mut faults)),
        };
        faults.or(limits)
    }
}

impl NewRate {
    fn read(self, faults: &mut Faults) -> Option<queue::Rate> {
        let n = faults.required("/rate/n", self.n);
        let n = at_least_one(faults, "/rate/n", n);
        let per = faults.required("/rate/per", self.per);
        let per = faults.length("/rate/per", per);
        let burst = at_least_one(faults, "/rate/burst", self.burst);
        if per.is_some_and(|per| per < Duration::from_millis(1)) {
            faults.add("/rate/per", "the shortest is 1ms");
        }
        let (n, per) = (n?, per?);
        let burst = burst.unwrap_or(n);
        Some(queue::Rate { n, per, burst })
    }
}

impl NewRetention {
    fn read(self, unset: queue::Retention, faults: &mut Faults) -> queue::Retention {
        let mut length = |pointer, text, unset| faults.length(pointer, text).unwrap_or(unset);
        queue::Retention {
            succeeded: length("/retention/succeeded", self.succeeded, unset.succeeded),
            failed: length("/retention/failed", self.failed, unset.failed),
            cancelled: length("/retention/cancelled", self.cancelled, unset.cancelled),
        }
    }
}

impl Queue {
    /// The queue in the wire's words.
    pub fn of(view: &QueueView) -> Queue {
        let (settings, counts) = (&view.settings, &view.counts);
        Queue {
            name: counts.queue.to_string(),
            rev: view.rev,
            paused: settings.paused.clone().map(|reason| Paused {
                reason,
                since: settings.paused_since.map(At),
            }),
            max_running: settings.max_running,
            rate: settings.rate.map(|rate| Rate {
                n: rate.n,
                per: Length(rate.per),
                burst: rate.burst,
            }),
            retention: settings.retention.map(|kept| Retention {
                succeeded: Length(kept.succeeded),
                failed: Length(kept.failed),
                cancelled: Length(kept.cancelled),
            }),
            counts: Counts {
                waiting: counts.jobs[State::Waiting as usize],
                running: counts.jobs[State::Running as usize],
                succeeded: counts.jobs[State::Succeeded as usize],
                failed: counts.jobs[State::Failed as usize],
                cancelled: counts.jobs[State::Cancelled as usize],
            },
            oldest_ready: counts.oldest_ready.map(Length),
        }
    }
}

impl Purge {
    /// The order in the library's words.
    pub fn read(self) -> Result<engine::Purge, Problem> {
        let state = match self.state.as_deref() {
            None => State::Waiting,
            Some(text) => purgeable(text)?,
        };
        let after = self.cursor.map(|text| read_cursor(&text, view_of(state)));
        Ok(engine::Purge {
            state,
            dry_run: self.dry_run,
            after: after.transpose().map_err(|problem| problem.within(""))?,
        })
    }
}

impl Purged {
    /// What `purge` came to, in the wire's words.
    pub fn of(done: engine::Purged, purge: &engine::Purge) -> Purged {
        Purged {
            dry_run: purge.dry_run,
            matched: done.matched,
            changed: done.changed,
            next: done.next.map(|cursor| write_cursor(cursor, view_of(purge.state))),
        }
    }
}

fn at_least_one(faults: &mut Faults, pointer: &str, number: Option<i64>) -> Option<u32> {
    let accepted = "1 to 4294967295; to start none, pause the queue";
    let read = faults.whole(pointer, number, accepted)?;
    if read == 0 {
        faults.add(pointer, format!("0 is out of range; write {accepted}"));
    }
    Some(read)
}

fn purgeable(text: &str) -> Result<State, Error> {
    let state = State::ALL.into_iter().find(|state| state.as_str() == text);
    state.ok_or_else(|| {
        let accepted = "write waiting, succeeded, failed or cancelled";
        Error::invalid_field("/state", accepted)
    })
}
