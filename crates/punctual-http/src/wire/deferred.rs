//! What whoever a run was deferred to tells of it.

use punctual::{Error, run};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::new_job::or_default;
use super::read::{object, optional_object};
use super::{At, Length, json};

/// What became of a run: exactly one of these fields.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeferredOutcome {
    /// Done, with this result.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub done: Option<Box<RawValue>>,
    /// It did not work this time.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "optional_object")]
    pub retry: Option<Retry>,
    /// It will never work.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "optional_object")]
    pub fail: Option<Fail>,
    /// Not now, but then; costs no attempt.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "optional_object")]
    pub snooze: Option<Snooze>,
    /// It has stopped since its job was cancelled, or it cancels its job itself.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "optional_object")]
    pub cancelled: Option<Cancelled>,
}

/// An attempt that may be repeated.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// What went wrong.
    pub error: String,
    /// The delay before the next attempt; unset, the job's backoff.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Length>,
}

/// The job's last attempt.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fail {
    /// What went wrong.
    pub error: String,
}

/// A run that is put off.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snooze {
    /// Not before this instant.
    pub until: At,
}

/// A run that was cancelled.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cancelled {
    /// Why; a cancel that somebody asked for has its own reason.
    #[serde(deserialize_with = "or_default")]
    pub reason: String,
}

impl DeferredOutcome {
    /// The outcome in the library's words; `at` is where it stands in the request.
    ///
    /// # Errors
    ///
    /// `Invalid` if it is not exactly one, or its result is JSON that not every reader can read.
    pub fn read(self, at: &str) -> Result<run::Outcome, Error> {
        let mut told = Vec::new();
        if let Some(result) = self.done {
            let result = json::from_json(&result);
            let result = result.map_err(|why| Error::invalid_field(format!("{at}/done"), why))?;
            told.push(run::Outcome::Done(result));
        }
        told.extend(self.retry.map(|retry| run::Outcome::Retry {
            error: retry.error,
            after: retry.after.map(|after| after.0),
            cause: run::RetryCause::Error,
        }));
        told.extend(self.fail.map(|fail| run::Outcome::Fail { error: fail.error }));
        told.extend(self.snooze.map(|snooze| run::Outcome::Snooze {
            until: snooze.until.0,
        }));
        told.extend(self.cancelled.map(|cancelled| run::Outcome::Cancelled {
            reason: cancelled.reason,
        }));
        match (told.pop(), told.is_empty()) {
            (Some(outcome), true) => Ok(outcome),
            _ => Err(Error::invalid_field(
                at,
                "it must have exactly one of done, retry, fail, snooze and cancelled",
            )),
        }
    }
}

/// The body of `POST /v1/runs/{token}`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettleDeferred {
    /// What became of the run.
    #[serde(deserialize_with = "object")]
    pub outcome: DeferredOutcome,
}

/// The body of `POST /v1/runs/{token}/beat`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BeatDeferred {
    /// How long the run is held from now at least.
    pub lease: Length,
    /// How far it has come: any JSON, up to 4 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Box<RawValue>>,
}

/// The answer to either.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeferredVerdict {
    /// `settled`; or `held`, or `cancel` if the run is held and is to stop.
    pub verdict: String,
}

/// Tells `"done": null`, which is a result, from none.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}
