//! List: rows in the order of a view, one page at a time.
//!
//! Each statement merges lanes, and each lane is a stretch of an index in its own order: waiting jobs have one for each
//! queue and priority, ended ones one for each queue and state.

use std::collections::VecDeque;

use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::claim::number;
use super::fault::Fault;
use super::row::Columns;
use super::session::{Param, Session};
use crate::error::Error;
use crate::job::{Failure, JobId, State, Status};
use crate::limits;
use crate::queue::QueueName;
use crate::run::WorkerId;
use crate::store::findings::if_readable;
use crate::store::{Cursor, Filter, Head, Listed, Page, View, codec};
use crate::time::Timestamp;

pub(super) async fn list(session: &Session, filter: &Filter, page: &Page) -> Result<Listed, Fault> {
    let now = now(session, filter).await?;
    let mut behind = start(filter, page.after);
    let mut rows = VecDeque::new();
    let (mut items, mut passed, mut more) = (Vec::new(), 0, true);
    // The page itself and the row behind it; and where few of them match, as many as may be.
    let mut ask = page.limit + 1;
    loop {
        if rows.is_empty() && more {
            rows = VecDeque::from(read_rows(session, filter, behind, ask).await?);
            more = rows.len() == ask;
            ask = limits::PAGE_ITEMS;
        }
        let Some(row) = rows.pop_front() else {
            return Ok(Listed { items, next: None });
        };
        if items.len() == page.limit || passed == limits::PAGE_ROWS {
            let next = Some(cursor(filter.view, behind));
            return Ok(Listed { items, next });
        }
        passed += 1;
        behind = place(filter.view, &row)?;
        let head = if_readable(behind.1, head_of(&row, now), Fault::is_of_a_row)?;
        items.extend(head.filter(|head| filter.matches(head)));
    }
}

/// A row's place in its view: the instant, and the id.
type Place = (i64, JobId);

/// The store's time, by which phases are told.
async fn now(session: &Session, filter: &Filter) -> Result<Timestamp, Fault> {
    if let Some(now) = filter.now {
        return Ok(now);
    }
    let nothing: Option<i64> = None;
    let rows = session
        .read(include_str!("now.sql"), &[(&nothing, Type::INT8)])
        .await?;
    let row = rows
        .first()
        .ok_or_else(|| Error::internal("the server told no time"))?;
    Columns::of(row).instant(0)
}

/// The place behind which the page begins. What ended too late, or is due too early, is not even passed.
fn start(filter: &Filter, after: Option<Cursor>) -> Place {
    let after = after.map(|cursor| (cursor.at.as_micros(), cursor.id));
    let last_id = JobId(Uuid::max());
    if matches!(filter.view, View::Ended(_)) {
        let beginning = (i64::MAX, JobId(Uuid::nil()));
        let bound = filter.ended_before.map(|end| (end.as_micros(), last_id));
        let earlier = |a: Place, b: Place| if (b.0, a.1) < (a.0, b.1) { b } else { a };
        return [after, bound].into_iter().flatten().fold(beginning, earlier);
    }
    let beginning = (i64::MIN, JobId(Uuid::nil()));
    let bound = filter.due_after.filter(|_| filter.view == View::Waiting);
    let bound = bound.map(|start| (start.as_micros().saturating_sub(1), last_id));
    [after, bound].into_iter().flatten().fold(beginning, Place::max)
}

async fn read_rows(
    session: &Session,
    filter: &Filter,
    (at, id): Place,
    count: usize,
) -> Result<Vec<Row>, Fault> {
    let (id, count) = (id.0, number(count));
    let queue = filter.queue.as_ref().map(QueueName::as_str);
    match (filter.view, &filter.unique_key) {
        (View::All, Some(key)) => {
            let params: [Param<'_>; 2] = [(key, Type::TEXT), (&id, Type::UUID)];
            session.read(include_str!("list_holder.sql"), &params).await
        }
        (View::All, None) => {
            let params: [Param<'_>; 2] = [(&id, Type::UUID), (&count, Type::INT8)];
            session.read(include_str!("list_all.sql"), &params).await
        }
        (View::Waiting, _) => {
            let params: [Param<'_>; 4] = [
                (&queue, Type::TEXT),
                (&at, Type::INT8),
                (&id, Type::UUID),
                (&count, Type::INT8),
            ];
            session.read(include_str!("list_waiting.sql"), &params).await
        }
        (View::Running, _) => {
            let last = Timestamp::MAX.as_micros();
            let params: [Param<'_>; 4] = [
                (&at, Type::INT8),
                (&id, Type::UUID),
                (&last, Type::INT8),
                (&count, Type::INT8),
            ];
            session.read(include_str!("list_running.sql"), &params).await
        }
        (View::Ended(wanted), _) => {
            let states = State::ALL.into_iter().filter(|state| state.is_ended());
            let states = states.filter(|state| wanted.is_none_or(|wanted| wanted == *state));
            let states: Vec<i16> = states.map(codec::state_number).collect();
            let first = Timestamp::MIN.as_micros();
            let params: [Param<'_>; 6] = [
                (&queue, Type::TEXT),
                (&at, Type::INT8),
                (&id, Type::UUID),
                (&count, Type::INT8),
                (&states, Type::INT2_ARRAY),
                (&first, Type::INT8),
            ];
            session.read(include_str!("list_ended.sql"), &params).await
        }
    }
}

fn place(view: View, row: &Row) -> Result<Place, Fault> {
    let column = Columns::of(row);
    let at = match view {
        View::All => i64::MIN,
        View::Waiting => column.get(9)?,
        View::Running => column
            .get::<Option<i64>>(10)?
            .unwrap_or(Timestamp::MAX.as_micros()),
        View::Ended(_) => column
            .get::<Option<i64>>(12)?
            .unwrap_or(Timestamp::MIN.as_micros()),
    };
    Ok((at, column.id(0)?))
}

fn cursor(view: View, (at, id): Place) -> Cursor {
    let at = match view {
        View::All => Timestamp::EPOCH,
        View::Waiting | View::Running | View::Ended(_) => Timestamp::from_micros(at),
    };
    Cursor { at, id }
}

fn head_of(row: &Row, now: Timestamp) -> Result<Head, Fault> {
    let column = Columns::of(row);
    let mut status = Status::waiting(column.get::<i64>(6)?.cast_unsigned(), column.instant(9)?);
    status.state = codec::read_state(column.get(5)?)?;
    status.attempt = column.get::<i32>(8)?.cast_unsigned();
    status.cancel = column.get::<bool>(16)?.then(String::new);
    let failure: Option<Failure> = column
        .get::<Option<&str>>(17)?
        .map(codec::read_failure)
        .transpose()?;
    Ok(Head {
        id: column.id(0)?,
        queue: QueueName::from(column.get::<&str>(1)?),
        kind: column.get(2)?,
        priority: column.number::<i16, u8>(3)?,
        created_at: column.instant(4)?,
        state: status.state,
        phase: status.phase(now),
        rev: status.rev,
        run: column.get::<i64>(7)?.cast_unsigned(),
        attempt: status.attempt,
        due: status.due,
        alarm: column.instant_if_any(10)?,
        started_at: column.instant_if_any(11)?,
        ended_at: column.instant_if_any(12)?,
        worker: column.get::<Option<&str>>(13)?.map(WorkerId::from),
        unique_key: column.get(14)?,
        key_until: column.instant_if_any(15)?,
        failure,
        tags: codec::read_texts(column.get(18)?)?,
        deferred: column.get(19)?,
    })
}
