//! Beat and workers: who lives, and which runs they still hold.
//!
//! A row that somebody has locked for a moment is waited for. One that stays locked is most likely being settled within its
//! handler's own transaction: nobody else can take that run while the lock lasts, so it counts as held, though it is not
//! prolonged.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::fault::Fault;
use super::row::Columns;
use super::session::{Param, Session};
use crate::error::Error;
use crate::limits;
use crate::queue::QueueName;
use crate::run::{Beat, BeatRun, BeatVerdict, Beaten, RunId, WorkerId, WorkerInfo, WorkerSeen};
use crate::store::codec;
use crate::time::Timestamp;

pub(super) async fn beat(session: &Session, beat: &Beat) -> Result<Beaten, Fault> {
    let runs: Vec<&BeatRun> = beat.runs.iter().collect();
    let columns = Runs::of(&runs);
    let (now, lease) = (beat.now.map(Timestamp::as_micros), micros(beat.lease));
    let mut params = columns.params();
    params.extend([(&now as _, Type::INT8), (&lease as _, Type::INT8)]);
    let mut held = Held::read(&session.write(include_str!("beat.sql"), &params).await?)?;
    let locked: Vec<&BeatRun> = runs
        .iter()
        .filter(|run| held.is_locked(run.id))
        .copied()
        .collect();
    if !locked.is_empty() {
        wait_for(session, &locked, held.now + beat.lease, &mut held).await?;
    }
    match beat.stopped {
        true => forget_worker(session, &beat.worker).await?,
        false => note_worker(session, &beat.worker, beat.lease, held.now).await?,
    }
    let verdicts = runs.iter().map(|run| held.verdict(run.id));
    Ok(Beaten {
        verdicts: verdicts.collect(),
        now: held.now,
    })
}

/// The workers that have beaten lately, by their names.
pub(super) async fn workers(session: &Session) -> Result<Vec<WorkerSeen>, Fault> {
    let forgotten = micros(limits::WORKER_FORGOTTEN);
    let params: [Param<'_>; 1] = [(&forgotten, Type::INT8)];
    let rows = session.read(include_str!("workers.sql"), &params).await?;
    let read = |row| {
        let column = Columns::of(row);
        let queues = codec::read_texts(column.get(3)?)?;
        let worker = WorkerInfo {
            id: WorkerId::from(column.get::<&str>(0)?),
            host: column.get(1)?,
            pid: column.number::<i64, u32>(2)?,
            queues: queues.into_iter().map(QueueName::from).collect(),
            concurrency: column.number::<i64, u32>(4)?,
            running: column.number::<i64, u32>(5)?,
            started_at: column.instant(6)?,
            stopping: column.get(7)?,
        };
        Ok(WorkerSeen {
            worker,
            beat_at: column.instant(8)?,
            lease: Duration::from_micros(column.number::<i64, u64>(9)?),
        })
    };
    rows.iter().map(read).collect()
}

async fn forget_worker(session: &Session, worker: &WorkerInfo) -> Result<(), Fault> {
    let id = worker.id.as_str();
    let params: [Param<'_>; 1] = [(&id, Type::TEXT)];
    session.write(include_str!("beat_leave.sql"), &params).await?;
    Ok(())
}

async fn note_worker(
    session: &Session,
    worker: &WorkerInfo,
    lease: Duration,
    now: Timestamp,
) -> Result<(), Fault> {
    let queues: Vec<&str> = worker.queues.iter().map(QueueName::as_str).collect();
    let queues = codec::write_texts(&queues);
    let (id, pid) = (worker.id.as_str(), i64::from(worker.pid));
    let (concurrency, running) = (i64::from(worker.concurrency), i64::from(worker.running));
    let forgotten = (now - limits::WORKER_FORGOTTEN).as_micros();
    let (started, now) = (worker.started_at.as_micros(), now.as_micros());
    let lease = micros(lease);
    let params: [Param<'_>; 11] = [
        (&id, Type::TEXT),
        (&worker.host, Type::TEXT),
        (&pid, Type::INT8),
        (&queues, Type::TEXT),
        (&concurrency, Type::INT8),
        (&running, Type::INT8),
        (&started, Type::INT8),
        (&worker.stopping, Type::BOOL),
        (&now, Type::INT8),
        (&forgotten, Type::INT8),
        (&lease, Type::INT8),
    ];
    session.write(include_str!("beat_worker.sql"), &params).await?;
    Ok(())
}

/// Prolongs runs whose rows were locked, as soon as they are free.
async fn wait_for(
    session: &Session,
    locked: &[&BeatRun],
    leased_until: Timestamp,
    held: &mut Held,
) -> Result<(), Fault> {
    let columns = Runs::of(locked);
    let alarm = leased_until.as_micros();
    let mut params = columns.params();
    params.push((&alarm, Type::INT8));
    match session.write(include_str!("beat_locked.sql"), &params).await {
        Ok(rows) => {
            // What is not among them any more was settled or taken meanwhile.
            locked.iter().for_each(|run| held.forget(run.id));
            for row in &rows {
                let column = Columns::of(row);
                held.prolonged.insert(read_run(&column, 0)?, column.get(2)?);
            }
            Ok(())
        }
        Err(fault) if fault.is_locked() => Ok(()),
        Err(fault) => Err(fault),
    }
}

/// Runs column by column.
struct Runs<'a> {
    ids: Vec<Uuid>,
    numbers: Vec<i64>,
    progress: Vec<Option<&'a [u8]>>,
}

impl<'a> Runs<'a> {
    fn of(runs: &[&'a BeatRun]) -> Runs<'a> {
        Runs {
            ids: runs.iter().map(|run| run.id.job.0).collect(),
            numbers: runs.iter().map(|run| run.id.run.cast_signed()).collect(),
            progress: runs.iter().map(|run| run.progress.as_deref()).collect(),
        }
    }

    fn params(&self) -> Vec<Param<'_>> {
        vec![
            (&self.ids, Type::UUID_ARRAY),
            (&self.numbers, Type::INT8_ARRAY),
            (&self.progress, Type::BYTEA_ARRAY),
        ]
    }
}

/// The runs that are held, and whether each is to stop.
struct Held {
    now: Timestamp,
    there: BTreeMap<RunId, bool>,
    prolonged: BTreeMap<RunId, bool>,
}

impl Held {
    fn read(rows: &[Row]) -> Result<Held, Fault> {
        let mut held = Held {
            now: Timestamp::MIN,
            there: BTreeMap::new(),
            prolonged: BTreeMap::new(),
        };
        for row in rows {
            let column = Columns::of(row);
            if let Some(now) = column.instant_if_any(0)? {
                held.now = now;
                continue;
            }
            let (run, is_to_stop) = (read_run(&column, 1)?, column.get(3)?);
            match column.get(4)? {
                true => held.prolonged.insert(run, is_to_stop),
                false => held.there.insert(run, is_to_stop),
            };
        }
        match held.now == Timestamp::MIN {
            true => Err(Fault::Told(Error::internal("the server told no time"))),
            false => Ok(held),
        }
    }

    fn is_locked(&self, run: RunId) -> bool {
        self.there.contains_key(&run) && !self.prolonged.contains_key(&run)
    }

    fn forget(&mut self, run: RunId) {
        self.there.remove(&run);
    }

    fn verdict(&self, run: RunId) -> BeatVerdict {
        match self.prolonged.get(&run).or(self.there.get(&run)) {
            None => BeatVerdict::Lost,
            Some(true) => BeatVerdict::Cancel,
            Some(false) => BeatVerdict::Held,
        }
    }
}

/// Reads a job's id and the number of its run.
fn read_run(column: &Columns<'_>, place: usize) -> Result<RunId, Fault> {
    Ok(RunId {
        job: column.id(place)?,
        run: column.get::<i64>(place + 1)?.cast_unsigned(),
    })
}

fn micros(length: Duration) -> i64 {
    i64::try_from(length.as_micros()).unwrap_or(i64::MAX)
}
