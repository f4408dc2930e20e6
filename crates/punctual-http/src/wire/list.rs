//! Lists: what to show, and where to go on.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use punctual::Timestamp;
use punctual::engine::{Cursor, Filter, Page, View};
use punctual::job::{JobId, Phase, State};
use punctual::limits::PAGE_ITEMS as PAGE_ITEMS_MAX;
use punctual::schedule::{OccurrenceKey, ScheduleName};
use serde::{Deserialize, Serialize};

use super::query::Query;
use super::schedule::read_place;
use crate::limits::PAGE_ITEMS;
use crate::problem::Problem;

/// One page.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct List<T> {
    /// The items, which may be none although there is a next page.
    pub items: Vec<T>,
    /// The cursor of the next page; `null` at the end.
    pub next: Option<String>,
}

/// The query of `GET /v1/jobs`. What is unset does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ListQuery {
    /// One of the five stored states, or of the phases; or `ended`, for the three ends together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// One of the phases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// Jobs of this queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// Jobs of this kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Jobs with this tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Jobs that this schedule made, as far as its ledger still tells of them: those of the latest instants first, whatever
    /// their state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// Jobs that this worker runs, or ran last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// The job that holds this unique key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Jobs due before this instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_before: Option<String>,
    /// Jobs due at this instant or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_after: Option<String>,
    /// Jobs that ended before this instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_before: Option<String>,
    /// Items on the page: 1 to 1000; unset, 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// Where the last page ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// A page of a list of jobs, in the library's words.
#[derive(Clone, Debug, PartialEq)]
pub enum Listing {
    /// Of all jobs, in the order of their view.
    Jobs(Filter, Page),
    /// Of the jobs that a schedule made, those of the latest instants first.
    OfSchedule {
        /// The schedule.
        schedule: ScheduleName,
        /// Which of its jobs.
        filter: Filter,
        /// Where the last page ended; unset, from the latest instant on.
        before: Option<OccurrenceKey>,
        /// At most so many.
        limit: usize,
    },
}

impl ListQuery {
    /// Reads a query as it stands in an address.
    pub fn from_query(query: Option<&str>) -> Result<ListQuery, Problem> {
        let known = [
            "state",
            "phase",
            "queue",
            "kind",
            "tag",
            "schedule",
            "worker",
            "key",
            "due_before",
            "due_after",
            "ended_before",
            "limit",
            "cursor",
        ];
        let mut given = Query::read(query, &known)?;
        Ok(ListQuery {
            state: given.take("state"),
            phase: given.take("phase"),
            queue: given.take("queue"),
            kind: given.take("kind"),
            tag: given.take("tag"),
            schedule: given.take("schedule"),
            worker: given.take("worker"),
            key: given.take("key"),
            due_before: given.take("due_before"),
            due_after: given.take("due_after"),
            ended_before: given.take("ended_before"),
            limit: given.take("limit"),
            cursor: given.take("cursor"),
        })
    }

    /// The query in the library's words.
    pub fn read(mut self) -> Result<Listing, Problem> {
        let limit = self.limit.take().as_deref().map(limit).transpose()?;
        let limit = limit.unwrap_or(PAGE_ITEMS);
        let cursor = self.cursor.take();
        let Some(schedule) = self.schedule.take() else {
            let filter = self.filter()?;
            let after = cursor.map(|text| read_cursor(&text, filter.view)).transpose()?;
            return Ok(Listing::Jobs(filter, Page { limit, after }));
        };
        let schedule = ScheduleName::from(schedule);
        let checked = schedule.check();
        checked.map_err(|error| Problem::parameter("schedule", error.to_string()))?;
        Ok(Listing::OfSchedule {
            schedule,
            filter: self.filter()?,
            before: cursor.as_deref().map(read_place).transpose()?,
            limit,
        })
    }

    /// What restricts the jobs of a list, but for their schedule.
    pub fn filter(self) -> Result<Filter, Problem> {
        let (view, phase) = view(self.state.as_deref(), self.phase.as_deref())?;
        Ok(Filter {
            view,
            phase,
            queue: self.queue.map(Into::into),
            kind: self.kind,
            tag: self.tag,
            worker: self.worker.map(Into::into),
            unique_key: self.key,
            due_before: instant("due_before", self.due_before)?,
            due_after: instant("due_after", self.due_after)?,
            ended_before: instant("ended_before", self.ended_before)?,
            now: None,
        })
    }
}

/// The name of all that has ended, however it did.
const ENDED: &str = "ended";

pub(super) fn instant(name: &str, text: Option<String>) -> Result<Option<Timestamp>, Problem> {
    let read = text.map(|text| text.parse()).transpose();
    read.map_err(|error: punctual::Error| Problem::parameter(name, error.to_string()))
}

pub(super) fn limit(text: &str) -> Result<usize, Problem> {
    let wrong = || Problem::parameter("limit", format!("write a number from 1 to {PAGE_ITEMS_MAX}"));
    let limit = text.parse().map_err(|_| wrong())?;
    if (1..=PAGE_ITEMS_MAX).contains(&limit) {
        Ok(limit)
    } else {
        Err(wrong())
    }
}

/// The order to read in, and the phase to look for. `state` also takes phases, since they are what people see.
fn view(state: Option<&str>, phase: Option<&str>) -> Result<(View, Option<Phase>), Problem> {
    let stored = |text: &str| State::ALL.into_iter().find(|state| state.as_str() == text);
    let seen = |text: &str| Phase::ALL.into_iter().find(|phase| phase.as_str() == text);
    let mut wanted = None;
    let mut view = None;
    if let Some(text) = state {
        match (stored(text), seen(text)) {
            _ if text == ENDED => view = Some(View::Ended(None)),
            (Some(state), _) => view = Some(view_of(state)),
            (None, Some(phase)) => wanted = Some(phase),
            (None, None) => return Err(unknown_word("state", "waiting, ended, ")),
        }
    }
    if let Some(text) = phase {
        if wanted.is_some() {
            return Err(Problem::parameter("phase", "state names a phase already"));
        }
        wanted = Some(seen(text).ok_or_else(|| unknown_word("phase", ""))?);
    }
    let view = view
        .or(wanted.map(|phase| view_of(state_of(phase))))
        .unwrap_or_default();
    Ok((view, wanted))
}

fn unknown_word(parameter: &str, more: &str) -> Problem {
    let phases: Vec<&str> = Phase::ALL.iter().map(|phase| phase.as_str()).collect();
    Problem::parameter(parameter, format!("write one of {more}{}", phases.join(", ")))
}

/// The order in which jobs of this state are listed.
pub(super) fn view_of(state: State) -> View {
    match state {
        State::Waiting => View::Waiting,
        State::Running => View::Running,
        ended => View::Ended(Some(ended)),
    }
}

fn state_of(phase: Phase) -> State {
    match phase {
        Phase::Scheduled | Phase::Ready | Phase::Retrying => State::Waiting,
        Phase::Running | Phase::Cancelling => State::Running,
        Phase::Succeeded => State::Succeeded,
        Phase::Failed => State::Failed,
        Phase::Cancelled => State::Cancelled,
    }
}

/// A cursor's form: the order it belongs to, the instant, the id.
const CURSOR_BYTES: usize = 1 + 8 + 16;

/// The cursor as text that means nothing to its reader.
pub fn write_cursor(cursor: Cursor, view: View) -> String {
    let mut bytes = Vec::with_capacity(CURSOR_BYTES);
    bytes.push(order_of(view));
    bytes.extend(cursor.at.as_micros().to_be_bytes());
    bytes.extend(cursor.id.0.into_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// The cursor that a text tells; it must come from a list in the same order.
pub fn read_cursor(text: &str, view: View) -> Result<Cursor, Problem> {
    let wrong = |why| {
        Problem::parameter(
            "cursor",
            format!("{why}; send back `next` of the page before, unchanged"),
        )
    };
    let cursor = decode_cursor(text).ok_or_else(|| wrong("it is not a cursor"))?;
    match cursor {
        (order, cursor) if order == order_of(view) => Ok(cursor),
        _ => Err(wrong("it belongs to a list of another state")),
    }
}

fn decode_cursor(text: &str) -> Option<(u8, Cursor)> {
    let bytes: [u8; CURSOR_BYTES] = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
    let at = i64::from_be_bytes(bytes[1..9].try_into().ok()?);
    let id = u128::from_be_bytes(bytes[9..].try_into().ok()?);
    let cursor = Cursor {
        at: Timestamp::from_micros(at),
        id: JobId(uuid::Uuid::from_u128(id)),
    };
    Some((bytes[0], cursor))
}

/// A byte for each order. They are in cursors that users hold: never change one.
fn order_of(view: View) -> u8 {
    match view {
        View::All => b'a',
        View::Waiting => b'w',
        View::Running => b'r',
        View::Ended(None) => b'e',
        View::Ended(Some(State::Succeeded)) => b's',
        View::Ended(Some(State::Failed)) => b'f',
        View::Ended(Some(State::Cancelled)) => b'c',
        View::Ended(Some(State::Waiting | State::Running)) => b'-',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_journey_and_fits_its_own_list_only() {
        let cursor = Cursor {
            at: Timestamp::from_micros(-7),
            id: JobId::named("a"),
        };
        let text = write_cursor(cursor, View::Waiting);
        assert_eq!(read_cursor(&text, View::Waiting), Ok(cursor));
        assert!(read_cursor(&text, View::All).is_err());
        for text in ["", "x", "AAAA", "====", &"A".repeat(1000)] {
            assert!(read_cursor(text, View::All).is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn a_state_may_be_asked_for_by_either_name() {
        assert_eq!(view(Some("waiting"), None), Ok((View::Waiting, None)));
        assert_eq!(
            view(Some("retrying"), None),
            Ok((View::Waiting, Some(Phase::Retrying)))
        );
        assert_eq!(
            view(None, Some("failed")),
            Ok((View::Ended(Some(State::Failed)), Some(Phase::Failed)))
        );
        assert_eq!(view(Some("ended"), None), Ok((View::Ended(None), None)));
        assert_eq!(view(None, None), Ok((View::All, None)));
        assert!(view(Some("asleep"), None).is_err());
    }
}
