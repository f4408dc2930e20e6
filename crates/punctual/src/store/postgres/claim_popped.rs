//! Claim of jobs that were taken out of a line which is kept elsewhere: those of them become running ones that wait, are due,
//! and stand in the queues that were asked for. A line may be wrong in all of this.

use tokio_postgres::types::Type;
use uuid::Uuid;

use super::claim::{after, lease_micros, read_answer};
use super::fault::Fault;
use super::gates::{self, Known, Settings};
use super::session::{Param, Session};
use super::unreadable::Unreadable;
use crate::job::JobId;
use crate::queue::QueueName;
use crate::run::{Claim, Claimed};
use crate::time::Timestamp;

/// Claims; nothing if one of the queues holds something back, which only a claim of the queues can honour.
pub(super) async fn claim_popped(
    session: &Session,
    known: &Known,
    queues: &[QueueName],
    ids: &[JobId],
    claim: &Claim,
) -> Result<Option<Claimed>, Fault> {
    let settings = known.of(queues);
    if !settings.iter().all(Settings::is_open) {
        return Ok(None);
    }
    let names: Vec<&str> = queues.iter().map(QueueName::as_str).collect();
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let documents: Vec<&[u8]> = settings.iter().map(|one| &*one.document).collect();
    let now = claim.now.map(Timestamp::as_micros);
    let (worker, lease) = (claim.worker.as_str(), lease_micros(claim));
    let params: [Param<'_>; 6] = [
        (&names, Type::TEXT_ARRAY),
        (&ids, Type::UUID_ARRAY),
        (&documents, Type::BYTEA_ARRAY),
        (&now, Type::INT8),
        (&worker, Type::TEXT),
        (&lease, Type::INT8),
    ];
    let locks = gates::locks(session.namespace(), queues, &settings);
    let rows = session
        .write_locked(&locks, include_str!("claim_popped.sql"), &params)
        .await?;
    let mut unreadable = Unreadable::default();
    let Some(answer) = read_answer(&rows, queues, &mut unreadable)? else {
        return Ok(None);
    };
    let claimed = Claimed {
        jobs: answer.jobs,
        next_due: None,
        now: answer.now,
    };
    if !unreadable.is_empty() {
        let put_off = unreadable.put_off(session, claimed.now).await;
        put_off.map_err(|fault| after(&claimed, fault))?;
    }
    Ok(Some(claimed))
}
