//! A job in the hands of a worker: all that it takes to run it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use punctual::job::{self, Body, Defaults, Options, State, Status};
use punctual::run::{self, AttemptOutcome, WorkerId};
use punctual::{Error, Timestamp};
use serde::{Deserialize, Serialize};

use super::ending::Attempt;
use super::faults::Faults;
use super::job::MadeFor;
use super::json::{Blob, from_base64};
use super::{At, Job, Length};

/// The answer to `POST /v1/workers/claim`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Claimed {
    /// The jobs, now running under the claim's worker, in the order in which they are to start. Should an earlier answer have
    /// been lost, there may be runs among them that the worker holds already.
    pub runs: Vec<Run>,
    /// When fewer came than were wished for: the next instant at which one may start, as far as time alone tells.
    pub next_due: Option<At>,
    /// The store's time.
    pub now: At,
}

/// One claimed job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    /// The job, with its whole payload: nothing in it is masked. What its user left unset is filled in.
    pub job: Job,
    /// With the job's id, the name of this run for ever.
    pub run: u64,
    /// Which attempt of its life this is: 1 and up.
    pub attempt: u32,
    /// How long the worker has a right to it, counted from when it asked.
    pub lease: Length,
    /// With which whoever the run is deferred to prolongs and settles it, under `/v1/runs/{token}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The attempts before this one, oldest first.
    pub attempts: Vec<Attempt>,
}

impl Run {
    /// The row in the wire's words, for the worker that claimed it.
    pub fn of(
        row: &job::Job,
        now: Timestamp,
        defaults: &Defaults,
        lease: Duration,
        token: Option<String>,
    ) -> Run {
        let mut attempts = Attempt::all_of(row);
        attempts.retain(|attempt| attempt.ended_at.is_some());
        let payload = Blob::of(&row.body.payload);
        Run {
            job: Job {
                payload: payload.json,
                payload_base64: payload.base64,
                ..Job::of(row, now, defaults)
            },
            run: row.status.run,
            attempt: row.status.attempt,
            lease: Length(lease),
            token,
            attempts,
        }
    }

    /// The row, as far as a worker needs it: what its user left unset is set to what is in force at the server.
    ///
    /// # Errors
    ///
    /// `Invalid` if no server writes it so.
    pub fn read(self) -> Result<job::Job, Error> {
        let (head, mut faults) = (self.job.head, Faults::default());
        let payload = match (&self.job.payload, &self.job.payload_base64) {
            (Some(json), _) => Bytes::copy_from_slice(json.get().as_bytes()),
            (None, Some(text)) => from_base64(text).map_err(Error::invalid)?,
            (None, None) => Bytes::from_static(b"null"),
        };
        let backoff = faults.backoff(self.job.backoff);
        // What a newer server tells of an attempt is left out: a claim that cannot be read leaves all of its jobs lying.
        let history = self.attempts.into_iter().filter_map(Attempt::read).collect();
        faults.or(())?;
        let body = Body {
            id: head.id.parse()?,
            kind: head.kind,
            queue: head.queue.into(),
            priority: head.priority,
            created_at: head.created_at.0,
            payload,
            tags: head.tags,
            options: Options {
                timeout: Some(self.job.timeout.0),
                max_attempts: Some(self.job.max_attempts),
                backoff,
                max_elapsed: self.job.max_elapsed.map(|length| length.0),
                start_deadline: self.job.start_deadline.map(|at| at.0),
                on_lost: Some(self.job.on_lost.into()),
            },
            unique_key: head.unique.as_ref().map(|unique| unique.key.clone()),
            fingerprint: 0,
            origin: self.job.schedule.map(MadeFor::read).transpose()?,
        };
        let status = Status {
            state: State::Running,
            run: self.run,
            life: self.job.life,
            attempt: self.attempt,
            alarm: head.lease_until.map(|at| at.0),
            started_at: head.started_at.map(|at| at.0),
            worker: head.worker.map(WorkerId::from),
            key_until: head
                .unique
                .as_ref()
                .and_then(|unique| unique.until)
                .map(|at| at.0),
            unique_key: head.unique.map(|unique| unique.key),
            cancel: self.job.cancel,
            history,
            ..Status::waiting(head.rev, head.run_at.0)
        };
        Ok(job::Job {
            body: Arc::new(body),
            status,
        })
    }
}

impl Attempt {
    /// The attempt in the library's words; `None` if it has not ended, or in a way that is not known.
    fn read(self) -> Option<run::Attempt> {
        let word = self.outcome?;
        Some(run::Attempt {
            number: self.number,
            life: self.life,
            run: self.run,
            worker: self.worker.map(WorkerId::from),
            started_at: self.started_at.0,
            ended_at: self.ended_at?.0,
            outcome: AttemptOutcome::ALL
                .into_iter()
                .find(|outcome| outcome.as_str() == word)?,
            error: self.error,
        })
    }
}
