//! List: rows in the order of a view, one page at a time.
//!
//! Each view is a merge of lanes, and each lane is a stretch of an index in its own order: waiting jobs have one for
//! each queue and priority, ended ones one for each queue and state. A merge reads the keys of its lanes piece by
//! piece, and then the heads of those rows only that come next.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use rusqlite::{Connection, Params, Row, params};

use super::claim::number;
use super::counts::by_queue;
use super::fault::Fault;
use super::row::Columns;
use super::writing::{all, first};
use crate::error::Error;
use crate::job::{JobId, State, Status};
use crate::limits;
use crate::queue::QueueName;
use crate::run::WorkerId;
use crate::store::findings::if_readable;
use crate::store::{Cursor, Filter, Head, Listed, Page, View, codec};
use crate::time::Timestamp;

pub(super) fn list(
    connection: &Connection,
    filter: &Filter,
    page: &Page,
    now: Timestamp,
) -> Result<Listed, Fault> {
    let lanes = lanes(connection, filter)?;
    let mut merge = Merge::begin(connection, lanes, start(filter, page.after), page.limit)?;
    let mut items = Vec::new();
    let mut last = None;
    for _ in 0..limits::PAGE_ROWS {
        let Some(key) = merge.next()? else {
            return Ok(Listed { items, next: None });
        };
        last = Some(key);
        let head = if_readable(key.id, read_head(connection, key.row, now), Fault::is_of_a_row)?;
        items.extend(head.filter(|head| filter.matches(head)));
        if items.len() == page.limit {
            break;
        }
    }
    let next = match merge.next()? {
        None => None,
        Some(_) => last.map(|key| cursor(filter.view, key)),
    };
    Ok(Listed { items, next })
}

/// Where a row stands in its view: by `order`, then by id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    /// The instant in microseconds, negative where the newest comes first; zero where ids alone count.
    order: i64,
    id: JobId,
    row: i64,
}

/// A stretch of an index.
enum Lane {
    All,
    Holder(String),
    Waiting(QueueName, u8),
    Running,
    /// Running rows that were inserted without an alarm: they come last, as if it were the last instant of all.
    RunningWithoutAlarm,
    Ended(QueueName, State),
    /// Ended rows that were inserted without an end: they come last, as if it were the first instant of all.
    EndedWithoutInstant(QueueName, State),
}

impl Lane {
    /// Up to `count` keys behind `after`.
    fn keys(&self, connection: &Connection, after: Key, count: usize) -> Result<VecDeque<Key>, Fault> {
        let (at, id, count) = (after.order, after.id.0.as_bytes(), number(count));
        let read = |sql: &str, params: &[&dyn rusqlite::ToSql]| keys(connection, sql, params);
        match self {
            Lane::All => read(include_str!("list_all.sql"), params![id, count]),
            Lane::Holder(key) => {
                let found = read(include_str!("list_holder.sql"), params![key])?;
                Ok(found
                    .into_iter()
                    .filter(|found| (found.order, found.id) > (at, after.id))
                    .collect())
            }
            Lane::Waiting(queue, priority) => read(
                include_str!("list_waiting.sql"),
                params![queue.as_str(), priority, at, id, count],
            ),
            Lane::Running => read(include_str!("list_running.sql"), params![at, id, count]),
            Lane::RunningWithoutAlarm => {
                let last = Timestamp::MAX.as_micros();
                let id = behind(id, at >= last);
                read(include_str!("list_running_rest.sql"), params![last, id, count])
            }
            Lane::Ended(queue, state) => {
                let lane = (queue.as_str(), codec::state_number(*state));
                let at = at.saturating_neg();
                let same = params![lane.0, lane.1, at, id, count];
                let mut found = read(include_str!("list_ended_then.sql"), same)?;
                let missing = count - number(found.len());
                let before = params![lane.0, lane.1, at, missing];
                found.extend(read(include_str!("list_ended.sql"), before)?);
                Ok(found)
            }
            Lane::EndedWithoutInstant(queue, state) => {
                let last = Timestamp::MIN.as_micros().saturating_neg();
                let id = behind(id, at >= last);
                let lane = params![queue.as_str(), codec::state_number(*state), last, id, count];
                read(include_str!("list_ended_rest.sql"), lane)
            }
        }
    }
}

/// The id behind which a lane goes on, or, if it has not begun, one that stands before all.
fn behind(id: &[u8], begun: bool) -> &[u8] {
    if begun { id } else { &[] }
}

fn keys(connection: &Connection, sql: &str, params: impl Params) -> Result<VecDeque<Key>, Fault> {
    let keys = all(connection, sql, params, |row| {
        Ok(Key {
            order: row.get(0)?,
            id: Columns { row, first: 0 }.id(1)?,
            row: row.get(2)?,
        })
    })?;
    Ok(keys.into())
}

/// The lanes of a view. A row is in exactly one of them.
fn lanes(connection: &Connection, filter: &Filter) -> Result<Vec<Lane>, Fault> {
    if let (Some(key), View::All) = (&filter.unique_key, filter.view) {
        return Ok(vec![Lane::Holder(key.clone())]);
    }
    let in_state = |state: State| -> Result<Vec<QueueName>, Fault> {
        Ok(filter.queues_with(state, by_queue(connection)?))
    };
    Ok(match filter.view {
        View::All => vec![Lane::All],
        View::Running => vec![Lane::Running, Lane::RunningWithoutAlarm],
        View::Waiting => in_state(State::Waiting)?
            .into_iter()
            .flat_map(|queue| {
                (0..=limits::PRIORITY_MAX).map(move |priority| Lane::Waiting(queue.clone(), priority))
            })
            .collect(),
        View::Ended(wanted) => {
            let mut lanes = Vec::new();
            for state in State::ALL.into_iter().filter(|state| state.is_ended()) {
                if wanted.is_some_and(|wanted| wanted != state) {
                    continue;
                }
                for queue in in_state(state)? {
                    lanes.push(Lane::Ended(queue.clone(), state));
                    lanes.push(Lane::EndedWithoutInstant(queue, state));
                }
            }
            lanes
        }
    })
}

/// The place behind which the page begins.
fn start(filter: &Filter, after: Option<Cursor>) -> Key {
    let beginning = Key {
        order: i64::MIN,
        id: JobId(uuid::Uuid::nil()),
        row: 0,
    };
    let cursor = after.map(|cursor| Key {
        order: match filter.view {
            View::All => 0,
            View::Waiting | View::Running => cursor.at.as_micros(),
            View::Ended(_) => cursor.at.as_micros().saturating_neg(),
        },
        id: cursor.id,
        row: 0,
    });
    // What ended too late, or is due too early, is not even passed.
    let bound = match (filter.view, filter.ended_before, filter.due_after) {
        (View::Ended(_), Some(end), _) => Some(end.as_micros().saturating_neg()),
        (View::Waiting, _, Some(start)) => Some(start.as_micros().saturating_sub(1)),
        _ => None,
    };
    let bound = bound.map(|order| Key {
        order,
        id: JobId(uuid::Uuid::max()),
        row: 0,
    });
    [cursor, bound].into_iter().flatten().fold(beginning, Key::max)
}

fn cursor(view: View, key: Key) -> Cursor {
    let at = match view {
        View::All => Timestamp::EPOCH,
        View::Waiting | View::Running => Timestamp::from_micros(key.order),
        View::Ended(_) => Timestamp::from_micros(key.order.saturating_neg()),
    };
    Cursor { at, id: key.id }
}

/// Lanes, read piece by piece and merged.
struct Merge<'a> {
    connection: &'a Connection,
    lanes: Vec<Reading>,
    /// The first key of each lane that is not at its end, with the lane's place.
    firsts: BinaryHeap<Reverse<(Key, usize)>>,
    /// How many keys a lane is asked for at once.
    piece: usize,
}

struct Reading {
    lane: Lane,
    read: VecDeque<Key>,
}

impl<'a> Merge<'a> {
    fn begin(
        connection: &'a Connection,
        lanes: Vec<Lane>,
        after: Key,
        wanted: usize,
    ) -> Result<Merge<'a>, Fault> {
        let piece = wanted.div_ceil(lanes.len().max(1)) + 1;
        let mut merge = Merge {
            connection,
            lanes: Vec::new(),
            firsts: BinaryHeap::new(),
            piece,
        };
        for lane in lanes {
            let read = VecDeque::new();
            merge.lanes.push(Reading { lane, read });
            merge.advance(merge.lanes.len() - 1, after)?;
        }
        Ok(merge)
    }

    fn next(&mut self) -> Result<Option<Key>, Fault> {
        let Some(Reverse((key, place))) = self.firsts.pop() else {
            return Ok(None);
        };
        self.advance(place, key)?;
        Ok(Some(key))
    }

    /// Puts the lane's key after this one among the first.
    fn advance(&mut self, place: usize, after: Key) -> Result<(), Fault> {
        let reading = &mut self.lanes[place];
        if reading.read.is_empty() {
            reading.read = reading.lane.keys(self.connection, after, self.piece)?;
        }
        if let Some(key) = reading.read.pop_front() {
            self.firsts.push(Reverse((key, place)));
        }
        Ok(())
    }
}

fn read_head(connection: &Connection, row: i64, now: Timestamp) -> Result<Head, Fault> {
    let sql = include_str!("list_head.sql");
    let head = first(connection, sql, params![row], |row| head_of(row, now))?;
    head.ok_or_else(|| Fault::Told(Error::internal("an index names a row that is not there")))
}

fn head_of(row: &Row<'_>, now: Timestamp) -> Result<Head, Fault> {
    let column = Columns { row, first: 0 };
    let mut status = Status::waiting(row.get::<_, i64>(6)?.cast_unsigned(), column.instant(9)?);
    status.state = codec::read_state(row.get(5)?)?;
    status.attempt = row.get(8)?;
    status.cancel = row.get::<_, bool>(16)?.then(String::new);
    Ok(Head {
        id: column.id(0)?,
        queue: QueueName::from(column.text(1)?),
        kind: row.get(2)?,
        priority: row.get(3)?,
        created_at: column.instant(4)?,
        state: status.state,
        phase: status.phase(now),
        rev: status.rev,
        run: row.get::<_, i64>(7)?.cast_unsigned(),
        attempt: status.attempt,
        due: status.due,
        alarm: column.instant_if_any(10)?,
        started_at: column.instant_if_any(11)?,
        ended_at: column.instant_if_any(12)?,
        worker: column.text_if_any(13)?.map(WorkerId::from),
        unique_key: row.get(14)?,
        key_until: column.instant_if_any(15)?,
        failure: column.text_if_any(17)?.map(codec::read_failure).transpose()?,
        tags: codec::read_texts(column.text_if_any(18)?)?,
        deferred: row.get(19)?,
    })
}
