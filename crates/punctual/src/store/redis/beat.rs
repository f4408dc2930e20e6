//! Beat and workers: who lives, and which runs they still hold.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::link::Link;
use super::order::read_instant;
use super::script::{Arguments, BEAT, WORKERS};
use super::{push_time, reply};
use crate::error::Error;
use crate::limits;
use crate::queue::QueueName;
use crate::run::{Beat, BeatRun, BeatVerdict, Beaten, WorkerId, WorkerInfo, WorkerSeen};
use crate::time::{Timestamp, micros};

pub(super) async fn beat(link: &Link, beat: &Beat) -> Result<Beaten, Error> {
    let mut verdicts = Vec::with_capacity(beat.runs.len());
    let mut now = beat.now;
    let mut notes_worker = true;
    let no_runs = beat.runs.is_empty().then_some(&beat.runs[..]);
    for runs in beat.runs.chunks(limits::SCRIPT_ITEMS).chain(no_runs) {
        let arguments = arguments(beat, now, notes_worker, runs);
        notes_worker = false;
        let [then, answers] = reply::parts(link.write(&BEAT, arguments).await?)?;
        now.get_or_insert(read_instant(reply::fixed(&reply::bytes(then)?)?));
        let answers = reply::as_many(reply::bytes(answers)?, runs.len())?;
        verdicts.extend(answers.into_iter().map(|answer| match answer {
            b'H' => BeatVerdict::Held,
            b'C' => BeatVerdict::Cancel,
            _ => BeatVerdict::Lost,
        }));
    }
    Ok(Beaten {
        verdicts,
        now: now.unwrap_or_default(),
    })
}

fn arguments(beat: &Beat, now: Option<Timestamp>, notes_worker: bool, runs: &[BeatRun]) -> Arguments {
    let mut arguments = Arguments::default();
    push_time(&mut arguments, now, beat.lease);
    arguments.number(micros(limits::WORKER_FORGOTTEN));
    match (notes_worker, beat.stopped) {
        (true, false) => arguments.bytes(beat.worker.id.as_str()).bytes(write_worker(beat)),
        (true, true) => arguments.bytes(beat.worker.id.as_str()).bytes(""),
        (false, _) => arguments.bytes("").bytes(""),
    };
    for run in runs {
        let progress = run
            .progress
            .as_ref()
            .map_or(Vec::new(), |it| [b"+", &it[..]].concat());
        arguments
            .bytes(run.id.job.0.as_bytes())
            .bytes(run.id.run.to_be_bytes())
            .bytes(progress);
    }
    arguments
}

/// The workers that have beaten lately, by their names.
pub(super) async fn workers(link: &Link) -> Result<Vec<WorkerSeen>, Error> {
    let mut arguments = Arguments::default();
    arguments.number(micros(limits::WORKER_FORGOTTEN));
    let rows = reply::array(link.read(&WORKERS, arguments).await?)?;
    let mut workers = Vec::new();
    let mut rows = rows.into_iter();
    while let (Some(name), Some(known), Some(beat)) = (rows.next(), rows.next(), rows.next()) {
        let name = String::from_utf8_lossy(&reply::bytes(name)?).into_owned();
        let beat_at = Timestamp::from_micros(reply::number(beat)?);
        match read_worker(&name, &reply::bytes_if_any(known)?.unwrap_or_default(), beat_at) {
            Ok(seen) => workers.push(seen),
            Err(error) => tracing::error!(worker = name, %error, "what is known of a worker cannot be read"),
        }
    }
    workers.sort_by(|one, other| one.worker.id.cmp(&other.worker.id));
    Ok(workers)
}

/// What is kept of a worker, as JSON.
#[derive(Serialize, Deserialize)]
struct Known {
    host: String,
    pid: u32,
    queues: Vec<String>,
    concurrency: u32,
    running: u32,
    started_at: i64,
    stopping: bool,
    lease_us: i64,
}

fn write_worker(beat: &Beat) -> Vec<u8> {
    let worker = &beat.worker;
    let known = Known {
        host: worker.host.clone(),
        pid: worker.pid,
        queues: worker
            .queues
            .iter()
            .map(|queue| queue.as_str().to_owned())
            .collect(),
        concurrency: worker.concurrency,
        running: worker.running,
        started_at: worker.started_at.as_micros(),
        stopping: worker.stopping,
        lease_us: micros(beat.lease),
    };
    serde_json::to_vec(&known).expect("texts and numbers always have a JSON form")
}

fn read_worker(name: &str, json: &[u8], beat_at: Timestamp) -> Result<WorkerSeen, serde_json::Error> {
    let known: Known = serde_json::from_slice(json)?;
    let worker = WorkerInfo {
        id: WorkerId::from(name),
        host: known.host,
        pid: known.pid,
        queues: known.queues.into_iter().map(QueueName::from).collect(),
        concurrency: known.concurrency,
        running: known.running,
        started_at: Timestamp::from_micros(known.started_at),
        stopping: known.stopping,
    };
    Ok(WorkerSeen {
        worker,
        beat_at,
        lease: Duration::from_micros(u64::try_from(known.lease_us).unwrap_or(0)),
    })
}
