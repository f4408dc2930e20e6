//! List: rows in the order of a view, one page at a time.
//!
//! Each view is a merge of lanes, and each lane is an index in its own order: waiting jobs have one for each queue and
//! priority, ended ones one for each queue and state. A look reads a piece of each lane and goes as far as the
//! shortest of them tells; then the heads of those rows are read, and those that have moved meanwhile passed over.

use futures_util::future;
use uuid::Uuid;

use super::counts::{by_queue, line};
use super::fetch::fetch_each;
use super::insert::id_of;
use super::link::Link;
use super::order::{Place, backwards, instant, read_instant};
use super::row::read_head;
use super::script::{Arguments, HEADS};
use super::{overdue::server_time, reply};
use crate::error::Error;
use crate::job::{JobId, State};
use crate::limits;
use crate::queue::QueueName;
use crate::store::{Cursor, Filter, Head, Listed, Page, View};
use crate::time::Timestamp;

pub(super) async fn list(link: &Link, filter: &Filter, page: &Page) -> Result<Listed, Error> {
    let now = match filter.now {
        Some(now) => now,
        None => server_time(link).await?,
    };
    let lanes = Lanes::of(link, filter).await?;
    let mut items = Vec::new();
    let mut last = start(filter, page.after);
    let mut passed = 0;
    loop {
        let wanted = (page.limit - items.len()).max(limits::SCRIPT_ITEMS);
        let look = lanes
            .look(link, last, wanted.min(limits::PAGE_ROWS - passed))
            .await?;
        let heads = heads(link, &look.places, now).await?;
        for (place, head) in look.places.iter().zip(heads) {
            passed += 1;
            last = Some(*place);
            let head = head.filter(|head| is_at(filter.view, head, place.at));
            items.extend(head.filter(|head| filter.matches(head)));
            if items.len() == page.limit || passed == limits::PAGE_ROWS {
                // The end of a list is told with its last page.
                let more = !lanes.look(link, last, 1).await?.places.is_empty();
                let next = last.filter(|_| more).map(|place| cursor(filter.view, place));
                return Ok(Listed { items, next });
            }
        }
        if look.is_end {
            return Ok(Listed { items, next: None });
        }
    }
}

/// The indexes that a view is merged of. A row is in exactly one of them.
enum Lanes {
    /// The one index whose members are ids alone.
    All(Vec<u8>),
    Holder(Option<JobId>),
    Merged(Vec<Vec<u8>>),
}

/// What a look at all lanes found.
struct Look {
    places: Vec<Place>,
    /// Nothing comes behind these.
    is_end: bool,
}

impl Lanes {
    async fn of(link: &Link, filter: &Filter) -> Result<Lanes, Error> {
        if let (Some(key), View::All) = (&filter.unique_key, filter.view) {
            let mut get = redis::cmd("GET");
            get.arg(link.key_of("key:", key.as_bytes()));
            let holder = reply::bytes_if_any(link.ask(get).await?)?;
            return Ok(Lanes::Holder(holder.map(|id| id_of(&id)).transpose()?));
        }
        let lanes = match filter.view {
            View::All => return Ok(Lanes::All(link.key("all"))),
            View::Running => vec![link.key("running"), link.key("unleased")],
            View::Waiting => queues_with(link, filter, State::Waiting)
                .await?
                .iter()
                .flat_map(|queue| (0..=limits::PRIORITY_MAX).map(move |priority| line(link, queue, priority)))
                .collect(),
            View::Ended(wanted) => {
                let mut lanes = Vec::new();
                let ends = State::ALL.into_iter().filter(|state| state.is_ended());
                for state in ends.filter(|state| wanted.is_none_or(|wanted| wanted == *state)) {
                    for queue in queues_with(link, filter, state).await? {
                        let lane = format!("ended:{}:", state as u8);
                        lanes.push(link.key_of(&lane, queue.as_str().as_bytes()));
                    }
                }
                lanes
            }
        };
        Ok(Lanes::Merged(lanes))
    }

    /// Up to so many places behind `after`: fewer also where more come.
    async fn look(&self, link: &Link, after: Option<Place>, count: usize) -> Result<Look, Error> {
        match self {
            Lanes::All(index) => {
                let from = after.map(|place| [b"(", &place.id.0.as_bytes()[..]].concat());
                let ids = range(link, index, from, count).await?;
                let places = ids.iter().map(|id| {
                    Ok(Place {
                        at: [0; 8],
                        id: id_of(id)?,
                    })
                });
                Ok(Look {
                    is_end: ids.len() < count,
                    places: places.collect::<Result<_, Error>>()?,
                })
            }
            Lanes::Holder(holder) => {
                let place = holder.map(|id| Place { at: [0; 8], id });
                Ok(Look {
                    places: place.filter(|place| Some(*place) > after).into_iter().collect(),
                    is_end: true,
                })
            }
            Lanes::Merged(lanes) => merge(link, lanes, after, count).await,
        }
    }
}

/// The queues that have jobs in this state, as far as the filter lets them through.
async fn queues_with(link: &Link, filter: &Filter, state: State) -> Result<Vec<QueueName>, Error> {
    Ok(filter.queues_with(state, by_queue(link).await?))
}

async fn merge(link: &Link, lanes: &[Vec<u8>], after: Option<Place>, count: usize) -> Result<Look, Error> {
    let piece = count.div_ceil(lanes.len().max(1)) + 1;
    let from = after.map(|place| place.behind());
    let mut places = Vec::new();
    // Behind the last of a lane's piece, nothing is known of that lane.
    let mut known_to: Option<Place> = None;
    for lanes in lanes.chunks(limits::SCRIPT_ITEMS) {
        let looks = lanes.iter().map(|lane| range(link, lane, from.clone(), piece));
        for members in future::try_join_all(looks).await? {
            let of_lane: Vec<Place> = members.iter().filter_map(|member| Place::read(member)).collect();
            if members.len() == piece {
                known_to = [known_to, of_lane.last().copied()].into_iter().flatten().min();
            }
            places.extend(of_lane);
        }
    }
    places.retain(|place| known_to.is_none_or(|end| *place <= end));
    places.sort_unstable();
    let is_end = known_to.is_none() && places.len() <= count;
    places.truncate(count);
    Ok(Look { places, is_end })
}

async fn range(
    link: &Link,
    index: &[u8],
    from: Option<Vec<u8>>,
    count: usize,
) -> Result<Vec<Vec<u8>>, Error> {
    let mut range = redis::cmd("ZRANGEBYLEX");
    range.arg(index).arg(from.unwrap_or_else(|| b"-".to_vec()));
    range.arg("+").arg("LIMIT").arg(0).arg(count);
    reply::list(link.ask(range).await?)
}

/// The heads of rows; nothing for those that are gone or cannot be read.
async fn heads(link: &Link, places: &[Place], now: Timestamp) -> Result<Vec<Option<Head>>, Error> {
    let mut heads = Vec::with_capacity(places.len());
    for places in places.chunks(limits::SCRIPT_ITEMS) {
        let mut arguments = Arguments::default();
        arguments.number(limits::ROW_HEAD_BYTES);
        arguments.each(places.iter().map(|place| place.id.0.as_bytes()));
        let strings = reply::list(link.read(&HEADS, arguments).await?)?;
        let strings = reply::as_many(strings, places.len() * 2)?;
        for (place, strings) in places.iter().zip(strings.chunks_exact(2)) {
            heads.push(head(link, place.id, &strings[0], &strings[1], now).await?);
        }
    }
    Ok(heads)
}

async fn head(
    link: &Link,
    id: JobId,
    status: &[u8],
    body: &[u8],
    now: Timestamp,
) -> Result<Option<Head>, Error> {
    if status.is_empty() {
        return Ok(None);
    }
    let is_cut = [status, body]
        .iter()
        .any(|string| string.len() >= limits::ROW_HEAD_BYTES);
    let read = match read_head(id, status, body, now) {
        Err(_) if is_cut => match fetch_each(link, &[id]).await?.pop() {
            Some((_, Some(row))) => row.map(|job| Head::of(&job, now)),
            _ => return Ok(None),
        },
        read => read,
    };
    Ok(read
        .inspect_err(|error| tracing::error!(job = %id, %error, "a row cannot be read; it is passed over"))
        .ok())
}

/// Whether the row still has the place at which it was found.
fn is_at(view: View, head: &Head, at: [u8; 8]) -> bool {
    match view {
        View::All => true,
        View::Waiting => at == instant(head.due),
        View::Running => at == instant(head.alarm.unwrap_or(Timestamp::MAX)),
        View::Ended(_) => at == backwards(instant(head.ended_at.unwrap_or(Timestamp::MIN))),
    }
}

/// The place behind which the page begins.
fn start(filter: &Filter, after: Option<Cursor>) -> Option<Place> {
    let cursor = after.map(|cursor| Place {
        at: match filter.view {
            View::All => [0; 8],
            View::Waiting | View::Running => instant(cursor.at),
            View::Ended(_) => backwards(instant(cursor.at)),
        },
        id: cursor.id,
    });
    // What ended too late, or is due too early, is not even passed.
    let bound = match (filter.view, filter.ended_before, filter.due_after) {
        (View::Ended(_), Some(end), _) => Some(backwards(instant(end))),
        (View::Waiting, _, Some(start)) if start > Timestamp::MIN => {
            Some(instant(Timestamp::from_micros(start.as_micros() - 1)))
        }
        _ => None,
    };
    let bound = bound.map(|at| Place {
        at,
        id: JobId(Uuid::max()),
    });
    cursor.max(bound)
}

fn cursor(view: View, place: Place) -> Cursor {
    let at = match view {
        View::All => Timestamp::EPOCH,
        View::Waiting | View::Running => read_instant(place.at),
        View::Ended(_) => read_instant(backwards(place.at)),
    };
    Cursor { at, id: place.id }
}
