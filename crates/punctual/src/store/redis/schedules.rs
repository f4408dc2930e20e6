//! Schedules and their ledgers.

mod form;

use redis::Value;
use uuid::Uuid;

use self::form::{read_entry, read_schedule, write_entry, write_key, write_row};
use super::batch::Batches;
use super::insert::push_all;
use super::link::Link;
use super::order::{instant, read_instant};
use super::reply;
use super::script::{Arguments, CHANGE_SCHEDULES, SCHEDULES};
use crate::change::{ScheduleApplied, ScheduleChange};
use crate::error::Error;
use crate::limits;
use crate::schedule::{Occurrence, OccurrenceKey, ScheduleId, ScheduleName};
use crate::store::codec::schedule::write_plan;
use crate::store::codec::unreadable;
use crate::store::{ScheduleRows, Schedules, UnreadableSchedule};

/// An order in which schedules stand.
#[derive(Clone, Copy)]
enum Index {
    /// Of all schedules the name, a zero byte, and the id.
    Names,
    /// Of those that somebody has to look at when, and the id.
    Looks,
}

pub(super) async fn change(link: &Link, changes: &[ScheduleChange]) -> Result<Vec<ScheduleApplied>, Error> {
    let mut batches = Batches::default();
    for change in changes {
        let rows = 1 + change.jobs.len() + change.ledger.len() + change.drops.len();
        batches.add(rows, |arguments| push(arguments, change));
    }
    let answers = batches.write(link, &CHANGE_SCHEDULES).await?;
    answers.into_iter().map(read).collect()
}

fn push(arguments: &mut Arguments, change: &ScheduleChange) {
    let row = change.becomes.as_ref();
    let replanned = row.filter(|_| change.replans || change.expect == 0);
    arguments
        .bytes(change.id.0.as_bytes())
        .bytes(change.name.as_str())
        .bytes(change.expect.to_be_bytes())
        .bytes(row.map(write_row).unwrap_or_default())
        .bytes(replanned.map(|row| write_plan(&row.plan)).unwrap_or_default());
    push_all(arguments, &change.jobs);
    arguments.number(change.drops.len());
    arguments.each(change.drops.iter().map(|key| write_key(*key)));
    arguments.number(change.ledger.len());
    arguments.each(change.ledger.iter().map(write_entry));
    match change.forget {
        Some(forget) => arguments.bytes(instant(forget.before)).number(forget.keep),
        None => arguments.bytes("").number(0),
    };
    arguments.number(limits::LEDGER_FORGOTTEN);
}

fn read(answer: Value) -> Result<ScheduleApplied, Error> {
    if let Value::Array(_) = answer {
        let [id, row, plan] = reply::parts(answer)?;
        let id = ScheduleId(Uuid::from_bytes(reply::fixed(&reply::bytes(id)?)?));
        let there = read_schedule(id, &reply::bytes(row)?, &reply::bytes(plan)?);
        return Ok(unreadable::stale(there));
    }
    match reply::bytes(answer)?.as_slice() {
        b"A" => Ok(ScheduleApplied::Applied),
        b"M" => Ok(ScheduleApplied::Stale(None)),
        _ => Err(Error::internal(
            "Redis gave an unknown answer to a change of a schedule",
        )),
    }
}

pub(super) async fn schedules(link: &Link, which: &Schedules) -> Result<ScheduleRows, Error> {
    match which {
        Schedules::Named(names) => named(link, names).await,
        Schedules::All { after, limit } => {
            let behind = |name: &ScheduleName| [b"(", name.as_str().as_bytes(), b"\x01"].concat();
            page(link, Index::Names, after.as_ref().map(behind), *limit).await
        }
        Schedules::Next { after, limit } => {
            let behind = after.map(|(at, id)| [&b"("[..], &instant(at), id.0.as_bytes()].concat());
            page(link, Index::Looks, behind, *limit).await
        }
    }
}

async fn named(link: &Link, names: &[ScheduleName]) -> Result<ScheduleRows, Error> {
    let mut rows = ScheduleRows::default();
    let mut left = names;
    while !left.is_empty() {
        let of_name = |name: &ScheduleName| {
            let name = name.as_str().as_bytes();
            Range {
                from: [b"[", name, b"\x00"].concat(),
                to: [b"(", name, b"\x01"].concat(),
                count: 1,
            }
        };
        let ranges: Vec<Range> = left.iter().take(limits::SCRIPT_ITEMS).map(of_name).collect();
        let look = look(link, Index::Names, &ranges).await?;
        look.add_to(&mut rows);
        left = left.get(look.ranges.max(1)..).unwrap_or_default();
    }
    Ok(rows)
}

async fn page(link: &Link, index: Index, from: Option<Vec<u8>>, limit: usize) -> Result<ScheduleRows, Error> {
    let mut rows = ScheduleRows::default();
    let mut left = limit;
    let mut range = Range {
        from: from.unwrap_or_else(|| b"-".to_vec()),
        to: b"+".to_vec(),
        count: 0,
    };
    while left > 0 {
        range.count = left.min(limits::SCRIPT_ITEMS);
        let look = look(link, index, std::slice::from_ref(&range)).await?;
        look.add_to(&mut rows);
        left = left.saturating_sub(look.found.len());
        let is_end = look.ranges == 1 && look.found.len() < range.count;
        let Some([member, ..]) = look.found.last().filter(|_| !is_end) else {
            break;
        };
        range.from = [b"(", &member[..]].concat();
    }
    Ok(rows)
}

/// Members of an index, as ZRANGEBYLEX takes them.
struct Range {
    from: Vec<u8>,
    to: Vec<u8>,
    count: usize,
}

struct Look {
    index: Index,
    /// How many of the ranges were read to their ends. A look ends early when its answer has grown large, though not before it
    /// has found something.
    ranges: usize,
    /// Of each schedule its member of the index, its row and its plan.
    found: Vec<[Vec<u8>; 3]>,
}

async fn look(link: &Link, index: Index, ranges: &[Range]) -> Result<Look, Error> {
    let mut arguments = Arguments::default();
    arguments.bytes(index.key()).number(limits::SCRIPT_BYTES);
    for Range { from, to, count } in ranges {
        arguments.bytes(from).bytes(to).number(count);
    }
    let [ranges, found] = reply::parts(link.read(&SCHEDULES, arguments).await?)?;
    let found = reply::array(found)?.into_iter().map(|found| {
        let [member, row, plan] = reply::parts(found)?;
        Ok([reply::bytes(member)?, reply::bytes(row)?, reply::bytes(plan)?])
    });
    Ok(Look {
        index,
        ranges: usize::try_from(reply::number(ranges)?).unwrap_or_default(),
        found: found.collect::<Result<_, Error>>()?,
    })
}

impl Look {
    fn add_to(&self, rows: &mut ScheduleRows) {
        for [member, row, plan] in &self.found {
            let Some((place, id)) = member.split_last_chunk::<16>() else {
                continue;
            };
            match read_schedule(ScheduleId(Uuid::from_bytes(*id)), row, plan) {
                Ok(schedule) => rows.items.push(schedule),
                Err(mut unreadable) => {
                    self.index.tell(place, &mut unreadable);
                    rows.unreadable.push(unreadable);
                }
            }
        }
    }
}

impl Index {
    fn key(self) -> &'static str {
        match self {
            Index::Names => "sched:names",
            Index::Looks => "sched:next",
        }
    }

    /// Tells of a schedule whatever its place says, since its row may say nothing.
    fn tell(self, place: &[u8], of: &mut UnreadableSchedule) {
        match (self, place.split_last()) {
            (Index::Names, Some((_, name))) => {
                of.name = ScheduleName::from(String::from_utf8_lossy(name).into_owned());
            }
            (Index::Looks, _) => of.next = reply::fixed(place).ok().map(read_instant),
            (Index::Names, None) => {}
        }
    }
}

pub(super) async fn occurrences(
    link: &Link,
    schedule: ScheduleId,
    before: Option<OccurrenceKey>,
    limit: usize,
) -> Result<Vec<Occurrence>, Error> {
    let before = before.map_or(b"+".to_vec(), |key| [&b"("[..], &write_key(key)].concat());
    let mut range = redis::cmd("ZREVRANGEBYLEX");
    range.arg(link.key_of("occ:", schedule.0.as_bytes()));
    range.arg(before).arg("-").arg("LIMIT").arg(0).arg(limit);
    let entries = reply::list(link.ask(range).await?)?;
    entries.iter().map(|entry| read_entry(schedule, entry)).collect()
}
