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
                group.extend(inserts.try_iter().take(GROUP - 1));
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
