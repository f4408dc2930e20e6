//! An edit of a job on its way in.

use punctual::Error;
use punctual::change::{Edit, OptionsEdit};
use punctual::limits::PRIORITY;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::faults::Faults;
use super::new_job::{Backoff, OnLost};
use super::read::{given, optional_object, optional_word};

/// The body of `PATCH /v1/jobs/{id}`. What is not there stays as it is. `null` gives a value up, so that it is as if the job had
/// never said; a payload may be null itself, and for `run_at` and `delay`, `null` changes nothing.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JobEdit {
    /// Not before this instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_at: Option<String>,
    /// Not before this long from now. Never with `run_at`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<String>,
    /// 0 (first) to 9.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub priority: Option<Option<i64>>,
    /// A whole payload in place of the old one.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub payload: Option<Box<RawValue>>,
    /// In place of `payload`: bytes that are no JSON, in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload_base64: Option<String>,
    /// Tags in place of the old ones.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub tags: Option<Option<Vec<String>>>,
    /// The longest that one attempt may take.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub timeout: Option<Option<String>>,
    /// Attempts before the job fails, the first one included.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub max_attempts: Option<Option<i64>>,
    /// The delays between attempts.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "backoff")]
    pub backoff: Option<Option<Backoff>>,
    /// No further attempt begins this long after the first one began.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub max_elapsed: Option<Option<String>>,
    /// A job not started by this instant fails as `expired`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub start_deadline: Option<Option<String>>,
    /// What becomes of a run whose worker was lost: `retry` or `fail`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "on_lost")]
    pub on_lost: Option<Option<OnLost>>,
}

impl JobEdit {
    /// The edit in the library's words. Tells every text that has not its form, and what excludes each other.
    pub fn read(self) -> Result<Edit, Error> {
        let mut faults = Faults::default();
        let edit = Edit {
            start: faults.start(self.run_at, self.delay),
            priority: self.priority.and_then(|priority| {
                let priority = priority.unwrap_or(i64::from(PRIORITY));
                faults.whole("/priority", Some(priority), "0 (first) to 9")
            }),
            payload: faults.payload(self.payload.as_deref(), self.payload_base64.as_deref()),
            tags: self.tags.map(Option::unwrap_or_default),
            options: OptionsEdit {
                timeout: self.timeout.map(|text| faults.length("/timeout", text)),
                max_attempts: self
                    .max_attempts
                    .map(|count| faults.whole("/max_attempts", count, "1 to 1000")),
                backoff: self
                    .backoff
                    .map(|backoff| backoff.and_then(|backoff| faults.backoff(backoff))),
                max_elapsed: self.max_elapsed.map(|text| faults.length("/max_elapsed", text)),
                start_deadline: self
                    .start_deadline
                    .map(|text| faults.parse("/start_deadline", text)),
                on_lost: self.on_lost.map(|on_lost| on_lost.map(Into::into)),
            },
        };
        faults.or(edit)
    }
}

fn backoff<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Backoff>>, D::Error> {
    optional_object(deserializer).map(Some)
}

fn on_lost<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<OnLost>>, D::Error> {
    optional_word(deserializer).map(Some)
}
