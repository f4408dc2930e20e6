//! A job on its way in.

use std::time::Duration;

use bytes::Bytes;
use punctual::Error;
use punctual::job::{self, Options};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::faults::Faults;
use super::read::{given, optional_object, optional_word, or_default, word};
use super::unique::Unique;

/// A job as somebody asks for it: the body of `POST /v1/jobs`. Texts that have a form of their own (ids, instants,
/// lengths) are read only by [`NewJob::read`], so that all that are wrong are told at once. A field that is null is as if it were
/// not there, but for the payload, which may be null.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NewJob {
    /// The id, if the caller chooses it: a UUID. Sending it again is the same job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `http`, `command` or the name of a handler.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// What the handler is given; unset, `null`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub payload: Option<Box<RawValue>>,
    /// In place of `payload`: bytes that are no JSON, in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload_base64: Option<String>,
    /// The queue; unset, `default`, or for a target's job the queue named after the target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// 0 (first) to 9.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<i64>,
    /// Not before this instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_at: Option<String>,
    /// Not before this long from now. Never with `run_at`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<String>,
    /// For people and filters.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub tags: Vec<String>,
    /// The longest that one attempt may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// Attempts before the job fails, the first one included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<i64>,
    /// The delays between attempts.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "optional_object")]
    pub backoff: Option<Backoff>,
    /// No further attempt begins this long after the first one began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_elapsed: Option<String>,
    /// A job not started by this instant fails as `expired`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_deadline: Option<String>,
    /// What becomes of a run whose worker was lost: `retry` or `fail`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "optional_word")]
    pub on_lost: Option<OnLost>,
    /// At most one live job holds a unique key; `true`: a hash of kind and payload.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unique: Option<Unique>,
}

/// What becomes of a run whose worker was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnLost {
    /// Another attempt.
    Retry,
    /// The job fails.
    Fail,
}

/// The delays between attempts. `exponential` takes `base`, `factor` and `max`; `fixed` takes `delay`; `list` takes `delays`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backoff {
    /// Which of the three.
    #[serde(rename = "type", deserialize_with = "word")]
    pub shape: Shape,
    /// The first delay, before jitter; unset, 1 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// Each delay is this many times the one before; unset, 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub factor: Option<f64>,
    /// No delay is longer; unset, 1 h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<String>,
    /// The one delay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<String>,
    /// The delays, one after the other; the last one repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delays: Option<Vec<String>>,
}

/// The three ways in which delays grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// `base · factor^(attempt − 1)`, at most `max`, with full jitter.
    Exponential,
    /// Always the same.
    Fixed,
    /// As listed.
    List,
}

/// The body of `POST /v1/jobs/{id}/cancel`, which may be left out.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cancel {
    /// Why, for people.
    #[serde(deserialize_with = "or_default")]
    pub reason: String,
}

/// The body of a request that needs none: nothing, or an object without fields.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Nothing {}

impl NewJob {
    /// The job in the library's words. Tells every text that has not its form, and what excludes each other; what the
    /// values may be is the rules' business.
    pub fn read(self) -> Result<job::NewJob, Error> {
        let mut faults = Faults::default();
        let payload = faults.payload(self.payload.as_deref(), self.payload_base64.as_deref());
        let kind = self.kind.unwrap_or_else(|| {
            faults.add("/kind", "it is missing: http, command or the name of a handler");
            String::new()
        });
        let payload = payload.unwrap_or(Bytes::from_static(b"null"));
        let mut new = job::NewJob::bytes(kind, payload);
        new.id = faults.parse("/id", self.id);
        new.queue = self.queue.map(Into::into);
        new.priority = faults.whole("/priority", self.priority, "0 (first) to 9");
        new.start = faults.start(self.run_at, self.delay).unwrap_or_default();
        new.tags = self.tags;
        new.options = Options {
            timeout: faults.length("/timeout", self.timeout),
            max_attempts: faults.whole("/max_attempts", self.max_attempts, "1 to 1000"),
            backoff: self.backoff.and_then(|backoff| faults.backoff(backoff)),
            max_elapsed: faults.length("/max_elapsed", self.max_elapsed),
            start_deadline: faults.parse("/start_deadline", self.start_deadline),
            on_lost: self.on_lost.map(Into::into),
        };
        new.unique = self.unique.map(|unique| faults.unique(unique));
        faults.or(new)
    }
}

impl From<OnLost> for job::OnLost {
    fn from(wire: OnLost) -> job::OnLost {
        match wire {
            OnLost::Retry => job::OnLost::Retry,
            OnLost::Fail => job::OnLost::Fail,
        }
    }
}

impl From<job::OnLost> for OnLost {
    fn from(word: job::OnLost) -> OnLost {
        match word {
            job::OnLost::Retry => OnLost::Retry,
            job::OnLost::Fail => OnLost::Fail,
        }
    }
}

impl From<&job::Backoff> for Backoff {
    fn from(word: &job::Backoff) -> Backoff {
        let text = |length: &Duration| punctual::time::format_length(*length);
        let mut wire = Backoff {
            shape: Shape::Fixed,
            base: None,
            factor: None,
            max: None,
            delay: None,
            delays: None,
        };
        match word {
            job::Backoff::Exponential { base, factor, max } => {
                wire.shape = Shape::Exponential;
                wire.base = Some(text(base));
                wire.factor = Some(*factor);
                wire.max = Some(text(max));
            }
            job::Backoff::Fixed(delay) => wire.delay = Some(text(delay)),
            job::Backoff::List(delays) => {
                wire.shape = Shape::List;
                wire.delays = Some(delays.iter().map(text).collect());
            }
        }
        wire
    }
}
