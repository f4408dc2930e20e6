//! Group commit: whoever comes while the disk is busy shares the next commit.

use std::{
    sync::{Arc, mpsc},
    thread,
};

use protocol::{Error, Job};
use tokio::sync::oneshot;

use crate::{store::Store, worker::Bell};

/// Calls that may share one commit.
const GROUP: usize = 1_000;

/// One call: its jobs, and who waits for the answer.
pub(crate) struct Insert {
    pub(crate) jobs: Vec<Job>,
    pub(crate) answer: oneshot::Sender<Result<(), Error>>,
}

/// The thread that writes.
pub(crate) struct Writer;

impl Writer {
    /// Starts it; it ends when the last sender is gone.
    pub(crate) fn start(mut store: Store, committed: Arc<Bell>) -> mpsc::Sender<Insert> {
        let (sender, inserts) = mpsc::channel::<Insert>();
        thread::spawn(move || {
            let mut group = Vec::with_capacity(GROUP);
            while let Ok(first) = inserts.recv() {
                group.push(first);
                gather(&inserts, &mut group);
                let result = store.insert(group.iter().flat_map(|insert| &insert.jobs));
                let failure = result.err().map(|error| error.to_string());
                committed.ring();
                for insert in group.drain(..) {
                    let answer = failure.clone().map_or(Ok(()), |message| Err(message.into()));
                    // A caller that has gone needs no answer.
                    let _ = insert.answer.send(answer);
                }
            }
        });
        sender
    }
}

/// Adds whoever has come, and gives way until nobody new comes: callers whose answer has just been sent
/// are about to call again. Without this, groups hold half of the callers.
fn gather(inserts: &mpsc::Receiver<Insert>, group: &mut Vec<Insert>) {
    loop {
        let before = group.len();
        group.extend(inserts.try_iter().take(GROUP - before));
        if group.len() == before || group.len() == GROUP {
            return;
        }
        thread::yield_now();
    }
}
