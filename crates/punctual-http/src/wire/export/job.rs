//! A whole job in an export: every field of its row.

use std::sync::Arc;

use bytes::Bytes;
use punctual::Error;
use punctual::engine::Moved;
use punctual::job::{self, Body, FailureReason, Options, State, Status};
use punctual::queue::QueueName;
use punctual::run::{self, AttemptOutcome, WorkerId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::super::ending::Attempt;
use super::super::faults::Faults;
use super::super::job::Failure;
use super::super::json::Blob;
use super::super::new_job::{Backoff, OnLost};
use super::super::read::given;
use super::super::{At, Length};
use super::blob;
use super::origin::KeptOrigin;
use super::output::KeptOutput;

/// A whole job.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptJob {
    /// Its name, for ever: a UUID.
    pub id: String,
    /// A hash of the job as it was first sent, in hexadecimal digits: another one under the same id is another job.
    pub fingerprint: String,
    /// `http`, `command` or the name of a handler.
    pub kind: String,
    /// The line it stands in.
    pub queue: String,
    /// 0 (first) to 9.
    pub priority: u8,
    /// When it was admitted.
    pub created_at: At,
    /// For people and filters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// What the handler is given, secrets and all.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub payload: Option<Box<RawValue>>,
    /// In place of `payload`: bytes that are no JSON on one line, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_base64: Option<String>,
    /// The longest that one attempt may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Length>,
    /// Attempts before it fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u32>,
    /// The delays between attempts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff: Option<Backoff>,
    /// No further attempt begins this long after the first one began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_elapsed: Option<Length>,
    /// If it has not started by then it fails as `expired`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_deadline: Option<At>,
    /// What becomes of a run whose worker was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_lost: Option<OnLost>,
    /// The unique key that each life of it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique_key: Option<String>,
    /// The schedule that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<KeptOrigin>,
    /// Its stored state.
    pub state: String,
    /// The version of its row.
    pub rev: u64,
    /// Its last run; 0 before the first one.
    pub run: u64,
    /// 1, and one more for every retry of the ended job.
    pub life: u32,
    /// Attempts of this life, the one that runs included.
    pub attempt: u32,
    /// Releases of this life that gave their attempt back.
    pub refunds: u32,
    /// Not before this instant; for a job that runs or has ended, the due instant of its last run.
    pub due: At,
    /// The end of a run's lease; for a waiting job, from when on no attempt may begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarm: Option<At>,
    /// When the first attempt of this life began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_started_at: Option<At>,
    /// When its last run began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<At>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<At>,
    /// Who runs it, or ran it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// The unique key that it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The key is held until then at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_until: Option<At>,
    /// Why somebody asked for it to be cancelled (which may be empty).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel: Option<String>,
    /// Whether the run goes on without a worker.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deferred: bool,
    /// The newest attempts that have ended, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Attempt>,
    /// What the handler returned.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub result: Option<Box<RawValue>>,
    /// In place of `result`: bytes that are no JSON on one line, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_base64: Option<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// What the run last said of its progress.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub progress: Option<Box<RawValue>>,
    /// In place of `progress`: bytes that are no JSON on one line, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress_base64: Option<String>,
    /// What its runs have put out, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub output: Vec<KeptOutput>,
}

impl KeptJob {
    /// The job in the words of an export.
    pub fn of(moved: &Moved) -> KeptJob {
        let (body, status) = (&moved.job.body, &moved.job.status);
        let options = &body.options;
        let exact =
            |bytes: &Option<Bytes>| bytes.as_ref().map(|bytes| Blob::exact(bytes)).unwrap_or_default();
        let payload = Blob::exact(&body.payload);
        let (result, progress) = (exact(&status.result), exact(&status.progress));
        KeptJob {
            id: body.id.to_string(),
            fingerprint: format!("{:032x}", body.fingerprint),
            kind: body.kind.clone(),
            queue: body.queue.to_string(),
            priority: body.priority,
            created_at: At(body.created_at),
            tags: body.tags.clone(),
            payload: payload.json,
            payload_base64: payload.base64,
            timeout: options.timeout.map(Length),
            max_attempts: options.max_attempts,
            backoff: options.backoff.as_ref().map(Backoff::from),
            max_elapsed: options.max_elapsed.map(Length),
            start_deadline: options.start_deadline.map(At),
            on_lost: options.on_lost.map(OnLost::from),
            unique_key: body.unique_key.clone(),
            origin: body.origin.as_ref().map(KeptOrigin::of),
            state: status.state.to_string(),
            rev: status.rev,
            run: status.run,
            life: status.life,
            attempt: status.attempt,
            refunds: status.refunds,
            due: At(status.due),
            alarm: status.alarm.map(At),
            first_started_at: status.first_started_at.map(At),
            started_at: status.started_at.map(At),
            ended_at: status.ended_at.map(At),
            worker: status.worker.as_ref().map(ToString::to_string),
            key: status.unique_key.clone(),
            key_until: status.key_until.map(At),
            cancel: status.cancel.clone(),
            deferred: status.deferred,
            history: Attempt::ended_of(&moved.job),
            result: result.json,
            result_base64: result.base64,
            failure: status.failure.as_ref().map(Failure::of),
            progress: progress.json,
            progress_base64: progress.base64,
            output: moved.output.iter().map(KeptOutput::of).collect(),
        }
    }

    /// The job and the output of its runs.
    ///
    /// # Errors
    ///
    /// `Invalid` with what is wrong, under the pointers of the job.
    pub fn read(mut self) -> Result<Moved, Error> {
        let mut faults = Faults::default();
        let faulty = &mut faults;
        let output = std::mem::take(&mut self.output).into_iter().enumerate();
        let output = output
            .map(|(n, kept)| kept.read(faulty, &format!("/output/{n}")))
            .collect();
        let status = self.read_status(faulty);
        let body = self.read_body(faulty);
        faults.or(())?;
        let job = body.zip(status).map(|(body, status)| job::Job {
            body: Arc::new(body),
            status,
        });
        let job = job.ok_or_else(|| Error::invalid("this is no job"))?;
        Ok(Moved { job, output })
    }

    fn read_body(self, faults: &mut Faults) -> Option<Body> {
        let payload = blob(
            faults,
            "/payload",
            self.payload.as_deref(),
            self.payload_base64.as_deref(),
        );
        let fingerprint = u128::from_str_radix(&self.fingerprint, 16);
        if fingerprint.is_err() {
            faults.add("/fingerprint", "write 32 hexadecimal digits");
        }
        Some(Body {
            id: faults.keep("/id", self.id.parse())?,
            kind: self.kind,
            queue: QueueName::from(self.queue),
            priority: self.priority,
            created_at: self.created_at.0,
            payload: payload.unwrap_or_default(),
            tags: self.tags,
            options: Options {
                timeout: self.timeout.map(|length| length.0),
                max_attempts: self.max_attempts,
                backoff: self.backoff.and_then(|backoff| faults.backoff(backoff)),
                max_elapsed: self.max_elapsed.map(|length| length.0),
                start_deadline: self.start_deadline.map(|at| at.0),
                on_lost: self.on_lost.map(Into::into),
            },
            unique_key: self.unique_key,
            fingerprint: fingerprint.ok()?,
            origin: match self.origin {
                Some(origin) => Some(faults.keep("/origin/schedule", origin.read())?),
                None => None,
            },
        })
    }

    fn read_status(&mut self, faults: &mut Faults) -> Option<Status> {
        let state = State::ALL.into_iter().find(|state| state.as_str() == self.state);
        if state.is_none() {
            let known = "waiting, running, succeeded, failed or cancelled";
            faults.add("/state", format!("there is no {:?}; write {known}", self.state));
        }
        let attempts = std::mem::take(&mut self.history).into_iter().enumerate();
        let history = attempts
            .filter_map(|(n, attempt)| read_attempt(attempt, faults, n))
            .collect();
        let failure = self
            .failure
            .take()
            .and_then(|failure| read_failure(failure, faults));
        let (result, progress) = (&self.result, &self.progress);
        let result = blob(
            faults,
            "/result",
            result.as_deref(),
            self.result_base64.as_deref(),
        );
        let progress = blob(
            faults,
            "/progress",
            progress.as_deref(),
            self.progress_base64.as_deref(),
        );
        Some(Status {
            state: state?,
            rev: self.rev,
            run: self.run,
            life: self.life,
            attempt: self.attempt,
            refunds: self.refunds,
            due: self.due.0,
            alarm: self.alarm.map(|at| at.0),
            first_started_at: self.first_started_at.map(|at| at.0),
            started_at: self.started_at.map(|at| at.0),
            ended_at: self.ended_at.map(|at| at.0),
            worker: self.worker.take().map(WorkerId::from),
            unique_key: self.key.take(),
            key_until: self.key_until.map(|at| at.0),
            cancel: self.cancel.take(),
            deferred: self.deferred,
            history,
            result,
            failure,
            progress,
        })
    }
}

fn read_attempt(attempt: Attempt, faults: &mut Faults, n: usize) -> Option<run::Attempt> {
    let name = attempt.outcome.unwrap_or_default();
    let outcome = AttemptOutcome::ALL
        .into_iter()
        .find(|outcome| outcome.as_str() == name);
    if outcome.is_none() {
        faults.add(
            &format!("/history/{n}/outcome"),
            format!("no attempt ends as {name:?} in this version"),
        );
    }
    let ended_at = faults.required(&format!("/history/{n}/ended_at"), attempt.ended_at);
    Some(run::Attempt {
        number: attempt.number,
        life: attempt.life,
        run: attempt.run,
        worker: attempt.worker.map(WorkerId::from),
        started_at: attempt.started_at.0,
        ended_at: ended_at?.0,
        outcome: outcome?,
        error: attempt.error,
    })
}

fn read_failure(failure: Failure, faults: &mut Faults) -> Option<job::Failure> {
    let reason = FailureReason::ALL
        .into_iter()
        .find(|reason| reason.as_str() == failure.reason);
    if reason.is_none() {
        let story = format!("no job fails as {:?} in this version", failure.reason);
        faults.add("/failure/reason", story);
    }
    Some(job::Failure {
        reason: reason?,
        message: failure.message,
    })
}
