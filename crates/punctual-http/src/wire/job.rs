//! A job on its way out.

use punctual::job::{self, Defaults, Origin};
use punctual::schedule::{ScheduleId, ScheduleName};
use punctual::{Error, Timestamp, engine};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::json::Blob;
use super::new_job::{Backoff, OnLost};
use super::{At, Length, secret};

/// A job in a list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Head {
    /// Its name, for ever: a UUID.
    pub id: String,
    /// `http`, `command` or the name of a handler.
    pub kind: String,
    /// The line it stands in.
    pub queue: String,
    /// Its stored state: `waiting`, `running`, `succeeded`, `failed` or `cancelled`.
    pub state: String,
    /// Its state as people see it: also `scheduled`, `ready`, `retrying` and `cancelling`.
    pub phase: String,
    /// 0 (first) to 9.
    pub priority: u8,
    /// For people and filters.
    pub tags: Vec<String>,
    /// The version of its row.
    pub rev: u64,
    /// Its last run; with the id, it names that run for ever. 0 before the first one.
    pub run: u64,
    /// Attempts of this life, the one that runs included.
    pub attempt: u32,
    /// When it was admitted.
    pub created_at: At,
    /// Not before this instant; for a job that runs or has ended, the due instant of its last run.
    pub run_at: At,
    /// When its last run began.
    pub started_at: Option<At>,
    /// When it ended.
    pub ended_at: Option<At>,
    /// Until when its worker has a right to the run.
    pub lease_until: Option<At>,
    /// Who runs it, or ran it last.
    pub worker: Option<String>,
    /// The unique key that it holds.
    pub unique: Option<Key>,
    /// Why it failed.
    pub failure: Option<Failure>,
}

/// A unique key and how long it is held at least.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Key {
    /// The key.
    pub key: String,
    /// Held until then, whatever becomes of the job; unset, while the job is live.
    pub until: Option<At>,
}

/// Why a job failed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Failure {
    /// For programs: `failed`, `exhausted`, `expired`, `lost` or `interrupted`.
    pub reason: String,
    /// For people.
    pub message: String,
}

/// The occurrence of a schedule that a job was made for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeFor {
    /// What people called the schedule then.
    pub name: String,
    /// The id of the schedule: a UUID.
    pub id: String,
    /// The instant; of a run that somebody asked for out of turn, when they did.
    pub nominal_at: At,
    /// Earlier instants, skipped as `misfire`, for which the job stands, too.
    pub missed: u64,
}

/// A whole job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// What a list shows of it.
    #[serde(flatten)]
    pub head: Head,
    /// What it was made for, if it was a schedule's.
    pub schedule: Option<MadeFor>,
    /// 1, and one more for every retry of the ended job.
    pub life: u32,
    /// Attempts before it fails.
    pub max_attempts: u32,
    /// The longest that one attempt may take.
    pub timeout: Length,
    /// The delays between attempts.
    pub backoff: Backoff,
    /// No further attempt begins this long after the first one began.
    pub max_elapsed: Option<Length>,
    /// If it has not started by then it fails as `expired`.
    pub start_deadline: Option<At>,
    /// What becomes of a run whose worker was lost.
    pub on_lost: OnLost,
    /// Why somebody asked for it to be cancelled (which may be empty).
    pub cancel: Option<String>,
    /// What the handler is given. In an `http` job, `authorization`, `proxy-authorization` and `cookie` headers read `"***"`:
    /// secrets are stored, and never told again.
    pub payload: Option<Box<RawValue>>,
    /// In place of `payload`: bytes that are no JSON, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_base64: Option<String>,
    /// What the run last said of its progress.
    pub progress: Option<Box<RawValue>>,
    /// What the handler returned.
    pub result: Option<Box<RawValue>>,
    /// In place of `result`: bytes that are no JSON, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_base64: Option<String>,
}

/// The answer to `POST /v1/jobs`.
#[derive(Clone, Debug, Serialize)]
pub struct Posted {
    /// Whether a live job held the unique key; then this is that job.
    pub deduplicated: bool,
    /// The job.
    #[serde(flatten)]
    pub job: Job,
}

/// Reads the same text twice, since serde's `flatten` cannot hand on raw JSON.
impl<'de> Deserialize<'de> for Posted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Posted, D::Error> {
        #[derive(Deserialize)]
        struct Beside {
            deduplicated: bool,
        }

        let text = Box::<RawValue>::deserialize(deserializer)?;
        let beside: Beside = serde_json::from_str(text.get()).map_err(D::Error::custom)?;
        let job = serde_json::from_str(text.get()).map_err(D::Error::custom)?;
        Ok(Posted {
            deduplicated: beside.deduplicated,
            job,
        })
    }
}

impl Head {
    /// The head in the wire's words.
    pub fn of(head: &engine::Head) -> Head {
        Head {
            id: head.id.to_string(),
            kind: head.kind.clone(),
            queue: head.queue.to_string(),
            state: head.state.to_string(),
            phase: head.phase.to_string(),
            priority: head.priority,
            tags: head.tags.clone(),
            rev: head.rev,
            run: head.run,
            attempt: head.attempt,
            created_at: At(head.created_at),
            run_at: At(head.due),
            started_at: head.started_at.map(At),
            ended_at: head.ended_at.map(At),
            lease_until: head.alarm.filter(|_| head.state == job::State::Running).map(At),
            worker: head.worker.as_ref().map(ToString::to_string),
            unique: head.unique_key.clone().map(|key| Key {
                key,
                until: head.key_until.map(At),
            }),
            failure: head.failure.as_ref().map(Failure::of),
        }
    }
}

impl MadeFor {
    /// The occurrence in the wire's words.
    fn of(origin: &Origin) -> MadeFor {
        MadeFor {
            name: origin.name.to_string(),
            id: origin.schedule.to_string(),
            nominal_at: At(origin.nominal_at),
            missed: origin.missed,
        }
    }

    /// The same in the library's words, for the worker that runs the job.
    pub(super) fn read(self) -> Result<Origin, Error> {
        let id = self.id.parse();
        Ok(Origin {
            schedule: ScheduleId(id.map_err(|_| Error::invalid("the id of a schedule is a UUID"))?),
            name: ScheduleName::from(self.name),
            nominal_at: self.nominal_at.0,
            missed: self.missed,
            // Whoever settles the row knows, which no worker does.
            pokes: false,
        })
    }
}

impl Failure {
    /// The failure in the wire's words.
    pub fn of(failure: &job::Failure) -> Failure {
        Failure {
            reason: failure.reason.as_str().to_owned(),
            message: failure.message.clone(),
        }
    }
}

impl Job {
    /// The row in the wire's words, as it looks at `now`, with `defaults` where its user set nothing.
    pub fn of(row: &job::Job, now: Timestamp, defaults: &Defaults) -> Job {
        let (body, status) = (&row.body, &row.status);
        let payload = secret::payload(&body.kind, &body.payload);
        let result = Blob::of_option(status.result.as_ref());
        Job {
            head: Head::of(&engine::Head::of(row, now)),
            schedule: body.origin.as_ref().map(MadeFor::of),
            life: status.life,
            max_attempts: defaults.max_attempts_of(body),
            timeout: Length(defaults.timeout_of(body)),
            backoff: Backoff::from(defaults.backoff_of(body)),
            max_elapsed: body.options.max_elapsed.map(Length),
            start_deadline: body.options.start_deadline.map(At),
            on_lost: body.options.on_lost.unwrap_or_default().into(),
            cancel: status.cancel.clone(),
            payload: payload.json,
            payload_base64: payload.base64,
            progress: Blob::of_option(status.progress.as_ref()).json,
            result: result.json,
            result_base64: result.base64,
        }
    }
}
