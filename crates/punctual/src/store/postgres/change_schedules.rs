//! Changes of schedules: with each its jobs and its ledger, or nothing.
//!
//! A batch takes a few statements, however many changes are in it. Elsewhere rows of jobs are taken before those of schedules: a
//! run that ends holds its own row when it pokes its schedule, and a user's transaction that settled it holds both until it
//! commits. Here it is the other way round, and so nobody waits for what can be seen: a schedule whose row another transaction
//! holds is left as it is, with its jobs and its ledger, and its change is refused as locked; a job or a name that is
//! there is not inserted. What is left to wait for, a quarter of a second at most, is a row of the same id or name that somebody
//! inserts in a transaction that is still open.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::types::Type;
use uuid::Uuid;

use super::claim::number;
use super::fault::Fault;
use super::insert::{ids_of, insert_absent};
use super::schedules::{NAMED, columns};
use super::session::{Link, Param, Session};
use crate::change::{ScheduleApplied, ScheduleChange};
use crate::error::Error;
use crate::job::Job;
use crate::limits;
use crate::schedule::{Occurrence, OccurrenceKey, Schedule, ScheduleId};
use crate::store::UnreadableSchedule;
use crate::store::codec::schedule::{write_plan, write_standing};
use crate::store::codec::schedule_row::OutcomeColumns;
use crate::store::codec::unreadable;
use crate::time::Timestamp;

pub(super) async fn change_schedules(
    session: &Session,
    changes: &[ScheduleChange],
) -> Result<Vec<ScheduleApplied>, Fault> {
    let link = session.begin("").await?;
    let applied = change_in(link, changes).await;
    session.end(applied).await
}

async fn change_in(link: Link<'_>, changes: &[ScheduleChange]) -> Result<Vec<ScheduleApplied>, Fault> {
    let mut answers = Vec::new();
    while answers.len() < changes.len() {
        let part = independent_part(&changes[answers.len()..]);
        answers.extend(change_part(link, part).await?);
    }
    Ok(answers)
}

/// The first changes, as far as none hangs on another: of different schedules. Whoever fires what is due sends no others.
fn independent_part(changes: &[ScheduleChange]) -> &[ScheduleChange] {
    let (mut ids, mut names) = (BTreeSet::new(), BTreeSet::new());
    let end = changes
        .iter()
        .position(|change| !ids.insert(change.id) || !names.insert(&change.name));
    &changes[..end.unwrap_or(changes.len())]
}

async fn change_part(link: Link<'_>, changes: &[ScheduleChange]) -> Result<Vec<ScheduleApplied>, Fault> {
    let mut done = write_new(link, changes).await?;
    done.extend(write_known(link, changes).await?);
    let is_done = |change: &&ScheduleChange| done.contains(&change.id.0);
    let (made, left): (Vec<_>, Vec<_>) = changes.iter().partition(is_done);
    insert_jobs(link, &made).await?;
    write_ledgers(link, &made).await?;
    let mut there = there(link, &left).await?;
    let answers = changes.iter().map(|change| match is_done(&change) {
        true => ScheduleApplied::Applied,
        false => match there.remove(&change.id) {
            // What was not to be there, and is not, need not be deleted.
            None if change.expect == 0 && change.becomes.is_none() => ScheduleApplied::Applied,
            None => ScheduleApplied::Stale(None),
            // Nothing else stood against it.
            Some(row) if rev_of(&row) == Some(change.expect) => ScheduleApplied::Refused(locked(change)),
            Some(row) => unreadable::stale(row),
        },
    });
    Ok(answers.collect())
}

fn rev_of(row: &Result<Schedule, UnreadableSchedule>) -> Option<u64> {
    match row {
        Ok(schedule) => Some(schedule.rev),
        Err(unreadable) => unreadable.rev,
    }
}

fn locked(change: &ScheduleChange) -> Error {
    Error::locked(format!(
        "another transaction has locked the schedule {}, which this would write; nothing was stored",
        change.name
    ))
}

/// Inserts the jobs of schedules that were written, but for those that are there already.
async fn insert_jobs(link: Link<'_>, changes: &[&ScheduleChange]) -> Result<(), Fault> {
    let jobs = changes.iter().flat_map(|change| &change.jobs);
    // Of two with one id the first is the one that stays.
    let mut by_id: BTreeMap<_, _> = jobs.rev().map(|job| (job.id().0, job)).collect();
    let ids: Vec<Uuid> = by_id.keys().copied().collect();
    if ids.is_empty() {
        return Ok(());
    }
    // To insert one that somebody holds would be to wait for them, with all these schedules held.
    let sql = include_str!("jobs_there.sql");
    for there in ids_of(&link.query(sql, &[(&ids, Type::UUID_ARRAY)]).await?)? {
        by_id.remove(&there);
    }
    let jobs: Vec<&Job> = by_id.into_values().collect();
    if !jobs.is_empty() {
        insert_absent(link, &jobs).await?;
    }
    Ok(())
}

/// Writes the schedules that are not to be there yet, and answers the ids of those that were not.
async fn write_new(link: Link<'_>, changes: &[ScheduleChange]) -> Result<BTreeSet<Uuid>, Fault> {
    let new = changes.iter().filter(|change| change.expect == 0);
    let mut rows: Vec<&Schedule> = new.filter_map(|change| change.becomes.as_ref()).collect();
    if rows.is_empty() {
        return Ok(BTreeSet::new());
    }
    // Everybody takes names in one order.
    rows.sort_by_key(|row| &row.name);
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id.0).collect();
    let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    let revs: Vec<i64> = rows.iter().map(|row| row.rev.cast_signed()).collect();
    let created: Vec<i64> = rows.iter().map(|row| row.created_at.as_micros()).collect();
    let looks: Vec<Option<i64>> = rows.iter().map(|row| next(row)).collect();
    let plans: Vec<String> = rows.iter().map(|row| write_plan(&row.plan)).collect();
    let standings: Vec<String> = rows.iter().map(|row| write_standing(&row.standing)).collect();
    let params: [Param<'_>; 7] = [
        (&ids, Type::UUID_ARRAY),
        (&names, Type::TEXT_ARRAY),
        (&revs, Type::INT8_ARRAY),
        (&created, Type::INT8_ARRAY),
        (&looks, Type::INT8_ARRAY),
        (&plans, Type::TEXT_ARRAY),
        (&standings, Type::TEXT_ARRAY),
    ];
    ids_of(&link.query(include_str!("schedules_new.sql"), &params).await?)
}

/// Writes or deletes the schedules that are there and have the expected `rev`, and answers their ids.
async fn write_known(link: Link<'_>, changes: &[ScheduleChange]) -> Result<BTreeSet<Uuid>, Fault> {
    let known: Vec<&ScheduleChange> = changes.iter().filter(|change| change.expect != 0).collect();
    if known.is_empty() {
        return Ok(BTreeSet::new());
    }
    let rows = || known.iter().map(|change| change.becomes.as_ref());
    let ids: Vec<Uuid> = known.iter().map(|change| change.id.0).collect();
    let expects: Vec<i64> = known.iter().map(|change| change.expect.cast_signed()).collect();
    let revs: Vec<Option<i64>> = rows().map(|row| Some(row?.rev.cast_signed())).collect();
    let looks: Vec<Option<i64>> = rows().map(|row| next(row?)).collect();
    let new_plan = |change: &&ScheduleChange| {
        let row = change.becomes.as_ref().filter(|_| change.replans)?;
        Some(write_plan(&row.plan))
    };
    let plans: Vec<Option<String>> = known.iter().map(new_plan).collect();
    let standings: Vec<Option<String>> = rows().map(|row| Some(write_standing(&row?.standing))).collect();
    let params: [Param<'_>; 6] = [
        (&ids, Type::UUID_ARRAY),
        (&expects, Type::INT8_ARRAY),
        (&revs, Type::INT8_ARRAY),
        (&looks, Type::INT8_ARRAY),
        (&plans, Type::TEXT_ARRAY),
        (&standings, Type::TEXT_ARRAY),
    ];
    ids_of(&link.query(include_str!("schedules_write.sql"), &params).await?)
}

/// Writes what becomes of the ledgers of schedules that were written.
async fn write_ledgers(link: Link<'_>, changes: &[&ScheduleChange]) -> Result<(), Fault> {
    let dropped = changes
        .iter()
        .flat_map(|change| change.drops.iter().map(|key| (change.id, *key)));
    let dropped: Vec<_> = dropped.collect();
    if !dropped.is_empty() {
        let columns = Keys::of(&dropped);
        link.query(include_str!("occurrences_drop.sql"), &columns.params())
            .await?;
    }
    let written = changes.iter().flat_map(|change| &change.ledger);
    // Of two with one key the last is the one that stays.
    let written: BTreeMap<_, _> = written
        .map(|entry| ((entry.schedule, entry.key()), entry))
        .collect();
    if !written.is_empty() {
        write_entries(link, &written).await?;
    }
    forget(link, changes).await
}

async fn write_entries(
    link: Link<'_>,
    entries: &BTreeMap<(ScheduleId, OccurrenceKey), &Occurrence>,
) -> Result<(), Fault> {
    let keys: Vec<_> = entries.keys().copied().collect();
    let keys = Keys::of(&keys);
    let until: Vec<i64> = entries.values().map(|entry| entry.until.as_micros()).collect();
    let counts: Vec<i64> = entries.values().map(|entry| entry.count.cast_signed()).collect();
    let at: Vec<i64> = entries.values().map(|entry| entry.at.as_micros()).collect();
    let causes: Vec<&str> = entries.values().map(|entry| entry.cause.as_str()).collect();
    let outcomes = || entries.values().map(|entry| OutcomeColumns::of(&entry.outcome));
    let reasons: Vec<Option<&str>> = outcomes().map(|outcome| outcome.reason).collect();
    let jobs: Vec<Option<Uuid>> = outcomes().map(|outcome| outcome.job).collect();
    let missed: Vec<i64> = outcomes().map(|outcome| outcome.missed).collect();
    let rest: [Param<'_>; 7] = [
        (&until, Type::INT8_ARRAY),
        (&counts, Type::INT8_ARRAY),
        (&at, Type::INT8_ARRAY),
        (&causes, Type::TEXT_ARRAY),
        (&reasons, Type::TEXT_ARRAY),
        (&jobs, Type::UUID_ARRAY),
        (&missed, Type::INT8_ARRAY),
    ];
    let params = [&keys.params()[..], &rest].concat();
    link.query(include_str!("occurrences_write.sql"), &params).await?;
    Ok(())
}

/// Drops old entries of the ledgers that are to forget some.
async fn forget(link: Link<'_>, changes: &[&ScheduleChange]) -> Result<(), Fault> {
    let forgetting = || {
        changes
            .iter()
            .filter_map(|change| Some((change.id, change.forget?)))
    };
    let ids: Vec<Uuid> = forgetting().map(|(id, _)| id.0).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let before: Vec<i64> = forgetting()
        .map(|(_, forget)| forget.before.as_micros())
        .collect();
    let keep: Vec<i64> = forgetting().map(|(_, forget)| number(forget.keep)).collect();
    let most = number(limits::LEDGER_FORGOTTEN);
    let params: [Param<'_>; 4] = [
        (&ids, Type::UUID_ARRAY),
        (&before, Type::INT8_ARRAY),
        (&keep, Type::INT8_ARRAY),
        (&most, Type::INT8),
    ];
    link.query(include_str!("occurrences_forget.sql"), &params)
        .await?;
    Ok(())
}

/// The rows that stand against these changes, as far as they can be read.
async fn there(
    link: Link<'_>,
    changes: &[&ScheduleChange],
) -> Result<BTreeMap<ScheduleId, Result<Schedule, UnreadableSchedule>>, Fault> {
    let mut found = BTreeMap::new();
    let (new, known): (Vec<&ScheduleChange>, Vec<&ScheduleChange>) =
        changes.iter().copied().partition(|change| change.expect == 0);
    if !known.is_empty() {
        let ids: Vec<Uuid> = known.iter().map(|change| change.id.0).collect();
        let sql = include_str!("schedules_ids.sql");
        for row in link.query(sql, &[(&ids, Type::UUID_ARRAY)]).await? {
            let row = columns(&row)?;
            found.insert(ScheduleId(row.id), row.read());
        }
    }
    if !new.is_empty() {
        let names: Vec<&str> = new.iter().map(|change| change.name.as_str()).collect();
        for row in link.query(NAMED, &[(&names, Type::TEXT_ARRAY)]).await? {
            let row = columns(&row)?;
            let asked = new.iter().find(|change| change.name.as_str() == row.name);
            found.extend(asked.map(|change| (change.id, row.read())));
        }
    }
    Ok(found)
}

fn next(row: &Schedule) -> Option<i64> {
    row.standing.next.map(Timestamp::as_micros)
}

/// The keys of entries, column by column.
struct Keys {
    schedules: Vec<Uuid>,
    nominal: Vec<i64>,
    triggered: Vec<bool>,
}

impl Keys {
    fn of(keys: &[(ScheduleId, OccurrenceKey)]) -> Keys {
        Keys {
            schedules: keys.iter().map(|(schedule, _)| schedule.0).collect(),
            nominal: keys.iter().map(|(_, key)| key.nominal_at.as_micros()).collect(),
            triggered: keys.iter().map(|(_, key)| key.triggered).collect(),
        }
    }

    fn params(&self) -> [Param<'_>; 3] {
        [
            (&self.schedules, Type::UUID_ARRAY),
            (&self.nominal, Type::INT8_ARRAY),
            (&self.triggered, Type::BOOL_ARRAY),
        ]
    }
}
