//! Claim: due waiting jobs become running ones, as far as their queues allow.
//!
//! A queue's ten lines (one for each priority) are asked one after the other for their first due rows, which the
//! index answers without passing any row that is not due. Most claims of an idle system bring nothing, so a claim
//! looks first, as a reader, and takes the file's lock only for a job that is there.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use rusqlite::{Connection, params};

use super::fault::Fault;
use super::row::Columns;
use super::unreadable::{Unreadable, put_off, read_or_note};
use super::writing::{Writing, all, first};
use crate::job::{Job, JobId, State};
use crate::limits;
use crate::queue::{QueueName, QueueSettings};
use crate::run::{Claim, ClaimFrom, Claimed};
use crate::store::stored_gate::StoredGate;
use crate::time::Timestamp;

/// The answer of a claim that would bring nothing and write nothing; none if it has to write.
pub(super) fn look(connection: &Connection, claim: &Claim, now: Timestamp) -> Result<Option<Claimed>, Fault> {
    let ClaimFrom::Queues(queues) = &claim.from else {
        return Ok(None);
    };
    let mut opens = Vec::new();
    for queue in queues {
        let stored = stored_gate(connection, queue, 0)?;
        let due = earliest_due(connection, queue, now)?;
        let may_start = stored.gate.room(now) > 0 && due.is_some_and(|due| due <= now);
        if may_start || stored.news(now).is_some() {
            return Ok(None);
        }
        opens.extend(due.and_then(|due| stored.gate.opens(due, now)));
    }
    Ok(Some(Claimed {
        jobs: Vec::new(),
        next_due: opens.into_iter().min().filter(|_| claim.max > 0),
        now,
    }))
}

/// Claims. Where that meets rows which cannot be read, it is taken back, they are put off, and it begins anew.
pub(super) fn claim(writing: &mut Writing<'_>, claim: &Claim, now: Timestamp) -> Result<Claimed, Fault> {
    for _ in 0..limits::UNREADABLE_ROUNDS {
        let mut unreadable = Vec::new();
        let taken = writing.all_or_nothing(
            |writing| take(writing, claim, now, &mut unreadable),
            Option::is_some,
        )?;
        if let Some((jobs, next_due)) = taken {
            let short = jobs.len() < claim.max;
            return Ok(Claimed {
                jobs,
                next_due: next_due.filter(|_| short),
                now,
            });
        }
        put_off(writing, unreadable, now)?;
    }
    // More of them may be left, and others behind them.
    Ok(Claimed {
        jobs: Vec::new(),
        next_due: Some(now),
        now,
    })
}

type Taken = (Vec<Job>, Option<Timestamp>);

/// One round of a claim; nothing if it met rows that cannot be read.
fn take(
    writing: &mut Writing<'_>,
    claim: &Claim,
    now: Timestamp,
    unreadable: &mut Vec<Unreadable>,
) -> Result<Option<Taken>, Fault> {
    let taken = match &claim.from {
        ClaimFrom::Queues(queues) => claim_queues(writing, claim, queues, now, unreadable)?,
        ClaimFrom::Ids(ids) => claim_ids(writing, claim, ids, now, unreadable)?,
    };
    Ok(unreadable.is_empty().then_some(taken))
}

fn claim_queues(
    writing: &mut Writing<'_>,
    claim: &Claim,
    queues: &[QueueName],
    now: Timestamp,
    unreadable: &mut Vec<Unreadable>,
) -> Result<Taken, Fault> {
    let mut jobs = Vec::new();
    let mut opens = Vec::new();
    for queue in queues {
        let more = writing.running_since(queue.as_str());
        let mut stored = stored_gate(writing.connection(), queue, more)?;
        let count = stored.gate.room(now).min(claim.max - jobs.len());
        let started = start_due(writing, queue, claim, count, now, unreadable)?;
        started.iter().for_each(|_| stored.gate.pass(now));
        jobs.extend(started);
        close(writing, queue, &stored, now)?;
        if jobs.len() < claim.max {
            let due = earliest_due(writing.connection(), queue, now)?;
            opens.extend(due.and_then(|due| stored.gate.opens(due, now)));
        }
    }
    Ok((jobs, opens.into_iter().min()))
}

fn claim_ids(
    writing: &mut Writing<'_>,
    claim: &Claim,
    ids: &[JobId],
    now: Timestamp,
    unreadable: &mut Vec<Unreadable>,
) -> Result<Taken, Fault> {
    let mut gates: BTreeMap<QueueName, StoredGate> = BTreeMap::new();
    let (mut jobs, mut left) = (Vec::new(), Vec::new());
    for id in ids {
        let Some(Startable { row, queue, due }) = startable(writing.connection(), *id, now)? else {
            continue;
        };
        let gate = match gates.entry(queue.clone()) {
            Entry::Occupied(known) => &mut known.into_mut().gate,
            Entry::Vacant(new) => {
                let more = writing.running_since(queue.as_str());
                &mut new.insert(stored_gate(writing.connection(), &queue, more)?).gate
            }
        };
        if due <= now && gate.room(now) > 0 && jobs.len() < claim.max {
            gate.pass(now);
            jobs.extend(start(writing, row, &queue, claim, now, unreadable)?);
        } else {
            left.push((queue, due));
        }
    }
    for (queue, stored) in &gates {
        close(writing, queue, stored, now)?;
    }
    let opens = left
        .iter()
        .filter_map(|(queue, due)| gates[queue].gate.opens(*due, now));
    Ok((jobs, opens.min()))
}

/// Turns up to `count` due jobs of a queue into running ones, all of a line at once.
fn start_due(
    writing: &mut Writing<'_>,
    queue: &QueueName,
    claim: &Claim,
    count: usize,
    now: Timestamp,
    unreadable: &mut Vec<Unreadable>,
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
        let of_line = all(writing.connection(), sql, line, |row| {
            read_or_note(row, unreadable)
        })?;
        let mut of_line: Vec<Job> = of_line.into_iter().flatten().collect();
        // Nobody promises an order of what an update returns.
        of_line.sort_unstable_by_key(|job| (job.status.due, job.id()));
        started.append(&mut of_line);
    }
    count_started(writing, queue, started.len());
    Ok(started)
}

/// A waiting job whose start deadline, if it has one, is still to come.
struct Startable {
    row: i64,
    queue: QueueName,
    due: Timestamp,
}

fn startable(connection: &Connection, id: JobId, now: Timestamp) -> Result<Option<Startable>, Fault> {
    let key = params![id.0.as_bytes(), now.as_micros()];
    first(connection, include_str!("claim_id.sql"), key, |row| {
        let columns = Columns { row, first: 0 };
        Ok(Startable {
            row: row.get(0)?,
            queue: QueueName::from(columns.text(1)?),
            due: columns.instant(2)?,
        })
    })
}

/// Turns a waiting job of a queue into a running one.
fn start(
    writing: &mut Writing<'_>,
    row: i64,
    queue: &QueueName,
    claim: &Claim,
    now: Timestamp,
    unreadable: &mut Vec<Unreadable>,
) -> Result<Vec<Job>, Fault> {
    let alarm = (now + claim.lease).as_micros();
    let run = params![row, claim.worker.as_str(), alarm, now.as_micros()];
    let started = all(
        writing.connection(),
        include_str!("claim_start.sql"),
        run,
        |row| read_or_note(row, unreadable),
    )?;
    let started: Vec<Job> = started.into_iter().flatten().collect();
    count_started(writing, queue, started.len());
    Ok(started)
}

fn count_started(writing: &mut Writing<'_>, queue: &QueueName, jobs: usize) {
    let jobs = number(jobs);
    writing.count(queue.as_str(), State::Waiting, -jobs);
    writing.count(queue.as_str(), State::Running, jobs);
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

/// The queue's gate, with `more` jobs running than the counter rows say.
fn stored_gate(connection: &Connection, queue: &QueueName, more: i64) -> Result<StoredGate, Fault> {
    let key = params![queue.as_str()];
    let sql = include_str!("claim_settings.sql");
    let settings = first(connection, sql, key, |row| {
        let document = row.get_ref(0)?.as_bytes().map_err(rusqlite::Error::from)?;
        Ok(QueueSettings::from_json(document).unwrap_or_else(|_| QueueSettings::unreadable()))
    })?;
    let settings = settings.unwrap_or_default();
    let running = match settings.max_running {
        None => 0,
        Some(_) => {
            let counted: Option<i64> = first(connection, include_str!("claim_running.sql"), key, |row| {
                Ok(row.get(0)?)
            })?;
            counted.unwrap_or(0).saturating_add(more)
        }
    };
    let full_at = match settings.rate {
        None => None,
        Some(_) => first(connection, include_str!("claim_bucket.sql"), key, |row| {
            Ok(Timestamp::from_micros(row.get(0)?))
        })?,
    };
    let running = u64::try_from(running).unwrap_or(0);
    Ok(StoredGate::new(&settings, running, full_at))
}

/// Remembers how far the queue's rate is used up.
fn close(writing: &Writing<'_>, queue: &QueueName, stored: &StoredGate, now: Timestamp) -> Result<(), Fault> {
    if let Some(full_at) = stored.news(now) {
        let draw = params![queue.as_str(), full_at.as_micros()];
        writing.execute(include_str!("claim_draw.sql"), draw)?;
    }
    Ok(())
}

/// A count as SQLite takes it.
pub(super) fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
