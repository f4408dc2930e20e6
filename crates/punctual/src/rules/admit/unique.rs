//! Unique keys: what becomes of a new job whose key another job holds.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::change::Change;
use crate::job::{Body, Job, OnConflict, State};
use crate::rules::admit::Admitted;
use crate::rules::row::{holds_key, is_husk, rewrite, start_alarm};
use crate::time::Timestamp;

/// Folds jobs of one unique key, as if they had come one after the other: a job that answers `Existing` or `Reject`
/// to a conflict gives way to the one before it, one that answers `Replace` or `Debounce` takes its place. Answers for
/// each job of the batch which of them stands for it: itself, or another that takes its key and has another id.
///
/// Jobs of one id are left for the store, which tells the same job from another one.
pub fn fold(batch: &[Admitted]) -> Vec<usize> {
    // Jobs that are folded are a group, and one of them wins it.
    let mut winners: Vec<usize> = Vec::with_capacity(batch.len());
    let mut group_of_key: BTreeMap<&str, usize> = BTreeMap::new();
    let mut groups = Vec::with_capacity(batch.len());
    for (place, new) in batch.iter().enumerate() {
        let key = new.job.status.unique_key.as_deref();
        let group = key.map_or(winners.len(), |key| {
            *group_of_key.entry(key).or_insert(winners.len())
        });
        match winners.get_mut(group) {
            Some(winner) if batch[*winner].job.id() != new.job.id() => {
                groups.push(group);
                if takes_over(new.on_conflict) {
                    *winner = place;
                }
            }
            _ => {
                groups.push(winners.len());
                winners.push(place);
            }
        }
    }
    groups.into_iter().map(|group| winners[group]).collect()
}

/// What is to be done about a job that holds the unique key of a new one.
#[derive(Clone, Debug, PartialEq)]
pub enum Conflict {
    /// The caller is given the holder.
    Existing,
    /// The caller is told of a conflict.
    Reject,
    /// The holder is changed to what the new job wants, and then given to the caller. Should the change be stale,
    /// look at the holder again.
    Edit(Change),
    /// The holder has ended and gives the key back; then the new job is inserted again.
    Evict(Change),
    /// It holds the key no longer: the new job is inserted again.
    Gone,
}

/// Decides between a new job and the row that was found to hold its key.
///
/// A holder that waits can be edited, whether or not it has been tried before: the next attempt takes what is newest.
/// `Replace` gives it the new payload, due instant and start deadline, `Debounce` the due instant and start deadline;
/// the rest of it stays, its id and its window included. A holder of another kind is never given the payload of this
/// one: then `Replace` is a conflict.
pub fn conflict(new: &Admitted, holder: &Job, now: Timestamp) -> Conflict {
    if holder.status.unique_key != new.job.status.unique_key {
        return Conflict::Gone;
    }
    if holder.status.state.is_ended() && !holds_key(&holder.status, now) {
        return Conflict::Evict(evict(holder));
    }
    let waits = holder.status.state == State::Waiting;
    match new.on_conflict {
        OnConflict::Reject => Conflict::Reject,
        OnConflict::Debounce if waits => Conflict::Edit(edit(new, holder, &holder.body.payload)),
        OnConflict::Replace if waits && holder.body.kind != new.job.body.kind => Conflict::Reject,
        OnConflict::Replace if waits => Conflict::Edit(edit(new, holder, &new.job.body.payload)),
        OnConflict::Existing | OnConflict::Debounce | OnConflict::Replace => Conflict::Existing,
    }
}

fn takes_over(on_conflict: OnConflict) -> bool {
    match on_conflict {
        OnConflict::Existing | OnConflict::Reject => false,
        OnConflict::Replace | OnConflict::Debounce => true,
    }
}

/// Takes the key from a job that has ended; a row that was kept for nothing else goes.
fn evict(holder: &Job) -> Change {
    if is_husk(holder) {
        return Change::delete(holder);
    }
    let mut status = holder.status.clone();
    status.unique_key = None;
    status.key_until = None;
    Change::to(holder, status)
}

/// Gives the holder this payload and the new job's due instant, and with that its start deadline: beside the old one
/// the job might never start.
fn edit(new: &Admitted, holder: &Job, payload: &Bytes) -> Change {
    let mut body = Body::clone(&holder.body);
    body.payload = payload.clone();
    body.options.start_deadline = new.job.body.options.start_deadline;
    let mut status = holder.status.clone();
    status.due = new.job.status.due;
    status.alarm = start_alarm(&body, &status);
    rewrite(holder, body, status)
}
