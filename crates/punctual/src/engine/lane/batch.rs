//! Items that are written together, and those who wait for them.

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::error::Error;

use super::{Told, Write};

/// An item in the line.
pub(super) struct Waiting<W: Write> {
    pub(super) item: W::Item,
    pub(super) caller: Caller<W>,
}

impl<W: Write> Waiting<W> {
    pub(super) fn new(item: W::Item, tell: W::Tell) -> (Waiting<W>, Answered<W>) {
        let (answer, answered) = oneshot::channel();
        let place = None;
        let caller = Caller { tell, answer, place };
        (Waiting { item, caller }, answered)
    }
}

/// Who waits for an item.
pub(super) struct Caller<W: Write> {
    tell: W::Tell,
    answer: oneshot::Sender<Result<W::Out, Error>>,
    /// Given back when the item is answered.
    pub(super) place: Option<OwnedSemaphorePermit>,
}

impl<W: Write> Caller<W> {
    pub(super) fn refuse(self, error: &Error) {
        self.answer.send(Err(error.clone())).ok();
    }
}

/// Where an item's answer comes.
type Answered<W> = oneshot::Receiver<Result<<W as Write>::Out, Error>>;

/// Items that are written together, and who waits for each.
pub(super) struct Batch<W: Write> {
    pub(super) items: Vec<W::Item>,
    pub(super) callers: Vec<Caller<W>>,
}

impl<W: Write> Batch<W> {
    pub(super) fn with_capacity(items: usize) -> Batch<W> {
        Batch {
            items: Vec::with_capacity(items),
            callers: Vec::with_capacity(items),
        }
    }

    pub(super) fn answer(self, write: &W, outs: Vec<W::Out>) {
        let mut told = Told::default();
        for ((item, caller), out) in self.items.iter().zip(&self.callers).zip(&outs) {
            if W::stands(out) {
                W::gather(item, &caller.tell, &mut told);
            }
        }
        let signals = told.into_signals();
        if !signals.is_empty() {
            write.tell(&signals);
        }
        for (caller, out) in self.callers.into_iter().zip(outs) {
            caller.answer.send(Ok(out)).ok();
        }
    }

    pub(super) fn refuse(self, error: &Error) {
        for caller in self.callers {
            caller.refuse(error);
        }
    }

    pub(super) fn split_off(&mut self, at: usize) -> Batch<W> {
        Batch {
            items: self.items.split_off(at),
            callers: self.callers.split_off(at),
        }
    }

    /// Those that [may have to wait](Write::may_wait), and the others.
    pub(super) fn split_waiting(self) -> (Batch<W>, Batch<W>) {
        let (waiting, rest): (Vec<_>, Vec<_>) = self
            .items
            .into_iter()
            .zip(self.callers)
            .partition(|(item, _)| W::may_wait(item));
        (Batch::from_iter(waiting), Batch::from_iter(rest))
    }

    /// At most so many parts of about the same size.
    pub(super) fn split(mut self, parts: usize) -> Vec<Batch<W>> {
        let size = self.items.len().div_ceil(parts).max(1);
        let mut split = Vec::with_capacity(parts);
        while self.items.len() > size {
            let rest = self.split_off(size);
            split.push(std::mem::replace(&mut self, rest));
        }
        split.push(self);
        split
    }
}

impl<W: Write> FromIterator<(W::Item, Caller<W>)> for Batch<W> {
    fn from_iter<I: IntoIterator<Item = (W::Item, Caller<W>)>>(pairs: I) -> Self {
        let (items, callers) = pairs.into_iter().unzip();
        Batch { items, callers }
    }
}
