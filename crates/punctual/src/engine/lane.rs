//! Natural batching: one flush in flight, and whoever arrives meanwhile joins the next.
//!
//! An idle lane flushes at once, so a single caller sees the latency of one commit; a thousand callers share one.
//! The same lane serves whatever is written in batches: a [`Write`] says how.
//!
//! ```text
//! caller ─┐                     ┌─▶ store ─▶ commit ─▶ signals ─▶ answers
//! caller ─┼─▶ places ─▶ line ─▶ flush (1 in flight)
//! caller ─┘   bounded   fair    └─▶ an item's fault: halves;  a lock: beside the lane, in parts or each alone
//! ```
//!
//! An item in the lane belongs to the lane: a caller that leaves gives up its answer, not its item. A flush runs in
//! a task of its own, which lives while there is something to flush.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::error::{Error, Kind};
use crate::limits::{
    FLUSH_BYTES, FLUSH_ITEMS, FLUSH_PAUSE, FLUSH_REPEATS, LANE_BYTES, LANE_DEADLINE, LANE_ITEMS, LOCK_WAIT,
    LOCKED_PARTS, SIDE_FLUSHES,
};
use crate::queue::QueueName;
use crate::signals::Signal;
use crate::store::Answer;
use crate::time::Timestamp;

use self::batch::{Batch, Waiting};
use self::line::Line;

mod batch;
mod line;

/// The least room that an item takes in a lane, in bytes. One measure holds both bounds: [`LANE_ITEMS`] of these are
/// no more than [`LANE_BYTES`], and an item that is larger takes the room of several.
const PLACE_BYTES: usize = LANE_BYTES / LANE_ITEMS;

/// What a lane writes, and how.
pub(crate) trait Write: Send + Sync + 'static {
    /// One thing to write.
    type Item: Send + Sync + 'static;
    /// What others are told of a thing once it stands, beside what can be seen of the thing itself.
    type Tell: Send + Sync + 'static;
    /// What became of it.
    type Out: Send + 'static;

    /// About how many bytes an item takes in memory and in a transaction.
    fn bytes(item: &Self::Item) -> usize;

    /// Whether it writes more than its own row, so that it may have to wait as long as somebody's transaction is open: for a unique
    /// key, or for a schedule that it pokes.
    fn may_wait(item: &Self::Item) -> bool;

    /// Writes a batch, and answers for each item in order.
    fn write<'a>(&'a self, items: &'a [Self::Item]) -> Answer<'a, Vec<Self::Out>>;

    /// What an answer means when the same item may have been written by an earlier try of the same batch.
    fn repeated(item: &Self::Item, out: Self::Out) -> Self::Out;

    /// Whether the item now stands in the store, so that others are to be told of it.
    fn stands(out: &Self::Out) -> bool;

    /// Adds what others are to be told of an item.
    fn gather(item: &Self::Item, tell: &Self::Tell, told: &mut Told);

    /// Tells others what was written: once a flush, after its commit.
    fn tell(&self, signals: &[Signal]);
}

/// What others are told of a flush.
#[derive(Default)]
pub(crate) struct Told {
    signals: Vec<Signal>,
    /// The queues that have work, and when the earliest of it is due.
    due: BTreeMap<QueueName, Timestamp>,
    /// When the first of the schedules is to be looked at.
    look: Option<Timestamp>,
}

impl Told {
    /// A queue has work that is due then.
    pub(crate) fn due(&mut self, queue: &QueueName, at: Timestamp) {
        match self.due.get_mut(queue) {
            Some(earliest) => *earliest = (*earliest).min(at),
            None => drop(self.due.insert(queue.clone(), at)),
        }
    }

    /// A schedule is to be looked at then.
    pub(crate) fn look(&mut self, at: Timestamp) {
        self.look = Some(self.look.map_or(at, |look| look.min(at)));
    }

    /// Something happened to a job.
    pub(crate) fn signal(&mut self, signal: Signal) {
        self.signals.push(signal);
    }

    pub(crate) fn into_signals(mut self) -> Vec<Signal> {
        let due = self.due.into_iter().map(|(queue, at)| Signal::Due(queue, at));
        self.signals.extend(due);
        self.signals.extend(self.look.map(Signal::Schedule));
        self.signals
    }
}

/// A lane of natural batching. Clones share it.
pub(crate) struct Lane<W: Write>(Arc<Inner<W>>);

struct Inner<W: Write> {
    write: W,
    clock: Arc<dyn Clock>,
    /// Room in the lane, in bytes.
    places: Arc<Semaphore>,
    side_flushes: Semaphore,
    state: Mutex<State<W>>,
    tasks: TaskTracker,
}

struct State<W: Write> {
    line: Line<Waiting<W>>,
    /// Whether the flusher runs. It clears this only when it finds the line empty.
    flushing: bool,
    closed: bool,
}

impl<W: Write> Clone for Lane<W> {
    fn clone(&self) -> Self {
        Lane(Arc::clone(&self.0))
    }
}

impl<W: Write> Lane<W> {
    pub(crate) fn new(write: W, clock: Arc<dyn Clock>) -> Lane<W> {
        Lane(Arc::new(Inner {
            write,
            clock,
            places: Arc::new(Semaphore::new(LANE_ITEMS * PLACE_BYTES)),
            side_flushes: Semaphore::new(SIDE_FLUSHES),
            state: Mutex::new(State {
                line: Line::new(),
                flushing: false,
                closed: false,
            }),
            tasks: TaskTracker::new(),
        }))
    }

    /// Writes one item with whatever else is there to write.
    ///
    /// # Errors
    ///
    /// `Unavailable`: it was not written, since the store could not, the lane is full or it is closed. `Internal`: it
    /// is not known whether it was written.
    pub(crate) async fn submit(&self, item: W::Item, tell: W::Tell) -> Result<W::Out, Error> {
        let (waiting, answered) = Waiting::new(item, tell);
        self.send(VecDeque::from([waiting])).await;
        answered.await.unwrap_or_else(|_| Err(abandoned()))
    }

    /// Writes many items, a flush's worth at a time, and answers in their order. Errors are those of
    /// [`submit`](Self::submit), for each item.
    pub(crate) async fn submit_all<I>(&self, items: I) -> Vec<Result<W::Out, Error>>
    where
        I: Iterator<Item = (W::Item, W::Tell)>,
    {
        let mut answers = Vec::new();
        let mut items = items.peekable();
        while items.peek().is_some() {
            let count = items.size_hint().1.unwrap_or(FLUSH_ITEMS);
            answers.reserve(count);
            let mut party = VecDeque::with_capacity(count.min(FLUSH_ITEMS));
            let mut sent = Vec::with_capacity(party.capacity());
            let mut bytes = 0;
            while let Some((item, tell)) = items.next_if(|(item, _)| {
                bytes += W::bytes(item);
                party.is_empty() || (party.len() < FLUSH_ITEMS && bytes <= FLUSH_BYTES)
            }) {
                let (waiting, answered) = Waiting::new(item, tell);
                party.push_back(waiting);
                sent.push(answered);
            }
            self.send(party).await;
            for answered in sent {
                answers.push(answered.await.unwrap_or_else(|_| Err(abandoned())));
            }
        }
        answers
    }

    /// Puts a caller's items in the line once there is room for them, or tells each why not.
    async fn send(&self, mut party: VecDeque<Waiting<W>>) {
        let weights = party.iter().map(|waiting| weight::<W>(&waiting.item));
        let mut room = match self.0.place(weights.sum()).await {
            Ok(room) => room,
            Err(error) => {
                return party
                    .into_iter()
                    .for_each(|waiting| waiting.caller.refuse(&error));
            }
        };
        for waiting in &mut party {
            waiting.caller.place = room.split(weight_usize::<W>(&waiting.item));
        }
        self.join(party);
    }

    /// Takes no more items, and returns once all it has are answered.
    pub(crate) async fn close(&self) {
        self.0.state().closed = true;
        self.0.places.close();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    fn join(&self, party: VecDeque<Waiting<W>>) {
        let mut state = self.0.state();
        if state.closed {
            drop(state);
            return party
                .into_iter()
                .for_each(|waiting| waiting.caller.refuse(&closed()));
        }
        state.line.join(party);
        if !state.flushing {
            state.flushing = true;
            self.0.tasks.spawn(Arc::clone(&self.0).run());
        }
    }
}

impl<W: Write> Inner<W> {
    fn state(&self) -> MutexGuard<'_, State<W>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn place(&self, weight: u32) -> Result<OwnedSemaphorePermit, Error> {
        match Arc::clone(&self.places).try_acquire_many_owned(weight) {
            Ok(place) => return Ok(place),
            Err(TryAcquireError::Closed) => return Err(closed()),
            Err(TryAcquireError::NoPermits) => {}
        }
        tokio::select! {
            biased;
            place = Arc::clone(&self.places).acquire_many_owned(weight) => place.map_err(|_| closed()),
            () = self.clock.sleep(LANE_DEADLINE) => Err(Error::unavailable(
                "more is being written than the store can take; nothing was stored, try again later",
            )),
        }
    }

    /// Flushes until the line is empty.
    async fn run(self: Arc<Self>) {
        let mut flusher = Flusher {
            lane: self,
            done: false,
        };
        while let Some(batch) = flusher.lane.next_batch() {
            flusher.lane.flush(batch).await;
            // Those who were just answered get to come back before the next flush is cut; else they would go by turns,
            // and every other flush would carry a single item.
            tokio::task::yield_now().await;
        }
        flusher.done = true;
    }

    fn next_batch(&self) -> Option<Batch<W>> {
        let mut state = self.state();
        if state.line.is_empty() {
            state.flushing = false;
            return None;
        }
        let mut batch = Batch::with_capacity(state.line.len().min(FLUSH_ITEMS));
        state.line.cut(
            |waiting| W::bytes(&waiting.item),
            |waiting| {
                batch.items.push(waiting.item);
                batch.callers.push(waiting.caller);
            },
        );
        Some(batch)
    }

    /// Writes a batch. One item's fault halves it until that item stands alone; items that wait for a lock leave.
    async fn flush(self: &Arc<Self>, batch: Batch<W>) {
        let mut parts = vec![batch];
        while let Some(mut part) = parts.pop() {
            match self.write(&part.items).await {
                Ok(outs) => part.answer(&self.write, outs),
                Err(error) if error.is_locked() => {
                    let (waiting, rest) = part.split_waiting();
                    if waiting.items.is_empty() {
                        self.flush_in_parts(rest, error);
                        continue;
                    }
                    self.flush_beside(waiting);
                    parts.extend((!rest.items.is_empty()).then_some(rest));
                }
                Err(error) if part.items.len() > 1 && is_of_an_item(&error) => {
                    let second = part.split_off(part.items.len() / 2);
                    parts.extend([second, part]);
                }
                Err(error) => part.refuse(&error),
            }
        }
    }

    /// Writes items once, or again where it is not known whether they were written.
    async fn write(&self, items: &[W::Item]) -> Result<Vec<W::Out>, Error> {
        let mut unknown = None;
        for repeat in 0..=FLUSH_REPEATS {
            if repeat > 1 {
                self.clock.sleep(FLUSH_PAUSE).await;
            }
            match self.write.write(items).await {
                Ok(outs) if outs.len() != items.len() => {
                    return Err(Error::unknown("the store did not answer for every item"));
                }
                Ok(outs) if unknown.is_none() => return Ok(outs),
                Ok(outs) => {
                    return Ok(items
                        .iter()
                        .zip(outs)
                        .map(|(i, out)| W::repeated(i, out))
                        .collect());
                }
                Err(error) if error.is_unknown() => {
                    tracing::warn!(%error, items = items.len(), "a flush may or may not have been written; it is sent again");
                    unknown = Some(error);
                }
                // Nothing was written this time, but perhaps before.
                Err(error) => match unknown {
                    None => return Err(error),
                    Some(_) => unknown = Some(perhaps_before(error)),
                },
            }
        }
        Err(unknown.unwrap_or_else(abandoned))
    }

    /// Writes a batch beside the lane of which some row is locked, in ever smaller parts: what is not locked is soon written, and
    /// what is, is refused when it stands alone. Where nothing gets through (somebody has locked the whole table), or time is
    /// up, the rest is refused as it stands.
    fn flush_in_parts(self: &Arc<Self>, batch: Batch<W>, locked: Error) {
        let lane = Arc::clone(self);
        self.tasks.spawn(async move {
            let give_up_at = lane.clock.uptime() + LANE_DEADLINE;
            let mut refused = vec![(batch, locked)];
            let mut gets_through = true;
            while !refused.is_empty() {
                let ends = !gets_through || lane.clock.uptime() >= give_up_at;
                gets_through = false;
                for (part, error) in std::mem::take(&mut refused) {
                    if ends || part.items.len() == 1 || !(error.is_locked() || is_of_an_item(&error)) {
                        part.refuse(&error);
                        continue;
                    }
                    for part in part.split(LOCKED_PARTS) {
                        match lane.write_beside(&part.items).await {
                            Ok(outs) => {
                                part.answer(&lane.write, outs);
                                gets_through = true;
                            }
                            Err(error) => refused.push((part, error)),
                        }
                    }
                }
            }
        });
    }

    /// Writes each of these items alone, beside the lane, for as long as a lock may be waited for.
    fn flush_beside(self: &Arc<Self>, waiting: Batch<W>) {
        for (item, caller) in waiting.items.into_iter().zip(waiting.callers) {
            let lane = Arc::clone(self);
            self.tasks.spawn(async move {
                let item = [item];
                let written = lane.write_locked(&item).await;
                let part = Batch {
                    items: Vec::from(item),
                    callers: vec![caller],
                };
                match written {
                    Ok(outs) => part.answer(&lane.write, outs),
                    Err(error) => part.refuse(&error),
                }
            });
        }
    }

    /// Writes items when a place beside the lane is free.
    async fn write_beside(&self, items: &[W::Item]) -> Result<Vec<W::Out>, Error> {
        let _side_flush = self.side_flushes.acquire().await;
        self.write(items).await
    }

    async fn write_locked(&self, item: &[W::Item]) -> Result<Vec<W::Out>, Error> {
        let give_up_at = self.clock.uptime() + LANE_DEADLINE;
        loop {
            match self.write_beside(item).await {
                Err(error) if error.is_locked() && self.clock.uptime() < give_up_at => {
                    self.clock.sleep(LOCK_WAIT).await;
                }
                written => return written,
            }
        }
    }
}

/// The right to flush. When it ends before its time (its runtime is gone, or the store panicked), those in the line
/// are told and the next caller begins anew.
struct Flusher<W: Write> {
    lane: Arc<Inner<W>>,
    done: bool,
}

impl<W: Write> Drop for Flusher<W> {
    fn drop(&mut self) {
        if !self.done {
            let mut state = self.lane.state();
            state.flushing = false;
            state.line = Line::new();
        }
    }
}

/// The room that an item takes.
fn weight_usize<W: Write>(item: &W::Item) -> usize {
    W::bytes(item).clamp(PLACE_BYTES, LANE_ITEMS * PLACE_BYTES)
}

fn weight<W: Write>(item: &W::Item) -> u32 {
    u32::try_from(weight_usize::<W>(item)).unwrap_or(u32::MAX)
}

/// Whether an error is about one item of a batch, and not about the store.
pub(super) fn is_of_an_item(error: &Error) -> bool {
    error.kind() != Kind::Unavailable && !error.is_unknown()
}

/// Why an engine that was closed takes nothing.
pub(super) fn closed() -> Error {
    Error::unavailable("the engine is closed; nothing was stored")
}

/// What became of a flush that may have been written before this error came.
pub(super) fn perhaps_before(error: Error) -> Error {
    Error::unknown(format!(
        "it is not known whether this was stored; when it was sent again: {error}"
    ))
    .caused_by(error)
}

fn abandoned() -> Error {
    Error::unknown("the flush ended without an answer; whether it was stored is not known")
}
