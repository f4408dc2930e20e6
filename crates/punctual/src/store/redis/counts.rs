//! Counts: how many jobs each queue has in each state, as every write counts them.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future;

use super::link::Link;
use super::order::{Place, read_instant};
use super::{overdue::server_time, reply};
use crate::error::Error;
use crate::job::State;
use crate::limits;
use crate::queue::{Counts, QueueName};
use crate::store::Counted;
use crate::time::Timestamp;

pub(super) async fn counts(link: &Link) -> Result<Counted, Error> {
    let now = server_time(link).await?;
    let mut queues = Vec::new();
    for (queue, jobs) in by_queue(link).await? {
        let oldest = match jobs[State::Waiting as usize] {
            0 => None,
            _ => oldest_due(link, &queue).await?,
        };
        queues.push(Counts {
            queue,
            jobs,
            oldest_ready: oldest.filter(|due| *due <= now).map(|due| now.since(due)),
        });
    }
    Ok(Counted {
        queues,
        age: Duration::ZERO,
    })
}

/// The number of jobs of each queue, in the order of [`State::ALL`].
pub(super) async fn by_queue(link: &Link) -> Result<BTreeMap<QueueName, [u64; 5]>, Error> {
    let mut all = redis::cmd("HGETALL");
    all.arg(link.key("counts"));
    let fields = reply::map(link.ask(all).await?)?;
    let mut queues: BTreeMap<QueueName, [u64; 5]> = BTreeMap::new();
    for (field, jobs) in fields {
        let Some((state, queue)) = field.split_first() else {
            continue;
        };
        let queue = QueueName::from(String::from_utf8_lossy(queue).as_ref());
        let state = usize::from(state.wrapping_sub(b'0'));
        if let Some(count) = queues.entry(queue).or_default().get_mut(state) {
            *count = String::from_utf8_lossy(&jobs).parse().unwrap_or(0);
        }
    }
    Ok(queues)
}

/// The earliest due instant in a queue, start deadlines or not.
async fn oldest_due(link: &Link, queue: &QueueName) -> Result<Option<Timestamp>, Error> {
    let firsts = (0..=limits::PRIORITY_MAX).map(|priority| {
        let mut range = redis::cmd("ZRANGE");
        range.arg(line(link, queue, priority)).arg(0).arg(0);
        link.ask(range)
    });
    let mut oldest = None;
    for first in future::try_join_all(firsts).await? {
        for member in reply::list(first)? {
            let due = Place::read(&member).map(|place| read_instant(place.at));
            oldest = [oldest, due].into_iter().flatten().min();
        }
    }
    Ok(oldest)
}

/// The index of the waiting jobs of a queue and a priority.
pub(super) fn line(link: &Link, queue: &QueueName, priority: u8) -> Vec<u8> {
    link.key_of(&format!("line:{priority}:"), queue.as_str().as_bytes())
}
