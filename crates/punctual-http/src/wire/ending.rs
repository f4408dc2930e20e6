//! What a job came to, and its attempts on the way.

use bytes::Bytes;
use punctual::job::{self, State};
use punctual::{Error, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::At;
use super::job::Failure;
use super::json::{Blob, from_base64};

/// The answer to `GET /v1/jobs/{id}/result`. `state` tells which of the others is set: `result` (or `result_base64`) of a job
/// that succeeded, `failure` of one that failed, `cancel` of one that was cancelled. `waiting` and `running` are pending.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ending {
    /// The job.
    pub id: String,
    /// Its stored state.
    pub state: String,
    /// Its state as people see it.
    pub phase: String,
    /// What the handler returned.
    pub result: Option<Box<RawValue>>,
    /// In place of `result`: bytes that are no JSON, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_base64: Option<String>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// Why it was cancelled, or is to be (which may be empty).
    pub cancel: Option<String>,
}

/// One execution of a job. The one that runs has neither end nor outcome.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Attempt {
    /// Which attempt of its life it was; a run that gave its attempt back shares its number with the next one.
    pub number: u32,
    /// Which life of the job.
    pub life: u32,
    /// The run.
    pub run: u64,
    /// Who ran it.
    pub worker: Option<String>,
    /// When it began.
    pub started_at: At,
    /// When it was settled, or found lost.
    pub ended_at: Option<At>,
    /// `succeeded`, `failed`, `timed_out`, `panicked`, `lost`, `interrupted`, `released`, `snoozed` or `cancelled`.
    pub outcome: Option<String>,
    /// What went wrong.
    pub error: Option<String>,
}

impl Ending {
    /// What the row says of its end at `now`.
    pub fn of(row: &job::Job, now: Timestamp) -> Ending {
        let status = &row.status;
        let result = Blob::of_option(status.result.as_ref());
        Ending {
            id: row.id().to_string(),
            state: status.state.to_string(),
            phase: row.phase(now).to_string(),
            result: result.json,
            result_base64: result.base64,
            failure: status.failure.as_ref().map(Failure::of),
            cancel: status.cancel.clone(),
        }
    }

    /// The bytes of a result that is no JSON. `Invalid` if they are not base64, which no server sends.
    pub fn result_bytes(&self) -> Option<Result<Bytes, Error>> {
        let text = self.result_base64.as_deref()?;
        Some(from_base64(text).map_err(Error::invalid))
    }

    /// Whether the job has not ended.
    pub fn is_pending(&self) -> bool {
        let ended = |state: &State| state.is_ended() && state.as_str() == self.state;
        !State::ALL.iter().any(ended)
    }
}

impl Attempt {
    /// The attempts that the row remembers, oldest first, the one that runs last.
    pub fn all_of(row: &job::Job) -> Vec<Attempt> {
        let mut attempts = Attempt::ended_of(row);
        attempts.extend(Attempt::running(row));
        attempts
    }

    /// Those of them that have ended.
    pub(super) fn ended_of(row: &job::Job) -> Vec<Attempt> {
        let ended = row.status.history.iter().map(|attempt| Attempt {
            number: attempt.number,
            life: attempt.life,
            run: attempt.run,
            worker: attempt.worker.as_ref().map(ToString::to_string),
            started_at: At(attempt.started_at),
            ended_at: Some(At(attempt.ended_at)),
            outcome: Some(attempt.outcome.as_str().to_owned()),
            error: attempt.error.clone(),
        });
        ended.collect()
    }

    fn running(row: &job::Job) -> Option<Attempt> {
        let status = &row.status;
        let started_at = status.started_at.filter(|_| status.state == State::Running)?;
        Some(Attempt {
            number: status.attempt,
            life: status.life,
            run: status.run,
            worker: status.worker.as_ref().map(ToString::to_string),
            started_at: At(started_at),
            ended_at: None,
            outcome: None,
            error: None,
        })
    }
}
