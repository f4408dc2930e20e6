//! Group commit: whoever comes while the disk is busy shares the next commit.

use std::sync::Arc;

use protocol::{Error, Job};
use tokio::{
    sync::{Notify, mpsc, oneshot},
    task::yield_now,
};

use crate::store::Store;

/// Calls that may share one commit.
const GROUP: usize = 1_000;

/// One call: its jobs, and who waits for the answer.
pub(crate) struct Insert {
    pub(crate) jobs: Vec<Job>,
    pub(crate) answer: oneshot::Sender<Result<(), Error>>,
}

/// What writes.
pub(crate) struct Writer;

impl Writer {
    /// Starts it; it ends when the last sender is gone. After each commit it rings both bells.
    pub(crate) fn start(
        store: Store,
        here: Arc<Notify>,
        elsewhere: Arc<Notify>,
    ) -> mpsc::UnboundedSender<Insert> {
        let (sender, mut inserts) = mpsc::unbounded_channel::<Insert>();
        tokio::spawn(async move {
            let mut group = Vec::with_capacity(GROUP);
            while inserts.recv_many(&mut group, GROUP).await > 0 {
                // Callers whose answer has just been sent are about to call again; without this, groups hold half of them.
                yield_now().await;
                while group.len() < GROUP
                    && let Ok(insert) = inserts.try_recv()
                {
                    group.push(insert);
                }
                let result = store.insert(group.iter().flat_map(|insert| &insert.jobs)).await;
                let failure = result.err().map(|error| error.to_string());
                here.notify_one();
                elsewhere.notify_one();
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
