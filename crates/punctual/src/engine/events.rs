//! Events: what happens to jobs and queues, for whoever watches, told from hints and looked up once for all watchers.
//!
//! One task listens while anybody watches, and for a while after. It keeps the newest events in one line, in which each
//! watcher has a place: a slow one costs nothing, and finds a [`Reset`](Happening::Reset) when the line has moved on without it.
//!
//! In one process a hint names the job. From another one there may come no more than "something happened"; then the jobs
//! that ended last are looked at, so that ends are told across processes, but neither due work nor wishes to stop.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::watch;
use uuid::Uuid;

use crate::error::Error;
use crate::job::{Job, JobId, State};
use crate::limits::{EVENT_LINGER, EVENT_PAUSE, EVENT_ROWS, EVENTS, RESCAN, WATCHERS};
use crate::queue::QueueName;
use crate::signals::Signal;
use crate::store::{Filter, Head, Page, View};
use crate::time::Timestamp;

use super::{Core, Engine};

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
    /// A job was deleted, or not kept as it ended.
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
        if line.teller.is_none() {
            let name = self.core.clock.fresh_id();
            line.begin(name);
            let teller = Teller::new(Arc::clone(&self.core), name);
            self.core.tasks.spawn(teller.run());
        }
        line.watchers += 1;
        let next = match after {
            None => line.end,
            Some(seen) if Some(seen.line) == line.teller => seen.number.saturating_add(1).min(line.end),
            // Before the beginning, which is told as a reset.
            Some(_) => 0,
        };
        let grown = line.grown.subscribe();
        drop(line);
        Ok(Watcher {
            events: events.clone(),
            next,
            grown,
        })
    }
}

/// The line of events of one engine, and who watches.
#[derive(Clone, Default)]
pub(super) struct Events(Arc<Mutex<Line>>);

#[derive(Default)]
struct Line {
    /// The name of the line, while somebody adds to it.
    teller: Option<Uuid>,
    name: Uuid,
    kept: VecDeque<Happening>,
    /// The number of the event that comes next; the first has 1.
    end: u64,
    grown: watch::Sender<()>,
    watchers: usize,
}

impl Line {
    fn begin(&mut self, name: Uuid) {
        self.teller = Some(name);
        self.name = name;
        self.kept.clear();
        self.end = 1;
    }

    /// Ends the line of this name, if it still goes on.
    fn end_if(&mut self, name: Uuid) {
        if self.teller == Some(name) {
            self.teller = None;
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
    next: u64,
    grown: watch::Receiver<()>,
}

impl Watcher {
    /// The next event, as soon as there is one; `None` once the engine is closed. Dropped before it answers, it loses nothing.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            self.grown.mark_unchanged();
            let (event, over) = {
                let line = self.events.line();
                (line.event(self.next), line.teller.is_none())
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

/// Adds to the line.
struct Teller {
    core: Arc<Core>,
    name: Uuid,
    signals: BoxStream<'static, Signal>,
    /// The ends that were told last, so that none is told twice.
    told: BTreeSet<(Timestamp, JobId)>,
    /// What ended before this is not told any more.
    from: Timestamp,
    /// When what ended last is looked at.
    look_at: Duration,
    looked_at: Duration,
    /// Since when nobody watches.
    alone_since: Option<Duration>,
}

impl Teller {
    fn new(core: Arc<Core>, name: Uuid) -> Teller {
        let now = core.clock.uptime();
        Teller {
            signals: core.store.signals().listen(),
            name,
            told: BTreeSet::new(),
            from: core.clock.now(),
            look_at: now + RESCAN,
            looked_at: now,
            alone_since: None,
            core,
        }
    }

    async fn run(mut self) {
        let stopping = self.core.stopping.clone();
        while !self.may_end() {
            let now = self.core.clock.uptime();
            let mut pause = self.core.clock.sleep(self.look_at.saturating_sub(now));
            let heard = tokio::select! {
                biased;
                () = stopping.cancelled() => None,
                // Before the signals, of which there may always be a next one.
                () = &mut pause => Some(None),
                signal = self.signals.next() => signal.map(Some),
            };
            let happened = match heard {
                Some(Some(signal)) => self.hear(signal).await,
                Some(None) => self.look().await,
                None => break,
            };
            if !happened.is_empty() {
                self.core.events.line().add(happened);
            }
        }
        self.core.events.line().end_if(self.name);
    }

    /// Whether nobody has watched for so long that nobody will come back. The line then ends under its lock, so that who comes
    /// just now begins another one.
    fn may_end(&mut self) -> bool {
        let now = self.core.clock.uptime();
        let mut line = self.core.events.line();
        if line.watchers > 0 {
            self.alone_since = None;
            return false;
        }
        let over = now.saturating_sub(*self.alone_since.get_or_insert(now)) >= EVENT_LINGER;
        if over {
            line.end_if(self.name);
        }
        over
    }

    /// What a hint, and those that came with it, are about.
    async fn hear(&mut self, first: Signal) -> Vec<Happening> {
        let mut signals = vec![first];
        while signals.len() < EVENT_ROWS
            && let Some(Some(signal)) = self.signals.next().now_or_never()
        {
            signals.push(signal);
        }
        let named = |signal: &Signal| match signal {
            Signal::Ended(id) | Signal::Cancel(id) => Some(*id),
            _ => None,
        };
        let ids: Vec<JobId> = signals.iter().filter_map(named).collect();
        let rows = match ids.is_empty() {
            true => Vec::new(),
            false => match self.core.store.fetch(&ids).await {
                Ok(rows) => rows,
                Err(error) => return not_known(&error),
            },
        };
        let mut rows = rows.into_iter();
        let mut happened = Vec::new();
        for signal in signals {
            happened.extend(match signal {
                Signal::Ended(id) => match rows.next().flatten() {
                    Some(job) => self.end_of(&job),
                    None => Some(Happening::Gone(id)),
                },
                Signal::Cancel(_) => rows.next().flatten().and_then(|job| self.cancel_of(&job)),
                Signal::Due(queue, at) => Some(Happening::Due(queue, at)),
                Signal::Output(_) => None,
                Signal::Anything => {
                    self.look_at = self.look_at.min(self.looked_at + EVENT_PAUSE);
                    None
                }
            });
        }
        happened
    }

    fn end_of(&mut self, job: &Job) -> Option<Happening> {
        self.end(Head::of(job, self.core.clock.now()))
    }

    fn cancel_of(&self, job: &Job) -> Option<Happening> {
        let asked = job.status.state == State::Running && job.status.cancel.is_some();
        asked.then(|| Happening::Cancelling(Box::new(Head::of(job, self.core.clock.now()))))
    }

    /// Tells an end once.
    fn end(&mut self, head: Head) -> Option<Happening> {
        let end = (head.ended_at?, head.id);
        if !self.told.insert(end) {
            return None;
        }
        if self.told.len() > EVENTS
            && let Some((at, _)) = self.told.pop_first()
        {
            self.from = self.from.max(at);
        }
        Some(Happening::Ended(Box::new(head)))
    }

    /// What ended last and was not told.
    async fn look(&mut self) -> Vec<Happening> {
        self.looked_at = self.core.clock.uptime();
        self.look_at = self.looked_at + RESCAN;
        let filter = Filter {
            view: View::Ended(None),
            ..Filter::default()
        };
        let page = Page {
            limit: EVENT_ROWS,
            after: None,
        };
        let listed = match self.core.store.list(filter, page).await {
            Ok(listed) => listed,
            Err(error) => return not_known(&error),
        };
        let more = listed.next.is_some();
        let from = self.from;
        let news: Vec<Head> = listed
            .items
            .into_iter()
            .filter(|head| head.ended_at >= Some(from))
            .collect();
        let count = news.len();
        // The newest comes first on the page, and last in the line.
        let mut happened: Vec<Happening> = news.into_iter().rev().filter_map(|head| self.end(head)).collect();
        if more && happened.len() == count && count >= EVENT_ROWS {
            happened.insert(0, Happening::Reset);
        }
        happened
    }
}

fn not_known(error: &Error) -> Vec<Happening> {
    tracing::debug!(%error, "what happened could not be read; whoever watches is told to look");
    vec![Happening::Reset]
}
