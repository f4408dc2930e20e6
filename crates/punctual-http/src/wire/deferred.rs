//! What whoever a run was deferred to tells of it.

use std::time::Duration;

use bytes::Bytes;
use punctual::{Error, Timestamp, run};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::faults::Faults;
use super::outcome::Outcome;
use super::read::{given, object};

/// The body of `POST /v1/runs/{token}`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettleDeferred {
    /// What became of the run; never `defer` or `release`, which are its worker's to say.
    #[serde(deserialize_with = "object")]
    pub outcome: Outcome,
}

/// The body of `POST /v1/runs/{token}/beat`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BeatDeferred {
    /// How long the run is held from now at least.
    pub lease: Option<String>,
    /// How far it has come: any JSON, up to 4 KiB.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub progress: Option<Box<RawValue>>,
}

/// The answer to either.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeferredVerdict {
    /// `settled`; or `held`, or `cancel` if the run is held and is to stop.
    pub verdict: String,
}

impl SettleDeferred {
    /// The outcome in the library's words, at `now`.
    pub fn read(self, now: Timestamp) -> Result<run::Outcome, Error> {
        let mut faults = Faults::default();
        for (pointer, given) in [
            ("/outcome/defer", self.outcome.defer.is_some()),
            ("/outcome/release", self.outcome.release.is_some()),
        ] {
            if given {
                faults.add(
                    pointer,
                    "only the worker of a run says so; to hold the run longer, beat",
                );
            }
        }
        let outcome = self.outcome.read("/outcome", now, &mut faults);
        let silent = || Error::invalid_field("/outcome", "it says nothing");
        faults.or(outcome)?.ok_or_else(silent)
    }
}

impl BeatDeferred {
    /// How long the run is to be held, and how far it has come.
    pub fn read(self) -> Result<(Duration, Option<Bytes>), Error> {
        let mut faults = Faults::default();
        let lease = faults.required("/lease", self.lease);
        let lease = faults.length("/lease", lease).unwrap_or_default();
        let progress = faults.progress("/progress", self.progress);
        faults.or((lease, progress))
    }
}
