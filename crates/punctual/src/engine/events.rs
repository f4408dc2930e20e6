//! Events: what happens to jobs and queues, for whoever watches, told from hints and looked up once for all watchers.
//!
//! One task listens while anybody watches, and for a while after. It keeps the newest events in one line, in which each
//! watcher has a place: a slow one costs nothing, and finds a [`Reset`](Happening::Reset) when the line has moved on without it.
//!
//! In one process a hint names the job. From another one there may come no more than "something happened"; then the jobs
//! that ended last are looked at, so that ends are told across processes, but neither due work nor wishes to stop. Where hints
//! were lost, or more has ended than a look reads, nobody can tell what it was, and a reset says so.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use uuid::Uuid;

use crate::error::Error;
use crate::job::JobId;
use crate::limits::{EVENTS, WATCHERS};
use crate::queue::QueueName;
use crate::store::Head;
use crate::time::Timestamp;

use super::Engine;

mod teller;

use teller::Teller;

/// Something that happened, and its place in the line of events.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Where a watcher that has seen it goes on.
    pub id: EventId,
    /// What happened.
    pub happening: Happening,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Happening {
    /// A job has ended.
    Ended(Box<Head>),
    /// A running job was asked to stop.
    Cancelling(Box<Head>),
    /// A job was deleted while it waited, or not kept as it ended. One that ends first and is deleted or pruned later has
    /// told its end, and tells no more.
    Gone(JobId),
    /// A queue has work that is due at this instant.
    Due(QueueName, Timestamp),
    /// Something may have happened that was not told: look at what you watch.
    Reset,
}

/// The place of an event in its line. Lines are named at random, so that a place in one is never taken for that in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventId {
    line: Uuid,
    number: u64,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.line.simple(), self.number)
    }
}

impl FromStr for EventId {
    type Err = Error;

    fn from_str(text: &str) -> Result<EventId, Error> {
        let read = text
            .split_once('-')
            .and_then(|(line, number)| Some((line.parse().ok()?, number.parse().ok()?)));
        let (line, number) =
            read.ok_or_else(|| Error::invalid("this is no event's id; send one as it came"))?;
        Ok(EventId { line, number })
    }
}

impl Engine {
    /// Watches what happens from now on, or from after an event that was seen. Where that one is not in the line any more, the
    /// first that comes is a [`Reset`](Happening::Reset). Hints can be lost and come late, and so can events.
    ///
    /// # Errors
    ///
    /// `Unavailable` when [`WATCHERS`] watch already, or the engine was closed.
    pub fn watch(&self, after: Option<EventId>) -> Result<Watcher, Error> {
        self.core.check_open()?;
        let events = &self.core.events;
        let mut line = events.line();
        if line.watchers >= WATCHERS {
            return Err(Error::unavailable(format!(
                "{WATCHERS} watch the events already; come again later"
            )));
        }
        if !line.going {
            line.begin(self.core.clock.fresh_id());
            let teller = Teller::new(Arc::clone(&self.core), line.name);
            self.core.tasks.spawn(teller.run());
        }
        line.watchers += 1;
        let next = match after {
            None => line.end,
            Some(seen) if seen.line == line.name => seen.number.saturating_add(1).min(line.end),
            Some(_) => BEFORE_THE_FIRST,
        };
        let (name, grown) = (line.name, line.grown.subscribe());
        drop(line);
        Ok(Watcher {
            events: events.clone(),
            line: name,
            next,
            grown,
        })
    }
}

/// The line of events of one engine, and who watches.
#[derive(Clone, Default)]
pub(super) struct Events(Arc<Mutex<Line>>);

/// A place before the beginning of every line, where a watcher finds a reset.
const BEFORE_THE_FIRST: u64 = 0;

#[derive(Default)]
struct Line {
    name: Uuid,
    /// Whether somebody adds to it.
    going: bool,
    kept: VecDeque<Happening>,
    /// The number of the event that comes next; the first has 1.
    end: u64,
    grown: watch::Sender<()>,
    watchers: usize,
}

impl Line {
    fn begin(&mut self, name: Uuid) {
        self.name = name;
        self.going = true;
        self.kept.clear();
        self.end = BEFORE_THE_FIRST + 1;
    }

    /// Ends the line of this name, if it still goes on.
    fn end_if(&mut self, name: Uuid) {
        if self.going && self.name == name {
            self.going = false;
            self.kept.clear();
            self.grown.send_replace(());
        }
    }

    fn add(&mut self, happened: Vec<Happening>) {
        for happening in happened {
            self.kept.push_back(happening);
            self.end += 1;
        }
        let surplus = self.kept.len().saturating_sub(EVENTS);
        self.kept.drain(..surplus);
        self.grown.send_replace(());
    }

    /// The event of this number, or where the line begins by now.
    fn event(&self, number: u64) -> Option<Event> {
        let begin = self.end - self.kept.len() as u64;
        let (number, happening) = match number.checked_sub(begin) {
            None => (begin - 1, Happening::Reset),
            Some(place) => {
                let place = usize::try_from(place).unwrap_or(usize::MAX);
                (number, self.kept.get(place)?.clone())
            }
        };
        let line = self.name;
        Some(Event {
            id: EventId { line, number },
            happening,
        })
    }
}

impl Events {
    fn line(&self) -> MutexGuard<'_, Line> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who watches. It keeps a place in the line and nothing else.
pub struct Watcher {
    events: Events,
    line: Uuid,
    next: u64,
    grown: watch::Receiver<()>,
}

impl Watcher {
    /// The next event, as soon as there is one; `None` once nothing is told any more, since the engine was closed or could
    /// not go on telling: who is not done [watches](Engine::watch) anew. Dropped before it answers, it loses nothing.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            self.grown.mark_unchanged();
            let (event, over) = {
                let line = self.events.line();
                if line.name != self.line {
                    // Its own line broke off, and somebody else has begun another one.
                    (self.line, self.next) = (line.name, BEFORE_THE_FIRST);
                }
                (line.event(self.next), !line.going)
            };
            if let Some(event) = event {
                self.next = event.id.number + 1;
                return Some(event);
            }
            if over || self.grown.changed().await.is_err() {
                return None;
            }
        }
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher")
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.events.line().watchers -= 1;
    }
}
