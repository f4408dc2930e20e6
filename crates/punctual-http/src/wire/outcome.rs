//! What became of a run, in the words of its worker, or of whoever the run was deferred to.

use bytes::Bytes;
use punctual::run::{self, Release, RetryCause};
use punctual::time::format_length;
use punctual::{Error, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::faults::Faults;
use super::json::{Blob, from_base64, from_json};
use super::read::{given, given_object, optional_word, or_default};

/// What became of a run: exactly one of these fields.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Outcome {
    /// Done, with this result: any JSON.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub done: Option<Box<RawValue>>,
    /// Done, with a result that is no JSON, in base64.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub done_base64: Option<String>,
    /// It did not work this time.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given_object")]
    pub retry: Option<Retry>,
    /// It will never work: no further attempt.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given_object")]
    pub fail: Option<Fail>,
    /// Not now, but then; costs no attempt.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given_object")]
    pub snooze: Option<Snooze>,
    /// It has stopped since its job was cancelled, or it cancels its job itself.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given_object")]
    pub cancelled: Option<Cancelled>,
    /// The run goes on elsewhere, without its worker: whoever has its token, or its id and run, beats and settles it.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given_object")]
    pub defer: Option<Defer>,
    /// Its worker puts it back.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given_object")]
    pub release: Option<PutBack>,
}

/// An attempt that may be repeated.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// What went wrong.
    pub error: String,
    /// Again after this long; unset, after the job's backoff.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// How it went wrong: `error` (unless it is set), `timeout` or `panic`.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "optional_word"
    )]
    pub cause: Option<Cause>,
}

/// The job's last attempt.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fail {
    /// What went wrong.
    pub error: String,
}

/// A run that is put off.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Snooze {
    /// Not before this instant,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// or not before this long from now.
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    pub length: Option<String>,
}

/// A run that was cancelled.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cancelled {
    /// Why; a cancel that somebody asked for has its own reason.
    #[serde(deserialize_with = "or_default")]
    pub reason: String,
}

/// A run that goes on elsewhere.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Defer {
    /// Leased for this long.
    #[serde(rename = "for")]
    pub length: String,
}

/// A run that its worker puts back.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PutBack {
    /// Why; unset, `unstarted`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "optional_word")]
    pub reason: Option<Released>,
    /// For `unknown_kind`: again after this long, 10 s to 5 m.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
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

impl Outcome {
    /// The outcome in the wire's words, such that a server reads it: lengths beyond what it takes are cut to that, as the
    /// engine would.
    pub(super) fn of(outcome: &run::Outcome) -> Outcome {
        let mut told = Outcome::default();
        match outcome {
            run::Outcome::Done(result) => {
                let result = Blob::for_request(result);
                (told.done, told.done_base64) = (result.json, result.base64);
            }
            run::Outcome::Retry { error, after, cause } => {
                told.retry = Some(Retry {
                    error: error.clone(),
                    after: after.map(length),
                    cause: Some(Cause::of(*cause)),
                });
            }
            run::Outcome::Fail { error } => told.fail = Some(Fail { error: error.clone() }),
            run::Outcome::Snooze { until } => {
                told.snooze = Some(Snooze {
                    until: Some(until.to_string()),
                    length: None,
                });
            }
            run::Outcome::Cancelled { reason } => {
                let reason = reason.clone();
                told.cancelled = Some(Cancelled { reason });
            }
            run::Outcome::Defer(lease) => {
                told.defer = Some(Defer {
                    length: length(*lease),
                });
            }
            run::Outcome::Release(release) => told.release = Some(PutBack::of(*release)),
        }
        told
    }

    /// The outcome in the library's words, at `now`; nothing, and at least one fault, if it is not exactly one.
    pub(super) fn read(self, pointer: &str, now: Timestamp, faults: &mut Faults) -> Option<run::Outcome> {
        let given = [
            self.done.is_some(),
            self.done_base64.is_some(),
            self.retry.is_some(),
            self.fail.is_some(),
            self.snooze.is_some(),
            self.cancelled.is_some(),
            self.defer.is_some(),
            self.release.is_some(),
        ];
        if given.into_iter().filter(|given| *given).count() != 1 {
            let accepted = "it must have exactly one of done, done_base64, retry, fail, snooze, cancelled, defer and release";
            faults.add(pointer, accepted);
            return None;
        }
        let at = |rest: &str| format!("{pointer}/{rest}");
        if let Some(json) = self.done {
            return result(faults, &at("done"), from_json(&json));
        }
        if let Some(text) = self.done_base64 {
            return result(faults, &at("done_base64"), from_base64(&text));
        }
        if let Some(Retry { error, after, cause }) = self.retry {
            return Some(run::Outcome::Retry {
                error,
                after: faults.length(&at("retry/after"), after),
                cause: cause.map_or(RetryCause::Error, Cause::read),
            });
        }
        if let Some(snooze) = self.snooze {
            let until = snooze.read(&at("snooze"), now, faults)?;
            return Some(run::Outcome::Snooze { until });
        }
        if let Some(Defer { length }) = self.defer {
            let lease = faults.length(&at("defer/for"), Some(length))?;
            return Some(run::Outcome::Defer(lease));
        }
        if let Some(release) = self.release {
            return Some(run::Outcome::Release(release.read(&at("release"), faults)));
        }
        let fail = self.fail.map(|fail| run::Outcome::Fail { error: fail.error });
        let cancelled = self.cancelled.map(|cancelled| run::Outcome::Cancelled {
            reason: cancelled.reason,
        });
        fail.or(cancelled)
    }
}

fn result(faults: &mut Faults, pointer: &str, read: Result<Bytes, String>) -> Option<run::Outcome> {
    faults
        .keep(pointer, read.map_err(Error::invalid))
        .map(run::Outcome::Done)
}

fn length(length: std::time::Duration) -> String {
    format_length(length.min(punctual::limits::LENGTH_MAX))
}

impl Snooze {
    fn read(self, pointer: &str, now: Timestamp, faults: &mut Faults) -> Option<Timestamp> {
        if self.until.is_some() == self.length.is_some() {
            let accepted = "write either until, an instant, or for, a length of time";
            faults.add(pointer, accepted);
        }
        let until = faults.parse(&format!("{pointer}/until"), self.until);
        let length = faults.length(&format!("{pointer}/for"), self.length);
        until.or(length.map(|length| now + length))
    }
}

impl PutBack {
    fn of(release: Release) -> PutBack {
        let (reason, after) = match release {
            Release::Unstarted => (Released::Unstarted, None),
            Release::Interrupted => (Released::Interrupted, None),
            Release::UnknownKind(after) => (Released::UnknownKind, Some(after)),
        };
        PutBack {
            reason: Some(reason),
            after: after.map(length),
        }
    }

    fn read(self, pointer: &str, faults: &mut Faults) -> Release {
        let after = faults.length(&format!("{pointer}/after"), self.after);
        match self.reason.unwrap_or(Released::Unstarted) {
            Released::Unstarted => Release::Unstarted,
            Released::Interrupted => Release::Interrupted,
            Released::UnknownKind => Release::UnknownKind(after.unwrap_or_default()),
        }
    }
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
