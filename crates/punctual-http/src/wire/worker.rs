//! What a worker asks, whatever language it is written in: for jobs, and to keep them.

use std::time::Duration;

use punctual::limits as library;
use punctual::queue::QueueName;
use punctual::run::{self, BeatVerdict, ClaimFrom, RunId, SettleVerdict, WorkerId, WorkerInfo, WorkerSeen};
use punctual::time::format_length;
use punctual::{Error, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::faults::Faults;
use super::fields::{At, Length};
use super::json::Blob;
use super::read::{given, objects, or_default};
use crate::limits::{CLAIM_RUNS, CLAIM_WAIT_MAX, LEASE_MAX};

/// The body of `POST /v1/workers/claim`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Claim {
    /// Who asks: a name that no other start of a worker has, 1 to 128 bytes.
    pub worker: Option<String>,
    /// Where to look, in this order; unset, in `default`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queues: Option<Vec<String>>,
    /// At most so many jobs, 1 to 100; unset, 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<i64>,
    /// How long to wait for a job while there is none, at most `1m`; unset, not at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait: Option<String>,
    /// How long each job is leased, `1s` to `1h`; unset, `30s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease: Option<String>,
}

/// The body of `POST /v1/workers/beat`. What is unset of the worker is not told to those who list workers.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Beat {
    /// Who beats, by the name that it claimed with.
    pub worker: Option<String>,
    /// Its runs, up to 1000, each once; more go into another beat.
    #[serde(deserialize_with = "objects")]
    pub runs: Vec<BeatRun>,
    /// How long they are leased from now on, `1s` to `1h`; unset, `30s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease: Option<String>,
    /// The machine it runs on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Its process there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<i64>,
    /// The queues that it serves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queues: Option<Vec<String>>,
    /// How many jobs it runs at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<i64>,
    /// How many it holds; unset, as many as beat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub running: Option<i64>,
    /// When it started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// Whether it is stopping and takes no more.
    #[serde(deserialize_with = "or_default")]
    pub stopping: bool,
    /// Whether it has stopped: its last beat, after which it is forgotten.
    #[serde(deserialize_with = "or_default")]
    pub stopped: bool,
}

/// One run in a beat.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BeatRun {
    /// The job.
    pub id: Option<String>,
    /// The run.
    pub run: Option<u64>,
    /// What it says of its progress, if that is news: any JSON, up to 4 KiB.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub progress: Option<Box<RawValue>>,
}

/// The answer to a beat.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Beaten {
    /// For each run of the beat, in its order.
    pub runs: Vec<Verdict>,
    /// The store's time.
    pub now: At,
}

/// What a beat, or a settle, found of one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The job.
    pub id: String,
    /// The run.
    pub run: u64,
    /// Of a beat: `held`; `cancel`, held too but to be stopped; `lost`, another's by now. Of a settle: `settled`; `stale`,
    /// which changed nothing, since the run is no longer the worker's; `refused`, which the store cannot take.
    pub verdict: String,
}

/// A worker as the others see it. What it did not tell is `null`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Worker {
    /// Its name.
    pub worker: String,
    /// The machine it runs on.
    pub host: Option<String>,
    /// Its process there.
    pub pid: Option<u32>,
    /// The queues it serves.
    pub queues: Vec<String>,
    /// How many jobs it runs at once.
    pub concurrency: Option<u32>,
    /// How many it holds, by the rows of the jobs; those included that it was given ahead.
    pub running: u32,
    /// When it started.
    pub started_at: Option<At>,
    /// `working`; `stopping`, when it takes no more; `silent`, when it has not beaten for as long as its lease.
    pub state: String,
    /// Its last beat.
    pub beat_at: At,
    /// How long that leased its runs.
    pub lease: Length,
    /// Whether it is stopping and takes no more.
    pub stopping: bool,
}

impl Claim {
    /// The claim in the library's words, and how long to wait.
    pub fn read(self) -> Result<(run::Claim, Duration), Error> {
        let mut faults = Faults::default();
        let worker = faults.worker(self.worker);
        let queues = self
            .queues
            .map_or_else(|| vec![QueueName::default()], |names| faults.queues(names));
        let max: Option<usize> = faults.whole("/max", self.max, &format!("1 to {CLAIM_RUNS}"));
        let max = max.unwrap_or(1);
        if !(1..=CLAIM_RUNS).contains(&max) {
            faults.add("/max", format!("{max} is out of range; write 1 to {CLAIM_RUNS}"));
        }
        let wait = faults.length("/wait", self.wait).unwrap_or_default();
        if wait > CLAIM_WAIT_MAX {
            let longest = format_length(CLAIM_WAIT_MAX);
            faults.add("/wait", format!("the longest is {longest}; then ask again"));
        }
        let claim = run::Claim {
            worker,
            from: ClaimFrom::Queues(queues),
            max,
            lease: faults.lease(self.lease),
            now: None,
        };
        faults.or((claim, wait))
    }
}

impl Beat {
    /// The beat in the library's words.
    pub fn read(self) -> Result<run::Beat, Error> {
        let mut faults = Faults::default();
        let id = faults.worker(self.worker);
        fit_in_one_flush(&self.runs)?;
        let runs: Vec<run::BeatRun> = self
            .runs
            .into_iter()
            .enumerate()
            .map(|(place, run)| run.read(place, &mut faults))
            .collect();
        let count = u32::try_from(runs.len()).unwrap_or(u32::MAX);
        let host = self.host.unwrap_or_default();
        if host.len() > library::HOST_BYTES {
            faults.add("/host", format!("it has at most {} bytes", library::HOST_BYTES));
        }
        let accepted = "0 to 4294967295";
        let worker = WorkerInfo {
            id,
            host,
            pid: faults.whole("/pid", self.pid, accepted).unwrap_or(0),
            queues: self.queues.map_or_else(Vec::new, |names| faults.queues(names)),
            concurrency: faults
                .whole("/concurrency", self.concurrency, accepted)
                .unwrap_or(0),
            running: faults.whole("/running", self.running, accepted).unwrap_or(count),
            started_at: faults.parse("/started_at", self.started_at).unwrap_or(UNTOLD),
            stopping: self.stopping,
        };
        let beat = run::Beat {
            worker,
            runs,
            lease: faults.lease(self.lease),
            stopped: self.stopped,
            now: None,
        };
        faults.or(beat)
    }
}

/// The start of a worker that does not tell it.
const UNTOLD: Timestamp = Timestamp::EPOCH;

impl BeatRun {
    /// The run in the wire's words. Progress that a server would refuse, and the whole beat with it, is left out.
    pub fn of(run: &run::BeatRun) -> BeatRun {
        BeatRun {
            id: Some(run.id.job.to_string()),
            run: Some(run.id.run),
            progress: run
                .progress
                .as_deref()
                .and_then(|progress| Blob::for_request(progress).json),
        }
    }

    fn read(self, place: usize, faults: &mut Faults) -> run::BeatRun {
        let id = faults.run(&format!("/runs/{place}"), self.id, self.run);
        let progress = faults.progress(&format!("/runs/{place}/progress"), self.progress);
        run::BeatRun { id, progress }
    }
}

impl Beaten {
    /// The answer in the wire's words, for these runs.
    pub fn of(runs: &[RunId], beaten: &run::Beaten) -> Beaten {
        let verdicts = runs.iter().zip(&beaten.verdicts);
        let word = |verdict: &BeatVerdict| match verdict {
            BeatVerdict::Held => "held",
            BeatVerdict::Cancel => "cancel",
            BeatVerdict::Lost => "lost",
        };
        Beaten {
            runs: verdicts
                .map(|(run, verdict)| Verdict::of(*run, word(verdict)))
                .collect(),
            now: At(beaten.now),
        }
    }
}

impl Verdict {
    pub(super) fn of(id: RunId, word: &str) -> Verdict {
        Verdict {
            id: id.job.to_string(),
            run: id.run,
            verdict: word.to_owned(),
        }
    }

    /// The verdict of a beat in the library's words; `None` if no server gives it.
    pub fn of_beat(&self) -> Option<BeatVerdict> {
        Some(match self.verdict.as_str() {
            "held" => BeatVerdict::Held,
            "cancel" => BeatVerdict::Cancel,
            "lost" => BeatVerdict::Lost,
            _ => return None,
        })
    }

    /// The verdict of a settle in the library's words; `None` if no server gives it.
    pub fn of_settle(&self) -> Option<SettleVerdict> {
        Some(match self.verdict.as_str() {
            "settled" => SettleVerdict::Settled,
            "stale" => SettleVerdict::Stale,
            "refused" => SettleVerdict::Refused,
            _ => return None,
        })
    }
}

impl Worker {
    /// The worker in the wire's words, as it looks at `now`.
    pub fn of(seen: &WorkerSeen, now: Timestamp) -> Worker {
        let info = &seen.worker;
        Worker {
            worker: info.id.to_string(),
            host: Some(info.host.clone()).filter(|host| !host.is_empty()),
            pid: Some(info.pid).filter(|pid| *pid != 0),
            queues: info.queues.iter().map(ToString::to_string).collect(),
            concurrency: Some(info.concurrency).filter(|slots| *slots != 0),
            running: info.running,
            started_at: Some(At(info.started_at)).filter(|at| at.0 != UNTOLD),
            state: seen.state(now).as_str().to_owned(),
            beat_at: At(seen.beat_at),
            lease: Length(seen.lease),
            stopping: info.stopping,
        }
    }
}

/// What the bodies of workers have in common.
impl Faults {
    pub(super) fn worker(&mut self, name: Option<String>) -> WorkerId {
        let name = self.required("/worker", name).unwrap_or_default();
        let right = (1..=library::NAME_BYTES).contains(&name.len()) && !name.chars().any(char::is_control);
        if !right && !self.has("/worker") {
            let most = library::NAME_BYTES;
            self.add(
                "/worker",
                format!("a worker's name has 1 to {most} bytes, and no control characters"),
            );
        }
        WorkerId::from(name)
    }

    fn queues(&mut self, names: Vec<String>) -> Vec<QueueName> {
        let (count, most) = (names.len(), library::CLAIM_QUEUES);
        if !(1..=most).contains(&count) {
            self.add("/queues", format!("name 1 to {most} queues; here are {count}"));
            return Vec::new();
        }
        let queues: Vec<QueueName> = names.into_iter().map(QueueName::from).collect();
        for (place, queue) in queues.iter().enumerate() {
            let pointer = format!("/queues/{place}");
            self.keep(&pointer, queue.check());
            if queues[..place].contains(queue) {
                self.add(&pointer, "it is named twice");
            }
        }
        queues
    }

    fn lease(&mut self, text: Option<String>) -> Duration {
        let lease = self.length("/lease", text).unwrap_or(library::LEASE);
        if !(library::LEASE_MIN..=LEASE_MAX).contains(&lease) {
            let (least, most) = (format_length(library::LEASE_MIN), format_length(LEASE_MAX));
            self.add("/lease", format!("a lease lasts {least} to {most}"));
        }
        lease
    }

    pub(super) fn run(&mut self, pointer: &str, id: Option<String>, run: Option<u64>) -> RunId {
        let id = self.required(&format!("{pointer}/id"), id);
        let job = self.parse(&format!("{pointer}/id"), id);
        let run = self.required(&format!("{pointer}/run"), run);
        RunId {
            job: job.unwrap_or_else(|| punctual::JobId::named("")),
            run: run.unwrap_or(0),
        }
    }
}

/// Whether these are no more runs than are beaten for, or settled, at once. If they are, nothing else is said of them.
pub(super) fn fit_in_one_flush<T>(runs: &[T]) -> Result<(), Error> {
    let most = library::FLUSH_ITEMS;
    match runs.len() > most {
        true => {
            let message = format!("at most {most} runs at once; send the others apart");
            Err(Error::invalid_field("/runs", message))
        }
        false => Ok(()),
    }
}
