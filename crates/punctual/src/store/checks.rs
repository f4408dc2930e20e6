//! What every store refuses before it touches a row: batches, pages and claims beyond their bounds, and changes
//! that no rule makes.

use std::time::Duration;

use crate::change::{Change, RecordChange, RecordKind};
use crate::error::Error;
use crate::job::{Job, State};
use crate::limits;
use crate::queue::QueueSettings;
use crate::run::token::TokenKey;
use crate::run::{Beat, Claim, ClaimFrom, WorkerInfo};
use crate::store::{Filter, Page, View};
use crate::time::format_length;

pub(crate) fn insert(jobs: &[Job]) -> Result<(), Error> {
    at_most("jobs in one insert", jobs.len(), limits::FLUSH_ITEMS)
}

pub(crate) fn fetch(count: usize) -> Result<(), Error> {
    at_most("jobs in one fetch", count, limits::FLUSH_ITEMS)
}

pub(crate) fn claim(claim: &Claim) -> Result<(), Error> {
    at_most("jobs in one claim", claim.max, limits::CLAIM_JOBS)?;
    lease(claim.lease)?;
    at_most(
        "bytes in a worker's name",
        claim.worker.as_str().len(),
        limits::NAME_BYTES,
    )?;
    match &claim.from {
        ClaimFrom::Ids(ids) => at_most("ids in one claim", ids.len(), limits::CLAIM_JOBS),
        ClaimFrom::Queues(queues) => {
            at_most("queues in one claim", queues.len(), limits::CLAIM_QUEUES)?;
            let twice = queues
                .iter()
                .enumerate()
                .find(|(place, queue)| queues[..*place].contains(queue));
            twice.map_or(Ok(()), |(_, queue)| {
                Err(Error::invalid(format!("a claim names the queue {queue} twice")))
            })
        }
    }
}

pub(crate) fn beat(beat: &Beat) -> Result<(), Error> {
    at_most("runs in one heartbeat", beat.runs.len(), limits::CONCURRENCY_MAX)?;
    lease(beat.lease)?;
    worker(&beat.worker)?;
    beat.runs
        .iter()
        .filter_map(|run| run.progress.as_ref())
        .try_for_each(|progress| at_most("bytes of progress", progress.len(), limits::PROGRESS_BYTES))
}

fn worker(worker: &WorkerInfo) -> Result<(), Error> {
    at_most(
        "bytes in a worker's name",
        worker.id.as_str().len(),
        limits::NAME_BYTES,
    )?;
    at_most("bytes in a host's name", worker.host.len(), limits::HOST_BYTES)?;
    at_most("queues of one worker", worker.queues.len(), limits::CLAIM_QUEUES)?;
    worker.queues.iter().try_for_each(|queue| {
        at_most(
            "bytes in a queue's name",
            queue.as_str().len(),
            limits::NAME_BYTES,
        )
    })
}

fn lease(lease: Duration) -> Result<(), Error> {
    if (limits::LEASE_MIN..=limits::LEASE_MAX).contains(&lease) {
        return Ok(());
    }
    let (least, most) = (format_length(limits::LEASE_MIN), format_length(limits::LEASE_MAX));
    Err(Error::invalid(format!("a lease lasts {least} to {most}")))
}

pub(crate) fn apply(changes: &[Change]) -> Result<(), Error> {
    at_most("changes in one apply", changes.len(), limits::FLUSH_ITEMS)?;
    let follow = changes.iter().map(|change| change.then.len()).sum();
    at_most("jobs to follow in one apply", follow, limits::FLUSH_ITEMS)?;
    changes.iter().try_for_each(one_change)
}

fn one_change(change: &Change) -> Result<(), Error> {
    let refuse = |why: &str| Err(Error::invalid(format!("a change of job {} {why}", change.id)));
    match (&change.becomes, &change.body) {
        (Some(status), _) if Some(status.rev) != change.expect.checked_add(1) => {
            refuse("must raise its rev by one")
        }
        (_, Some(body)) if body.id != change.id => refuse("cannot give it another id"),
        (None, Some(_)) => refuse("cannot both delete it and edit its body"),
        (Some(status), Some(_)) if status.state == State::Running => {
            refuse("cannot edit the body while it runs")
        }
        _ => Ok(()),
    }
}

pub(crate) fn list(filter: &Filter, page: &Page) -> Result<(), Error> {
    if page.limit == 0 {
        return Err(Error::invalid("a page has at least 1 item"));
    }
    at_most("items on one page", page.limit, limits::PAGE_ITEMS)?;
    match filter.view {
        View::Ended(Some(state)) if !state.is_ended() => {
            Err(Error::invalid(format!("no ended job is {state}")))
        }
        _ => Ok(()),
    }
}

pub(crate) fn overdue(limit: usize) -> Result<(), Error> {
    at_most("overdue jobs at once", limit, limits::CHORE_ROWS)
}

pub(crate) fn change_records(changes: &[RecordChange]) -> Result<(), Error> {
    at_most("changes of records", changes.len(), limits::FLUSH_ITEMS)?;
    for change in changes {
        let Some(document) = &change.becomes else {
            continue;
        };
        at_most("bytes in a record's name", change.name.len(), limits::NAME_BYTES)?;
        at_most("bytes in a record", document.len(), limits::RECORD_BYTES)?;
        match change.kind {
            RecordKind::Queue => QueueSettings::from_json(document).map(|_| ())?,
            RecordKind::TokenKey => TokenKey::from_json(document).map(|_| ())?,
        }
    }
    Ok(())
}

pub(crate) fn records(limit: usize) -> Result<(), Error> {
    at_most("records on one page", limit, limits::PAGE_ITEMS)
}

fn at_most(what: &str, count: usize, limit: usize) -> Result<(), Error> {
    if count <= limit {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "{count} {what}; at most {limit} are accepted"
    )))
}
