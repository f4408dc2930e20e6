//! What became of runs, as their workers tell it.

use bytes::Bytes;
use punctual::run::{self, Release, RetryCause, RunId, SettleVerdict};
use punctual::{Error, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::deferred::{Cancelled, Fail};
use super::faults::Faults;
use super::json::{Blob, from_base64, from_json};
use super::read::{object, objects, optional_word};
use super::worker::Verdict;

/// The body of `POST /v1/workers/settle`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settle {
    /// Who settles, by the name that it claimed with. It decides nothing: the id and the run say whose it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// What became of its runs, up to 1000 at once.
    #[serde(deserialize_with = "objects")]
    pub runs: Vec<Settlement>,
}

/// What became of one run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settlement {
    /// The job.
    pub id: Option<String>,
    /// The run.
    pub run: Option<u64>,
    /// What became of it.
    pub outcome: Option<Outcome>,
}

/// What became of a run: an object with one of these.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// Done, with this result: any JSON.
    Done(Box<RawValue>),
    /// Done, with a result that is no JSON, in base64.
    DoneBase64(String),
    /// It did not work this time.
    #[serde(deserialize_with = "object")]
    Retry(Retried),
    /// It will never work: no further attempt.
    #[serde(deserialize_with = "object")]
    Fail(Fail),
    /// Not now, but then; costs no attempt.
    #[serde(deserialize_with = "object")]
    Snooze(Snoozed),
    /// It has stopped since it was cancelled, or it cancels its job itself.
    #[serde(deserialize_with = "object")]
    Cancelled(Cancelled),
    /// The run goes on elsewhere, without its worker: whoever beats and settles it by its id and run.
    #[serde(deserialize_with = "object")]
    Defer(Deferred),
    /// Its worker puts it back.
    #[serde(deserialize_with = "object")]
    Release(PutBack),
}

/// An attempt that may be repeated.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retried {
    /// What went wrong.
    error: String,
    /// Again after this long; unset, after the job's backoff.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<String>,
    /// How it went wrong: `error` (unless it is set), `timeout` or `panic`.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "optional_word"
    )]
    cause: Option<Cause>,
}

/// A run that is put off.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Snoozed {
    /// Not before this instant,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    /// or not before this long from now.
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    length: Option<String>,
}

/// A run that goes on elsewhere.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deferred {
    /// Leased for this long.
    #[serde(rename = "for")]
    length: String,
}

/// A run that its worker puts back.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PutBack {
    /// Why; unset, `unstarted`.
    #[serde(deserialize_with = "optional_word")]
    reason: Option<Released>,
    /// For `unknown_kind`: again after this long, 10 s to 5 m.
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<String>,
}

/// How an attempt that may be repeated went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The work failed.
    Error,
    /// It took too long and was stopped.
    Timeout,
    /// The program broke.
    Panic,
}

/// Why a worker puts a job back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Released {
    /// It has not started.
    Unstarted,
    /// It had started, and its worker stops. Under `on_lost: fail` the job fails.
    Interrupted,
    /// The worker does not know its kind.
    UnknownKind,
}

/// The answer to a settle.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settled {
    /// For each run, in the order of the request.
    pub runs: Vec<Verdict>,
}

impl Settle {
    /// The settlements in the library's words, at `now`.
    pub fn read(self, now: Timestamp) -> Result<Vec<run::Settlement>, Error> {
        let mut faults = Faults::default();
        if self.worker.is_some() {
            faults.worker(self.worker);
        }
        faults.at_most("/runs", self.runs.len(), "runs");
        let runs = self.runs.into_iter().enumerate();
        let read: Vec<_> = runs
            .map(|(place, run)| run.read(&format!("/runs/{place}"), now, &mut faults))
            .collect();
        let read = read.into_iter().flatten().collect();
        faults.or(read)
    }
}

impl Settlement {
    /// The settlement in the wire's words.
    pub fn of(id: RunId, outcome: &run::Outcome) -> Settlement {
        Settlement {
            id: Some(id.job.to_string()),
            run: Some(id.run),
            outcome: Some(Outcome::of(outcome)),
        }
    }

    fn read(self, pointer: &str, now: Timestamp, faults: &mut Faults) -> Option<run::Settlement> {
        let id = faults.run(pointer, self.id, self.run);
        let pointer = format!("{pointer}/outcome");
        let outcome = faults.required(&pointer, self.outcome)?;
        Some(run::Settlement {
            id,
            outcome: outcome.read(&pointer, now, faults)?,
            claimed: None,
        })
    }
}

impl Settled {
    /// The answer in the wire's words, for these runs.
    pub fn of(runs: &[RunId], verdicts: &[SettleVerdict]) -> Settled {
        let word = |verdict: &SettleVerdict| match verdict {
            SettleVerdict::Settled => "settled",
            SettleVerdict::Stale => "stale",
            SettleVerdict::Refused => "refused",
        };
        let verdicts = runs.iter().zip(verdicts);
        Settled {
            runs: verdicts
                .map(|(run, verdict)| Verdict::of(*run, word(verdict)))
                .collect(),
        }
    }
}

impl Outcome {
    /// The outcome in the wire's words.
    fn of(outcome: &run::Outcome) -> Outcome {
        match outcome {
            run::Outcome::Done(result) => match Blob::of(result) {
                Blob { json: Some(json), .. } => Outcome::Done(json),
                Blob { base64, .. } => Outcome::DoneBase64(base64.unwrap_or_default()),
            },
            run::Outcome::Retry { error, after, cause } => Outcome::Retry(Retried {
                error: error.clone(),
                after: after.map(punctual::time::format_length),
                cause: Some(Cause::of(*cause)),
            }),
            run::Outcome::Fail { error } => Outcome::Fail(Fail { error: error.clone() }),
            run::Outcome::Snooze { until } => Outcome::Snooze(Snoozed {
                until: Some(until.to_string()),
                length: None,
            }),
            run::Outcome::Cancelled { reason } => Outcome::Cancelled(Cancelled {
                reason: reason.clone(),
            }),
            run::Outcome::Defer(length) => Outcome::Defer(Deferred {
                length: punctual::time::format_length(*length),
            }),
            run::Outcome::Release(release) => Outcome::released(*release),
        }
    }

    fn released(release: Release) -> Outcome {
        let (reason, after) = match release {
            Release::Unstarted => (Released::Unstarted, None),
            Release::Interrupted => (Released::Interrupted, None),
            Release::UnknownKind(after) => (Released::UnknownKind, Some(after)),
        };
        Outcome::Release(PutBack {
            reason: Some(reason),
            after: after.map(punctual::time::format_length),
        })
    }

    fn read(self, pointer: &str, now: Timestamp, faults: &mut Faults) -> Option<run::Outcome> {
        let at = |rest: &str| format!("{pointer}{rest}");
        Some(match self {
            Outcome::Done(json) => run::Outcome::Done(keep(faults, &at("/done"), from_json(&json))?),
            Outcome::DoneBase64(text) => {
                run::Outcome::Done(keep(faults, &at("/done_base64"), from_base64(&text))?)
            }
            Outcome::Retry(Retried { error, after, cause }) => run::Outcome::Retry {
                error,
                after: faults.length(&at("/retry/after"), after),
                cause: cause.map_or(RetryCause::Error, Cause::read),
            },
            Outcome::Fail(Fail { error }) => run::Outcome::Fail { error },
            Outcome::Snooze(Snoozed { until, length }) => {
                if until.is_some() == length.is_some() {
                    faults.add(
                        &at("/snooze"),
                        "write either until, an instant, or for, a length of time",
                    );
                }
                let until = faults.parse(&at("/snooze/until"), until);
                let length = faults.length(&at("/snooze/for"), length);
                let until = until.or(length.map(|length| now + length))?;
                run::Outcome::Snooze { until }
            }
            Outcome::Cancelled(Cancelled { reason }) => run::Outcome::Cancelled { reason },
            Outcome::Defer(Deferred { length }) => {
                run::Outcome::Defer(faults.length(&at("/defer/for"), Some(length))?)
            }
            Outcome::Release(PutBack { reason, after }) => {
                let after = faults.length(&at("/release/after"), after).unwrap_or_default();
                run::Outcome::Release(match reason.unwrap_or(Released::Unstarted) {
                    Released::Unstarted => Release::Unstarted,
                    Released::Interrupted => Release::Interrupted,
                    Released::UnknownKind => Release::UnknownKind(after),
                })
            }
        })
    }
}

fn keep(faults: &mut Faults, pointer: &str, read: Result<Bytes, String>) -> Option<Bytes> {
    faults.keep(pointer, read.map_err(Error::invalid))
}

impl Cause {
    fn of(cause: RetryCause) -> Cause {
        match cause {
            RetryCause::Error => Cause::Error,
            RetryCause::Timeout => Cause::Timeout,
            RetryCause::Panic => Cause::Panic,
        }
    }

    fn read(self) -> RetryCause {
        match self {
            Cause::Error => RetryCause::Error,
            Cause::Timeout => RetryCause::Timeout,
            Cause::Panic => RetryCause::Panic,
        }
    }
}
