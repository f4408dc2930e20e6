//! Schedules and their ledgers.

use rusqlite::types::ToSql;
use rusqlite::{Connection, Row, params};

use super::claim::number;
use super::fault::Fault;
use super::insert::insert;
use super::row::Columns;
use super::writing::{Writing, all, first};
use crate::change::{Forget, ScheduleApplied, ScheduleChange};
use crate::limits;
use crate::schedule::{AT_ONCE, Occurrence, OccurrenceKey, Schedule, ScheduleId};
use crate::store::codec::schedule::{write_plan, write_standing};
use crate::store::codec::schedule_row::{OutcomeColumns, ScheduleColumns, read_cause};
use crate::store::codec::unreadable;
use crate::store::{ScheduleRows, Schedules};
use crate::time::Timestamp;

const NAMED: &str = include_str!("schedules_named.sql");

pub(super) fn change(
    writing: &mut Writing<'_>,
    changes: &[ScheduleChange],
) -> Result<Vec<ScheduleApplied>, Fault> {
    changes.iter().map(|change| change_one(writing, change)).collect()
}

/// Has a schedule looked at now, if it is there.
pub(super) fn poke(writing: &Writing<'_>, schedule: ScheduleId) -> Result<(), Fault> {
    let poked = params![schedule.0.as_bytes(), AT_ONCE.as_micros()];
    writing.execute(include_str!("schedules_poke.sql"), poked)?;
    Ok(())
}

pub(super) fn schedules(connection: &Connection, which: &Schedules) -> Result<ScheduleRows, Fault> {
    let mut found = ScheduleRows::default();
    let mut read = |sql: &str, params: &[&dyn ToSql]| -> Result<(), Fault> {
        all(connection, sql, params, |row| {
            columns(row)?.add_to(&mut found);
            Ok(())
        })
        .map(drop)
    };
    match which {
        Schedules::Named(names) => {
            for name in names {
                read(NAMED, params![name.as_str()])?;
            }
        }
        Schedules::All { after, limit } => {
            let after = after.as_ref().map_or("", |name| name.as_str());
            read(include_str!("schedules_all.sql"), params![after, number(*limit)])?;
        }
        Schedules::Next { after, limit } => {
            // What waits for nothing has no next look, so that all others come behind the first place of all.
            let (next, id) = after.unwrap_or((Timestamp::MIN, ScheduleId(uuid::Uuid::nil())));
            let from = params![next.as_micros(), id.0.as_bytes(), number(*limit)];
            read(include_str!("schedules_next.sql"), from)?;
        }
    }
    Ok(found)
}

pub(super) fn occurrences(
    connection: &Connection,
    schedule: ScheduleId,
    before: Option<OccurrenceKey>,
    limit: usize,
) -> Result<Vec<Occurrence>, Fault> {
    let (nominal, triggered) = before.map_or((i64::MAX, true), |key| {
        (key.nominal_at.as_micros(), key.triggered)
    });
    let page = params![schedule.0.as_bytes(), nominal, triggered, number(limit)];
    all(connection, include_str!("occurrences.sql"), page, |row| {
        read_occurrence(row, schedule)
    })
}

fn change_one(writing: &mut Writing<'_>, change: &ScheduleChange) -> Result<ScheduleApplied, Fault> {
    let (id, expect) = (params![change.id.0.as_bytes()], change.expect);
    // What there is matters only where it is not what was expected.
    let there = |sql: &str, key: &[&dyn ToSql]| {
        first(writing.connection(), sql, key, |row| {
            let columns = columns(row)?;
            let is_expected = columns.rev == expect;
            Ok((!is_expected).then(|| columns.read()))
        })
    };
    let there = match expect {
        0 => there(NAMED, params![change.name.as_str()])?,
        _ => there(include_str!("schedules_id.sql"), id)?,
    };
    match there {
        None if expect != 0 => return Ok(ScheduleApplied::Stale(None)),
        Some(Some(other)) => return Ok(unreadable::stale(other)),
        None | Some(None) => {}
    }
    let Some(becomes) = &change.becomes else {
        writing.execute(include_str!("schedules_delete.sql"), id)?;
        writing.execute(include_str!("schedules_delete_ledger.sql"), id)?;
        return Ok(ScheduleApplied::Applied);
    };
    write_row(writing, change, becomes)?;
    insert(writing, &change.jobs)?;
    write_ledger(writing, change)?;
    Ok(ScheduleApplied::Applied)
}

fn write_row(writing: &Writing<'_>, change: &ScheduleChange, row: &Schedule) -> Result<(), Fault> {
    let is_new = change.expect == 0;
    let plan = (is_new || change.replans).then(|| write_plan(&row.plan));
    let id = row.id.0.as_bytes();
    let next = row.standing.next.map(Timestamp::as_micros);
    let standing = write_standing(&row.standing);
    let rev = row.rev.cast_signed();
    if is_new {
        let (name, created) = (row.name.as_str(), row.created_at.as_micros());
        let columns = params![id, rev, next, standing, plan, name, created];
        writing.execute(include_str!("schedules_new.sql"), columns)?;
    } else {
        let columns = params![id, rev, next, standing, plan];
        writing.execute(include_str!("schedules_write.sql"), columns)?;
    }
    Ok(())
}

fn write_ledger(writing: &Writing<'_>, change: &ScheduleChange) -> Result<(), Fault> {
    let id = change.id.0.as_bytes();
    for key in &change.drops {
        let entry = params![id, key.nominal_at.as_micros(), key.triggered];
        writing.execute(include_str!("occurrences_drop.sql"), entry)?;
    }
    for entry in &change.ledger {
        let outcome = OutcomeColumns::of(&entry.outcome);
        let columns = params![
            id,
            entry.nominal_at.as_micros(),
            entry.key().triggered,
            entry.until.as_micros(),
            entry.count.cast_signed(),
            entry.at.as_micros(),
            entry.cause.as_str(),
            outcome.reason,
            outcome.job.map(|job| *job.as_bytes()),
            outcome.missed,
        ];
        writing.execute(include_str!("occurrences_write.sql"), columns)?;
    }
    match change.forget {
        Some(forget) => drop_old(writing, change.id, forget),
        None => Ok(()),
    }
}

fn drop_old(writing: &Writing<'_>, schedule: ScheduleId, forget: Forget) -> Result<(), Fault> {
    if let Some((nominal, triggered)) = last_that_goes(writing.connection(), schedule, forget)? {
        let last = params![schedule.0.as_bytes(), nominal, triggered];
        writing.execute(include_str!("occurrences_forget.sql"), last)?;
    }
    Ok(())
}

/// The key of the last of the oldest entries that are too many or too old.
fn last_that_goes(
    connection: &Connection,
    schedule: ScheduleId,
    forget: Forget,
) -> Result<Option<(i64, i64)>, Fault> {
    let id = schedule.0.as_bytes();
    let count = include_str!("occurrences_count.sql");
    let entries: Option<i64> = first(connection, count, params![id], |row| Ok(row.get(0)?))?;
    let mut too_many = entries.unwrap_or(0) - number(forget.keep);
    let mut last = None;
    let mut oldest = connection.prepare_cached(include_str!("occurrences_oldest.sql"))?;
    let mut rows = oldest.query(params![id, number(limits::LEDGER_FORGOTTEN)])?;
    while let Some(row) = rows.next()? {
        let until: i64 = row.get(2)?;
        if too_many <= 0 && until >= forget.before.as_micros() {
            break;
        }
        last = Some((row.get(0)?, row.get(1)?));
        too_many -= 1;
    }
    Ok(last)
}

/// The columns that each statement about schedules answers.
fn columns<'a>(row: &'a Row<'_>) -> Result<ScheduleColumns<'a>, Fault> {
    let column = Columns { row, first: 0 };
    Ok(ScheduleColumns {
        id: column.id(0)?.0,
        name: column.text(1)?,
        rev: row.get::<_, i64>(2)?.cast_unsigned(),
        next: column.instant_if_any(3)?,
        created_at: column.instant(4)?,
        plan: column.text(5)?,
        standing: column.text(6)?,
    })
}

fn read_occurrence(row: &Row<'_>, schedule: ScheduleId) -> Result<Occurrence, Fault> {
    let column = Columns { row, first: 0 };
    let outcome = OutcomeColumns {
        reason: column.text_if_any(5)?,
        job: row.get::<_, Option<[u8; 16]>>(6)?.map(uuid::Uuid::from_bytes),
        missed: row.get(7)?,
    };
    Ok(Occurrence {
        schedule,
        nominal_at: column.instant(0)?,
        until: column.instant(1)?,
        count: row.get::<_, i64>(2)?.cast_unsigned(),
        at: column.instant(3)?,
        cause: read_cause(column.text(4)?)?,
        outcome: outcome.read()?,
    })
}
