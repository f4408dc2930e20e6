//! Claim by ids: jobs that somebody named become running ones, as far as they wait and their queues allow it.

use std::collections::BTreeMap;

use tokio_postgres::types::Type;
use uuid::Uuid;

use super::claim::lease_micros;
use super::fault::Fault;
use super::gates::{self, Gates, Known};
use super::row::Columns;
use super::session::{Link, Param, Session};
use super::unreadable::Unreadable;
use crate::error::Error;
use crate::job::{Job, JobId};
use crate::limits;
use crate::queue::QueueName;
use crate::run::{Claim, Claimed};
use crate::time::Timestamp;

pub(super) async fn claim_ids(
    session: &Session,
    known: &Known,
    ids: &[JobId],
    claim: &Claim,
    unreadable: &mut Unreadable,
) -> Result<Claimed, Fault> {
    for _ in 0..limits::CONFLICT_ROUNDS {
        let link = session.begin("").await?;
        let done = claim_in(link, known, ids, claim, unreadable).await;
        if let Some(claimed) = session.end(done).await? {
            return Ok(claimed);
        }
    }
    Err(Fault::Told(Error::unavailable(
        "the settings of the queues keep changing; nothing was claimed",
    )))
}

async fn claim_in(
    link: Link<'_>,
    known: &Known,
    ids: &[JobId],
    claim: &Claim,
    unreadable: &mut Unreadable,
) -> Result<Option<Claimed>, Fault> {
    let now = now(link, claim.now).await?;
    let startable = startable(link, ids, now).await?;
    let mut queues: Vec<QueueName> = startable.values().map(|(queue, _)| queue.clone()).collect();
    queues.sort_unstable();
    queues.dedup();
    let settings = known.of(&queues);
    link.run(&gates::locks(link.namespace(), &queues, &settings))
        .await?;
    let Some(mut gates) = gates::gates(link, known, &queues, &settings, Some(now)).await? else {
        return Ok(None);
    };
    gates.now = now;
    let place = |queue: &QueueName| queues.binary_search(queue).unwrap_or(0);
    let chosen = choose(ids, &startable, &gates, place, claim.max);
    let jobs = start(link, &chosen, &startable, claim, now, unreadable).await?;
    for job in &jobs {
        gates.gates[place(&job.body.queue)].gate.pass(now);
    }
    gates::close(link, &queues, &gates).await?;
    let left = startable.iter().filter(|(id, _)| !chosen.contains(id));
    let opens = left.filter_map(|(_, (queue, due))| gates.gates[place(queue)].gate.opens(*due, now));
    let next_due = opens.min();
    Ok(Some(Claimed { jobs, next_due, now }))
}

async fn now(link: Link<'_>, stepped: Option<Timestamp>) -> Result<Timestamp, Fault> {
    let stepped = stepped.map(Timestamp::as_micros);
    let rows = link
        .query(include_str!("now.sql"), &[(&stepped, Type::INT8)])
        .await?;
    let row = rows
        .first()
        .ok_or_else(|| Error::internal("the server told no time"))?;
    Columns::of(row).instant(0)
}

/// The queues and due instants of waiting jobs whose start deadline, if they have one, is still to come.
type Startable = BTreeMap<JobId, (QueueName, Timestamp)>;

async fn startable(link: Link<'_>, ids: &[JobId], now: Timestamp) -> Result<Startable, Fault> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let now = now.as_micros();
    let params: [Param<'_>; 2] = [(&ids, Type::UUID_ARRAY), (&now, Type::INT8)];
    let rows = link.query(include_str!("claim_look.sql"), &params).await?;
    let read = |row| {
        let column = Columns::of(row);
        let queue = QueueName::from(column.get::<&str>(1)?);
        Ok((column.id(0)?, (queue, column.instant(2)?)))
    };
    rows.iter().map(read).collect()
}

/// Those that may start now, in the order in which they were named.
fn choose(
    ids: &[JobId],
    startable: &Startable,
    gates: &Gates,
    place: impl Fn(&QueueName) -> usize,
    max: usize,
) -> Vec<JobId> {
    let mut passing: Vec<_> = gates.gates.iter().map(|stored| stored.gate.clone()).collect();
    let mut chosen = Vec::new();
    for id in ids {
        let Some((queue, due)) = startable.get(id).filter(|_| !chosen.contains(id)) else {
            continue;
        };
        let gate = &mut passing[place(queue)];
        if *due <= gates.now && gate.room(gates.now) > 0 && chosen.len() < max {
            gate.pass(gates.now);
            chosen.push(*id);
        }
    }
    chosen
}

async fn start(
    link: Link<'_>,
    chosen: &[JobId],
    startable: &Startable,
    claim: &Claim,
    now: Timestamp,
    unreadable: &mut Unreadable,
) -> Result<Vec<Job>, Fault> {
    let ids: Vec<Uuid> = chosen.iter().map(|id| id.0).collect();
    let queues: Vec<&str> = chosen.iter().map(|id| startable[id].0.as_str()).collect();
    let (now, worker, lease) = (now.as_micros(), claim.worker.as_str(), lease_micros(claim));
    let params: [Param<'_>; 5] = [
        (&ids, Type::UUID_ARRAY),
        (&queues, Type::TEXT_ARRAY),
        (&now, Type::INT8),
        (&worker, Type::TEXT),
        (&lease, Type::INT8),
    ];
    let rows = link.query(include_str!("claim_start.sql"), &params).await?;
    let mut jobs = Vec::new();
    for row in &rows {
        jobs.extend(unreadable.read_or_note(row, 0)?);
    }
    jobs.sort_by_cached_key(|job| chosen.iter().position(|id| *id == job.id()));
    Ok(jobs)
}
