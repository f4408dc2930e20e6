//! What every store refuses before it touches a row: batches, pages and claims beyond their bounds, and changes
//! that no rule makes.

use std::time::Duration;

use crate::change::{Change, RecordChange, RecordKind, ScheduleChange};
use crate::error::Error;
use crate::job::{Job, State};
use crate::limits;
use crate::queue::QueueSettings;
use crate::run::token::TokenKey;
use crate::run::{Beat, Claim, ClaimFrom, WorkerInfo};
use crate::schedule::{Calendar, Occurrence};
use crate::store::{Filter, Page, Schedules, View};
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
    page_items(page.limit)?;
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

pub(crate) fn change_schedules(changes: &[ScheduleChange]) -> Result<(), Error> {
    at_most("changes of schedules", changes.len(), limits::FLUSH_ITEMS)?;
    changes.iter().try_for_each(one_schedule)
}

fn one_schedule(change: &ScheduleChange) -> Result<(), Error> {
    at_most("jobs of one firing", change.jobs.len(), limits::FIRED_PER_LOOK)?;
    let entries = change.ledger.len() + change.drops.len();
    at_most("entries of one ledger", entries, limits::LEDGER_PER_LOOK)?;
    let refuse = |why: &str| {
        Err(Error::invalid(format!(
            "a change of schedule {} {why}",
            change.name
        )))
    };
    let is_its_own = |entry: &Occurrence| entry.schedule == change.id;
    match &change.becomes {
        Some(row) if Some(row.rev) != change.expect.checked_add(1) => refuse("must raise its rev by one"),
        Some(row) if row.id != change.id || row.name != change.name => {
            refuse("cannot give it another id or another name")
        }
        None if !(change.jobs.is_empty() && change.ledger.is_empty()) => {
            refuse("cannot both delete it and fire it")
        }
        _ if !change.ledger.iter().all(is_its_own) => refuse("cannot write another one's ledger"),
        _ if change.jobs.iter().any(|job| job.status.unique_key.is_some()) => {
            refuse("cannot make jobs that hold a unique key")
        }
        _ => change.name.check(),
    }
}

/// The part of a URL between `://` and the first `/`, `?` or `#`. Refuses a URL whose user or password holds one of them: what
/// stands before it would be taken for a host, and told in errors.
#[cfg(any(feature = "postgres", feature = "redis"))]
pub(crate) fn authority<'u>(of: &str, url: &'u str) -> Result<&'u str, Error> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    if rest.contains('@') && !authority.contains('@') {
        return Err(Error::invalid(format!(
            "the URL of {of} has a /, ? or # within its user or password; write %2F, %3F and %23 for them, and %40 for an @"
        )));
    }
    Ok(authority)
}

pub(crate) fn schedules(which: &Schedules) -> Result<(), Error> {
    match which {
        Schedules::Named(names) => at_most("schedules in one read", names.len(), limits::PAGE_ITEMS),
        Schedules::Next { limit, .. } | Schedules::All { limit, .. } => page_items(*limit),
    }
}

fn page_items(limit: usize) -> Result<(), Error> {
    if limit == 0 {
        return Err(Error::invalid("a page has at least 1 item"));
    }
    at_most("items on one page", limit, limits::PAGE_ITEMS)
}

pub(crate) fn occurrences(limit: usize) -> Result<(), Error> {
    page_items(limit)
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
            RecordKind::Calendar => Calendar::from_json(document).map(|_| ())?,
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
