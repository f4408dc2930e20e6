//! Schedules and their ledgers, as they are read; and the pokes of schedules that wait for the end of a job.

use std::collections::BTreeMap;

use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::claim::number;
use super::fault::Fault;
use super::row::Columns;
use super::session::{Link, Param, Session};
use crate::change::{Applied, Change};
use crate::schedule::{AT_ONCE, Occurrence, OccurrenceKey, ScheduleId, ScheduleName};
use crate::store::codec::schedule_row::{OutcomeColumns, ScheduleColumns, read_cause};
use crate::store::{ScheduleRows, Schedules};
use crate::time::Timestamp;

/// Which schedules have one of the names in `$1`.
pub(super) const NAMED: &str = include_str!("schedules_named.sql");

pub(super) async fn schedules(session: &Session, which: &Schedules) -> Result<ScheduleRows, Fault> {
    let rows = match which {
        Schedules::Named(names) => return named(session, names).await,
        Schedules::All { after, limit } => {
            let (after, limit) = (after.as_ref().map_or("", ScheduleName::as_str), number(*limit));
            let params: [Param<'_>; 2] = [(&after, Type::TEXT), (&limit, Type::INT8)];
            session.read(include_str!("schedules_all.sql"), &params).await?
        }
        Schedules::Next { after, limit } => {
            // No next look comes before all others.
            let (next, id) = after.unwrap_or((Timestamp::MIN, ScheduleId(Uuid::nil())));
            let (next, limit) = (next.as_micros(), number(*limit));
            let params: [Param<'_>; 3] = [(&next, Type::INT8), (&id.0, Type::UUID), (&limit, Type::INT8)];
            session.read(include_str!("schedules_next.sql"), &params).await?
        }
    };
    let mut found = ScheduleRows::default();
    for row in &rows {
        columns(row)?.add_to(&mut found);
    }
    Ok(found)
}

/// Those of these names, in this order.
async fn named(session: &Session, names: &[ScheduleName]) -> Result<ScheduleRows, Fault> {
    let texts: Vec<&str> = names.iter().map(ScheduleName::as_str).collect();
    let rows = session.read(NAMED, &[(&texts, Type::TEXT_ARRAY)]).await?;
    let rows = rows.iter().map(|row| columns(row).map(|row| (row.name, row)));
    let rows = rows.collect::<Result<BTreeMap<_, _>, _>>()?;
    let mut found = ScheduleRows::default();
    let in_order = texts.iter().filter_map(|name| rows.get(name));
    in_order.for_each(|row| row.add_to(&mut found));
    Ok(found)
}

pub(super) async fn occurrences(
    session: &Session,
    schedule: ScheduleId,
    before: Option<OccurrenceKey>,
    limit: usize,
) -> Result<Vec<Occurrence>, Fault> {
    let (nominal, triggered) = before.map_or((i64::MAX, true), |key| {
        (key.nominal_at.as_micros(), key.triggered)
    });
    let limit = number(limit);
    let params: [Param<'_>; 4] = [
        (&schedule.0, Type::UUID),
        (&nominal, Type::INT8),
        (&triggered, Type::BOOL),
        (&limit, Type::INT8),
    ];
    let rows = session.read(include_str!("occurrences.sql"), &params).await?;
    rows.iter().map(|row| read_occurrence(row, schedule)).collect()
}

/// Has the schedules looked at now that these changes poke, as far as the changes were made and the schedules are there.
pub(super) async fn poke(link: Link<'_>, changes: &[Change], applied: &[Applied]) -> Result<(), Fault> {
    let mut pokes: BTreeMap<Uuid, i64> = BTreeMap::new();
    for (change, applied) in changes.iter().zip(applied) {
        if let (Some(schedule), Applied::Applied) = (change.pokes, applied) {
            *pokes.entry(schedule.0).or_default() += 1;
        }
    }
    if pokes.is_empty() {
        return Ok(());
    }
    let (ids, times): (Vec<Uuid>, Vec<i64>) = pokes.into_iter().unzip();
    let next = AT_ONCE.as_micros();
    let params: [Param<'_>; 3] = [
        (&ids, Type::UUID_ARRAY),
        (&times, Type::INT8_ARRAY),
        (&next, Type::INT8),
    ];
    link.query(include_str!("schedules_poke.sql"), &params).await?;
    Ok(())
}

/// The columns that each statement about schedules answers.
pub(super) fn columns(row: &Row) -> Result<ScheduleColumns<'_>, Fault> {
    let column = Columns::of(row);
    Ok(ScheduleColumns {
        id: column.get(0)?,
        name: column.get(1)?,
        rev: column.get::<i64>(2)?.cast_unsigned(),
        next: column.instant_if_any(3)?,
        created_at: column.instant(4)?,
        plan: column.get(5)?,
        standing: column.get(6)?,
    })
}

fn read_occurrence(row: &Row, schedule: ScheduleId) -> Result<Occurrence, Fault> {
    let column = Columns::of(row);
    let outcome = OutcomeColumns {
        reason: column.get(5)?,
        job: column.get(6)?,
        missed: column.get(7)?,
    };
    Ok(Occurrence {
        schedule,
        nominal_at: column.instant(0)?,
        until: column.instant(1)?,
        count: column.get::<i64>(2)?.cast_unsigned(),
        at: column.instant(3)?,
        cause: read_cause(column.get(4)?)?,
        outcome: outcome.read()?,
    })
}
