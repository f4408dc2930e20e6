//! Claim: due waiting jobs become running ones, as far as their queues allow.
//!
//! A queue's ten lines (one for each priority) are asked one after the other for their first due rows, which the
//! index answers without passing any row that is not due. Most claims of an idle system bring nothing, so a claim
//! looks first, as a reader, and takes the file's lock only for a job that is there.

use std::collections::BTreeMap;

use rusqlite::{Connection, Row, params};

use super::fault::Fault;
use super::row::read_job;
use super::writing::{Writing, all, first};
use crate::job::{Job, JobId, State};
use crate::limits;
use crate::queue::{QueueName, QueueSettings, Rate};
use crate::run::{Claim, ClaimFrom, Claimed};
use crate::time::Timestamp;

/// The answer of a claim that would bring nothing and write nothing; none if it has to write.
pub(super) fn look(connection: &Connection, claim: &Claim, now: Timestamp) -> Result<Option<Claimed>, Fault> {
    let mut next_due = None;
    match &claim.from {
        ClaimFrom::Ids(_) => return Ok(None),
        ClaimFrom::Queues(queues) => {
            for queue in queues {
                let gate = gate(connection, queue, 0)?;
                let due = earliest_due(connection, queue, now)?;
                if gate.is_out_of_date(now) || (gate.room(now) > 0 && due.is_some_and(|due| due <= now)) {
                    return Ok(None);
                }
                next_due = earlier(next_due, due.and_then(|due| gate.opens(due, now)));
            }
        }
    }
    Ok(Some(Claimed {
        jobs: Vec::new(),
        next_due: next_due.filter(|_| claim.max > 0),
        now,
    }))
}

pub(super) fn claim(writing: &mut Writing<'_>, claim: &Claim, now: Timestamp) -> Result<Claimed, Fault> {
    let (jobs, next_due) = match &claim.from {
        ClaimFrom::Queues(queues) => claim_queues(writing, claim, queues, now)?,
        ClaimFrom::Ids(ids) => claim_ids(writing, claim, ids, now)?,
    };
    let short = jobs.len() < claim.max;
    Ok(Claimed {
        jobs,
        next_due: next_due.filter(|_| short),
        now,
    })
}

type Taken = (Vec<Job>, Option<Timestamp>);

fn claim_queues(
    writing: &mut Writing<'_>,
    claim: &Claim,
    queues: &[QueueName],
    now: Timestamp,
) -> Result<Taken, Fault> {
    let mut jobs = Vec::new();
    let mut next_due = None;
    for queue in queues {
        let mut gate = gate(writing.connection(), queue, writing.running_since(queue.as_str()))?;
        let count = gate.room(now).min(claim.max - jobs.len());
        let started = start_due(writing, queue, claim, count, now)?;
        started.iter().for_each(|_| gate.pass(now));
        jobs.extend(started);
        close(writing, queue, &gate, now)?;
        if jobs.len() < claim.max {
            let due = earliest_due(writing.connection(), queue, now)?;
            next_due = earlier(next_due, due.and_then(|due| gate.opens(due, now)));
        }
    }
    Ok((jobs, next_due))
}

fn claim_ids(
    writing: &mut Writing<'_>,
    claim: &Claim,
    ids: &[JobId],
    now: Timestamp,
) -> Result<Taken, Fault> {
    let mut gates: BTreeMap<QueueName, Gate> = BTreeMap::new();
    let (mut jobs, mut left) = (Vec::new(), Vec::new());
    for id in ids {
        let key = params![id.0.as_bytes(), now.as_micros()];
        let sql = include_str!("claim_id.sql");
        let Some((row, job)) = first(writing.connection(), sql, key, read_numbered)? else {
            continue;
        };
        let (queue, due) = (job.body.queue.clone(), job.status.due);
        if !gates.contains_key(&queue) {
            let gate = gate(
                writing.connection(),
                &queue,
                writing.running_since(queue.as_str()),
            )?;
            gates.insert(queue.clone(), gate);
        }
        let gate = gates.get_mut(&queue).expect("it was put there just now");
        if due <= now && gate.room(now) > 0 && jobs.len() < claim.max {
            gate.pass(now);
            jobs.push(start(writing, row, job, claim, now)?);
        } else {
            left.push((queue, due));
        }
    }
    for (queue, gate) in &gates {
        close(writing, queue, gate, now)?;
    }
    let opens = left
        .iter()
        .filter_map(|(queue, due)| gates[queue].opens(*due, now));
    Ok((jobs, opens.min()))
}

/// Turns up to `count` due jobs of a queue into running ones, all of a line at once.
fn start_due(
    writing: &mut Writing<'_>,
    queue: &QueueName,
    claim: &Claim,
    count: usize,
    now: Timestamp,
) -> Result<Vec<Job>, Fault> {
    let alarm = (now + claim.lease).as_micros();
    let worker = claim.worker.as_str();
    let mut started: Vec<Job> = Vec::new();
    for priority in 0..=limits::PRIORITY_MAX {
        let missing = count - started.len();
        if missing == 0 {
            break;
        }
        let line = params![
            queue.as_str(),
            priority,
            now.as_micros(),
            number(missing),
            worker,
            alarm
        ];
        let sql = include_str!("claim.sql");
        let mut of_line = all(writing.connection(), sql, line, |row| read_job(row, 0))?;
        // Nobody promises an order of what an update returns.
        of_line.sort_unstable_by_key(|job| (job.status.due, job.id()));
        started.append(&mut of_line);
    }
    let count = number(started.len());
    writing.count(queue.as_str(), State::Waiting, -count);
    writing.count(queue.as_str(), State::Running, count);
    Ok(started)
}

/// Turns a waiting job into a running one.
fn start(
    writing: &mut Writing<'_>,
    row: i64,
    mut job: Job,
    claim: &Claim,
    now: Timestamp,
) -> Result<Job, Fault> {
    let alarm = now + claim.lease;
    writing.execute(
        include_str!("claim_start.sql"),
        params![row, claim.worker.as_str(), alarm.as_micros(), now.as_micros()],
    )?;
    writing.count(job.body.queue.as_str(), State::Waiting, -1);
    writing.count(job.body.queue.as_str(), State::Running, 1);
    let status = &mut job.status;
    status.state = State::Running;
    status.rev += 1;
    status.run = status.rev;
    status.attempt += 1;
    status.started_at = Some(now);
    status.first_started_at.get_or_insert(now);
    status.alarm = Some(alarm);
    status.worker = Some(claim.worker.clone());
    Ok(job)
}

fn earliest_due(
    connection: &Connection,
    queue: &QueueName,
    now: Timestamp,
) -> Result<Option<Timestamp>, Fault> {
    let key = params![queue.as_str(), now.as_micros()];
    let due = first(connection, include_str!("claim_next.sql"), key, |row| {
        Ok(row.get::<_, Option<i64>>(0)?)
    })?;
    Ok(due.flatten().map(Timestamp::from_micros))
}

/// What a queue's settings still allow in the course of one claim.
struct Gate {
    paused: bool,
    /// How many more may run beside those that do.
    slots: u64,
    /// The queue's rate, and when its bucket is full again.
    bucket: Option<(Rate, Timestamp)>,
    /// What the store holds of that instant.
    stored: Timestamp,
}

impl Gate {
    const OPEN: Gate = Gate {
        paused: false,
        slots: u64::MAX,
        bucket: None,
        stored: Timestamp::MIN,
    };

    /// How many jobs may start.
    fn room(&self, now: Timestamp) -> usize {
        if self.paused {
            return 0;
        }
        let saved = self
            .bucket
            .map_or(u64::MAX, |(rate, full_at)| rate.room(full_at, now).into());
        usize::try_from(self.slots.min(saved)).unwrap_or(usize::MAX)
    }

    /// One job starts.
    fn pass(&mut self, now: Timestamp) {
        self.slots -= 1;
        if let Some((rate, full_at)) = &mut self.bucket {
            *full_at = rate.drawn(*full_at, 1, now);
        }
    }

    /// From when on a job that is due then may start, as far as time alone tells: nobody knows when a pause ends or
    /// a slot becomes free.
    fn opens(&self, due: Timestamp, now: Timestamp) -> Option<Timestamp> {
        if self.paused || self.slots == 0 {
            return None;
        }
        let next = self.bucket.map(|(rate, full_at)| rate.next(full_at, now));
        Some(next.map_or(due, |next| next.max(due)))
    }

    /// What the store should hold of the bucket at the end of the claim.
    fn full_at(&self, now: Timestamp) -> Timestamp {
        self.bucket
            .map_or(self.stored, |(rate, full_at)| rate.drawn(full_at, 0, now))
    }

    /// Whether the store has to be told of the bucket.
    fn is_out_of_date(&self, now: Timestamp) -> bool {
        self.full_at(now) != self.stored
    }
}

/// What the queue's settings allow, with `more` jobs running than the counter rows say.
fn gate(connection: &Connection, queue: &QueueName, more: i64) -> Result<Gate, Fault> {
    let key = params![queue.as_str()];
    let sql = include_str!("claim_settings.sql");
    let settings = first(connection, sql, key, |row| {
        Ok(QueueSettings::from_json(
            row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?,
        )?)
    })?;
    let Some(settings) = settings else {
        return Ok(Gate::OPEN);
    };
    let slots = match settings.max_running {
        None => u64::MAX,
        Some(limit) => {
            let counted: Option<i64> = first(connection, include_str!("claim_running.sql"), key, |row| {
                Ok(row.get(0)?)
            })?;
            let running = counted.unwrap_or(0).saturating_add(more);
            u64::from(limit).saturating_sub(u64::try_from(running).unwrap_or(0))
        }
    };
    let stored = match settings.rate {
        None => None,
        Some(_) => first(connection, include_str!("claim_bucket.sql"), key, |row| {
            Ok(Timestamp::from_micros(row.get(0)?))
        })?,
    };
    let stored = stored.unwrap_or(Timestamp::MIN);
    Ok(Gate {
        paused: settings.paused.is_some(),
        slots,
        bucket: settings.rate.map(|rate| (rate, stored)),
        stored,
    })
}

/// Remembers how far the queue's rate is used up.
fn close(writing: &Writing<'_>, queue: &QueueName, gate: &Gate, now: Timestamp) -> Result<(), Fault> {
    if gate.is_out_of_date(now) {
        let draw = params![queue.as_str(), gate.full_at(now).as_micros()];
        writing.execute(include_str!("claim_draw.sql"), draw)?;
    }
    Ok(())
}

fn read_numbered(row: &Row<'_>) -> Result<(i64, Job), Fault> {
    Ok((row.get(0)?, read_job(row, 1)?))
}

fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    [one, other].into_iter().flatten().min()
}

/// A count as SQLite takes it.
pub(super) fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
