//! Beat and workers: who lives, and which runs they still hold.

use std::time::Duration;

use rusqlite::{Connection, params};

use super::fault::Fault;
use super::row::Columns;
use super::writing::{Writing, all, first};
use crate::limits;
use crate::queue::QueueName;
use crate::run::{Beat, BeatRun, BeatVerdict, Beaten, WorkerId, WorkerInfo, WorkerSeen};
use crate::store::codec;
use crate::time::{Timestamp, micros};

pub(super) fn beat(writing: &mut Writing<'_>, beat: &Beat, now: Timestamp) -> Result<Beaten, Fault> {
    note_worker(writing, beat, now)?;
    let alarm = now + beat.lease;
    let verdicts = beat.runs.iter().map(|run| beat_run(writing, run, alarm));
    Ok(Beaten {
        verdicts: verdicts.collect::<Result<_, _>>()?,
        now,
    })
}

/// The workers that have beaten lately, by their names.
pub(super) fn workers(connection: &Connection, now: Timestamp) -> Result<Vec<WorkerSeen>, Fault> {
    let since = now - limits::WORKER_FORGOTTEN;
    all(
        connection,
        include_str!("workers.sql"),
        params![since.as_micros()],
        |row| {
            let column = Columns { row, first: 0 };
            let queues = codec::read_texts(column.text_if_any(3)?)?;
            let worker = WorkerInfo {
                id: WorkerId::from(column.text(0)?),
                host: row.get(1)?,
                pid: row.get(2)?,
                queues: queues.into_iter().map(QueueName::from).collect(),
                concurrency: row.get(4)?,
                running: row.get(5)?,
                started_at: column.instant(6)?,
                stopping: row.get(7)?,
            };
            Ok(WorkerSeen {
                worker,
                beat_at: column.instant(8)?,
                lease: Duration::from_micros(row.get::<_, i64>(9)?.unsigned_abs()),
            })
        },
    )
}

/// Keeps a worker's news, and drops workers that are forgotten so that no more are kept than were lately alive.
fn note_worker(writing: &Writing<'_>, beat: &Beat, now: Timestamp) -> Result<(), Fault> {
    let worker = &beat.worker;
    if beat.stopped {
        writing.execute(include_str!("beat_leave.sql"), params![worker.id.as_str()])?;
        return Ok(());
    }
    let forgotten = now - limits::WORKER_FORGOTTEN;
    writing.execute(include_str!("beat_forget.sql"), params![forgotten.as_micros()])?;
    let queues: Vec<&str> = worker.queues.iter().map(QueueName::as_str).collect();
    writing.execute(
        include_str!("beat_worker.sql"),
        params![
            worker.id.as_str(),
            worker.host,
            worker.pid,
            codec::write_texts(&queues),
            worker.concurrency,
            worker.running,
            worker.started_at.as_micros(),
            worker.stopping,
            now.as_micros(),
            micros(beat.lease),
        ],
    )?;
    Ok(())
}

fn beat_run(writing: &Writing<'_>, run: &BeatRun, alarm: Timestamp) -> Result<BeatVerdict, Fault> {
    let cancelled = first(
        writing.connection(),
        include_str!("beat.sql"),
        params![
            run.id.job.0.as_bytes(),
            run.id.run.cast_signed(),
            alarm.as_micros(),
            run.progress.as_deref(),
        ],
        |row| Ok(row.get::<_, bool>(0)?),
    )?;
    Ok(match cancelled {
        None => BeatVerdict::Lost,
        Some(true) => BeatVerdict::Cancel,
        Some(false) => BeatVerdict::Held,
    })
}
