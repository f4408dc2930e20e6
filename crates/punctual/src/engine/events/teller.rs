//! The teller: hears hints, looks at what ended, and adds what it learns to the line of events.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt};
use uuid::Uuid;

use crate::error::Error;
use crate::job::{Job, JobId, State};
use crate::limits::{EVENT_LINGER, EVENT_PAGES, EVENT_PAUSE, EVENT_ROWS, EVENTS, RESCAN};
use crate::signals::Signal;
use crate::store::{Filter, Head, Page, View};
use crate::time::Timestamp;

use super::Happening;
use crate::engine::Core;

/// Adds to the line. When it ends, however it does, the line ends with it.
pub(super) struct Teller {
    core: Arc<Core>,
    name: Uuid,
    signals: BoxStream<'static, Signal>,
    /// The ends that were told last, so that none is told twice.
    told: BTreeSet<(Timestamp, JobId)>,
    /// Of what ended before this, it is not known any more whether it was told, and a look leaves it out.
    forgotten: Timestamp,
    /// What ended before this was told, or a reset was told in its place.
    covered: Timestamp,
    /// What was heard since the last look and named nothing.
    unnamed: Unnamed,
    /// When what ended last is looked at.
    look_at: Duration,
    looked_at: Duration,
    /// Since when nobody watches.
    alone_since: Option<Duration>,
}

/// Hints that name nothing, the worst last.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Unnamed {
    #[default]
    Nothing,
    /// Something happened: a look finds what ended.
    Something,
    /// Hints were lost: what they told of is not to be found.
    Lost,
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.core.events.line().end_if(self.name);
    }
}

impl Teller {
    pub(super) fn new(core: Arc<Core>, name: Uuid) -> Teller {
        let (begin, now) = (core.clock.now(), core.clock.uptime());
        Teller {
            signals: core.store.signals().listen(),
            name,
            told: BTreeSet::new(),
            forgotten: begin,
            covered: begin,
            unnamed: Unnamed::Nothing,
            look_at: now + RESCAN,
            looked_at: now,
            alone_since: None,
            core,
        }
    }

    pub(super) async fn run(mut self) {
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
                Signal::Output(_) | Signal::Schedule(_) => None,
                Signal::Anything => self.look_soon(Unnamed::Something),
                Signal::Lost => self.look_soon(Unnamed::Lost),
            });
        }
        happened
    }

    fn look_soon(&mut self, why: Unnamed) -> Option<Happening> {
        self.unnamed = self.unnamed.max(why);
        self.look_at = self.look_at.min(self.looked_at + EVENT_PAUSE);
        None
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
            self.forgotten = self.forgotten.max(at);
        }
        Some(Happening::Ended(Box::new(head)))
    }

    /// What ended last and was not told; a reset in its place, if there may be more than was found.
    async fn look(&mut self) -> Vec<Happening> {
        self.looked_at = self.core.clock.uptime();
        self.look_at = self.looked_at + RESCAN;
        let unnamed = std::mem::take(&mut self.unnamed);
        let (heads, whole) = match self.ended_last(unnamed).await {
            Ok(ended) => ended,
            Err(error) => return not_known(&error),
        };
        let (covered, forgotten) = (self.covered, self.forgotten);
        let doubtful = |head: &Head| head.ended_at >= Some(covered) && head.ended_at < Some(forgotten);
        let known = match unnamed {
            // Every end was told by its name, and the look is for a hint that may have been lost unheard.
            Unnamed::Nothing => true,
            Unnamed::Something => whole && !heads.iter().any(doubtful),
            Unnamed::Lost => false,
        };
        self.covered = covered.max(
            heads
                .first()
                .and_then(|newest| newest.ended_at)
                .unwrap_or(covered),
        );
        // The newest comes first on a page, and last in the line.
        let news = heads.into_iter().rev();
        let happened: Vec<Happening> = news
            .filter(|head| head.ended_at >= Some(forgotten))
            .filter_map(|head| self.end(head))
            .collect();
        if known { happened } else { vec![Happening::Reset] }
    }

    /// What ended last, the newest first, and whether it reaches back to what is covered.
    async fn ended_last(&mut self, unnamed: Unnamed) -> Result<(Vec<Head>, bool), Error> {
        let pages = match unnamed {
            Unnamed::Something => EVENT_PAGES,
            Unnamed::Nothing | Unnamed::Lost => 1,
        };
        let mut heads: Vec<Head> = Vec::new();
        let mut after = None;
        for _ in 0..pages {
            let filter = Filter {
                view: View::Ended(None),
                ..Filter::default()
            };
            let page = Page {
                limit: EVENT_ROWS,
                after,
            };
            let listed = self.core.store.list(filter, page).await?;
            heads.extend(listed.items);
            let reaches_back = heads
                .last()
                .is_some_and(|head| head.ended_at < Some(self.covered));
            if reaches_back || listed.next.is_none() {
                return Ok((heads, true));
            }
            after = listed.next;
        }
        Ok((heads, false))
    }
}

fn not_known(error: &Error) -> Vec<Happening> {
    tracing::debug!(%error, "what happened could not be read; whoever watches is told to look");
    vec![Happening::Reset]
}
