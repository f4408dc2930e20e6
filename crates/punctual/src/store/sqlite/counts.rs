//! Counts: how many jobs each queue has in each state, as the counter rows say.

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::{Connection, params};

use super::fault::Fault;
use super::row::Columns;
use super::writing::{all, first};
use crate::job::State;
use crate::queue::{Counts, QueueName};
use crate::store::{Counted, codec};
use crate::time::Timestamp;

pub(super) fn counts(connection: &Connection, now: Timestamp) -> Result<Counted, Fault> {
    let queues = by_queue(connection)?.into_iter().map(|(queue, jobs)| {
        let oldest = oldest_due(connection, &queue)?;
        Ok(Counts {
            queue,
            jobs,
            oldest_ready: oldest.filter(|due| *due <= now).map(|due| now.since(due)),
        })
    });
    Ok(Counted {
        queues: queues.collect::<Result<_, Fault>>()?,
        age: Duration::ZERO,
    })
}

/// The number of jobs of each queue, in the order of [`State::ALL`].
pub(super) fn by_queue(connection: &Connection) -> Result<BTreeMap<QueueName, [u64; 5]>, Fault> {
    let rows = all(connection, include_str!("counts.sql"), [], |row| {
        let queue = QueueName::from(Columns { row, first: 0 }.text(0)?);
        Ok((queue, codec::read_state(row.get(1)?)?, row.get::<_, i64>(2)?))
    })?;
    let mut queues = BTreeMap::new();
    for (queue, state, jobs) in rows {
        let counts: &mut [u64; State::ALL.len()] = queues.entry(queue).or_default();
        counts[state as usize] = u64::try_from(jobs).unwrap_or(0);
    }
    Ok(queues)
}

fn oldest_due(connection: &Connection, queue: &QueueName) -> Result<Option<Timestamp>, Fault> {
    let key = params![queue.as_str()];
    let due = first(connection, include_str!("counts_oldest.sql"), key, |row| {
        Ok(row.get::<_, Option<i64>>(0)?)
    })?;
    Ok(due.flatten().map(Timestamp::from_micros))
}
