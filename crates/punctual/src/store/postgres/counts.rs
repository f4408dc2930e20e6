//! Counts: how many jobs each queue has in each state.
//!
//! They are counted when they are asked for: a row that holds a count would be locked by everybody who writes, for as long as
//! their transactions last. What is much to count is not counted again before a hundred times as long has passed.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::fault::Fault;
use super::row::Columns;
use super::session::Session;
use crate::clock::Clock;
use crate::job::State;
use crate::limits;
use crate::queue::{Counts, QueueName};
use crate::store::{Counted, codec};
use crate::time::Timestamp;

/// The last count, if it was much to count.
#[derive(Default)]
pub(super) struct Last(Mutex<Option<Kept>>);

struct Kept {
    queues: Vec<Counts>,
    /// By the machine's uptime.
    counted_at: Duration,
    took: Duration,
}

impl Last {
    /// The last count, unless it is time for a new one.
    pub(super) fn if_fresh(&self, clock: &dyn Clock) -> Option<Counted> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = last.as_ref()?;
        let age = clock.uptime().saturating_sub(kept.counted_at);
        (age < kept.took * limits::COUNT_SHARE).then(|| Counted {
            queues: kept.queues.clone(),
            age,
        })
    }

    fn keep(&self, queues: &[Counts], counted_at: Duration, took: Duration) {
        let jobs: u64 = queues.iter().flat_map(|queue| queue.jobs).sum();
        let much = jobs > limits::COUNT_JOBS;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = much.then(|| Kept {
            queues: queues.to_vec(),
            counted_at,
            took,
        });
    }
}

pub(super) async fn counts(session: &Session, last: &Last, clock: &dyn Clock) -> Result<Counted, Fault> {
    let asked_at = clock.uptime();
    let rows = session.read(include_str!("counts.sql"), &[]).await?;
    let mut queues: BTreeMap<QueueName, Counts> = BTreeMap::new();
    for row in &rows {
        let column = Columns::of(row);
        let queue = QueueName::from(column.get::<&str>(0)?);
        let state = codec::read_state(column.number::<i32, i16>(1)?)?;
        let counts = queues.entry(queue.clone()).or_insert_with(|| Counts {
            queue,
            jobs: [0; State::ALL.len()],
            oldest_ready: None,
        });
        counts.jobs[state as usize] = column.number::<i64, u64>(2)?;
        if let (Some(due), Some(now)) = (column.instant_if_any(3)?, column.instant_if_any(4)?) {
            counts.oldest_ready = (due <= now).then(|| Timestamp::since(now, due));
        }
    }
    let queues: Vec<Counts> = queues.into_values().collect();
    let now = clock.uptime();
    last.keep(&queues, now, now.saturating_sub(asked_at));
    Ok(Counted {
        queues,
        age: Duration::ZERO,
    })
}
