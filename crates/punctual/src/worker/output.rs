//! Live output: what a run puts out is gathered here and sent to its source beside the handler, which never waits for it.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::error::Kind;
use crate::limits::{LAST_OUTPUT, OUTPUT_PAUSE, OUTPUT_SENT_BYTES};
use crate::run::HeadTail;
use crate::worker::run::Run;

/// What a run has put out and nobody has sent yet.
#[derive(Default)]
pub(super) struct LiveOutput {
    gathered: Mutex<Gathered>,
    /// Rings when there is more, or the last was said.
    more: Notify,
    /// Whether the handler is over.
    over: AtomicBool,
}

type Gathered = HeadTail<{ OUTPUT_SENT_BYTES / 2 }>;

impl LiveOutput {
    pub(super) fn push(&self, bytes: &[u8]) {
        self.gathered().push(bytes);
        self.more.notify_one();
    }

    fn take(&self) -> Option<Bytes> {
        piece(std::mem::take(&mut *self.gathered()))
    }

    fn end(&self) {
        self.over.store(true, Ordering::Release);
        self.more.notify_one();
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    fn gathered(&self) -> MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was gathered, as one piece that says where something is missing; none if that is nothing.
fn piece(gathered: Gathered) -> Option<Bytes> {
    let mut piece = gathered.head;
    if gathered.left_out > 0 {
        let left_out = gathered.left_out;
        piece.extend_from_slice(format!("\n… {left_out} bytes came too fast to be kept …\n").as_bytes());
    }
    piece.extend(gathered.tail);
    (!piece.is_empty()).then(|| piece.into())
}

/// Does the work of a run, and sends what it puts out meanwhile. What came last is sent before this answers, unless that
/// takes too long: once its outcome is settled, a run puts out nothing more.
pub(super) async fn sent_beside<T>(run: &Run, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    let mut sending = pin!(send(run));
    let done = tokio::select! {
        biased;
        done = &mut work => done,
        () = &mut sending => return work.await,
    };
    run.live_output().end();
    tokio::select! {
        biased;
        () = &mut sending => {}
        () = run.clock().sleep(LAST_OUTPUT) => {
            let id = run.id();
            tracing::debug!(job = %id.job, run = id.run, "the end of a run's output was given up: the source does not take it");
        }
    }
    done
}

/// Sends pieces, with a pause after each, until the last one is sent or the run is no longer held.
async fn send(run: &Run) {
    let output = run.live_output();
    loop {
        let over = output.is_over();
        if let Some(piece) = output.take() {
            if !deliver(run, piece).await {
                return;
            }
            pause(run).await;
        } else if over {
            return;
        } else {
            output.more.notified().await;
        }
    }
}

/// Whether the run is still held, as far as is known. A source that cannot be reached is asked again; a piece of which
/// it is not known whether it stands is not sent twice.
async fn deliver(run: &Run, piece: Bytes) -> bool {
    loop {
        match run.source().append_output(run.id(), piece.clone()).await {
            Ok(held) => return held,
            Err(error) if error.kind() == Kind::Unavailable => run.clock().sleep(OUTPUT_PAUSE).await,
            Err(error) => {
                let id = run.id();
                tracing::debug!(job = %id.job, run = id.run, %error, "a piece of a run's output may be lost");
                return true;
            }
        }
    }
}

/// Waits until the next piece may go, which is at once when nothing comes after it.
async fn pause(run: &Run) {
    let mut over = run.clock().sleep(OUTPUT_PAUSE);
    while !run.live_output().is_over() {
        tokio::select! {
            biased;
            () = &mut over => return,
            () = run.live_output().more.notified() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gathered(pieces: &[&[u8]]) -> Option<Bytes> {
        let mut gathered = Gathered::default();
        pieces.iter().for_each(|piece| gathered.push(piece));
        piece(gathered)
    }

    #[test]
    fn what_fits_is_one_piece() {
        assert_eq!(gathered(&[]), None);
        assert_eq!(gathered(&[b"a\n", b"b\n"]).as_deref(), Some(&b"a\nb\n"[..]));
    }

    #[test]
    fn of_more_the_head_and_the_tail_stay_and_the_rest_is_counted() {
        let flood = vec![b'x'; 3 * OUTPUT_SENT_BYTES];
        let piece = gathered(&[b"first", &flood, b"last"]).expect("there is something");
        let text = String::from_utf8(piece.to_vec()).expect("it is text");
        assert!(text.starts_with("firstxx") && text.ends_with("xxlast"));
        let left_out = flood.len() + "firstlast".len() - OUTPUT_SENT_BYTES;
        assert!(text.contains(&format!("\n… {left_out} bytes came too fast to be kept …\n")));
    }
}
