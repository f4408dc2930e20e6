//! Whether a client has sent, or is about to send, something that nobody has read.
//!
//! A socket that is closed over unread bytes resets its connection, and the reset overtakes the answer: a client that is
//! still sending a body sees a broken pipe instead of the 413 that tells it why.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

/// One connection's note of it. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Unread(Arc<AtomicBool>);

impl Unread {
    /// Bytes have arrived.
    pub(super) fn arrived(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether what arrived last has not been read as a whole request.
    pub(super) fn is_some(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// A request's body, whose end is noted once it is read.
    pub(super) fn watch(&self, body: Incoming) -> Watched {
        let watched = Watched {
            body,
            unread: self.clone(),
        };
        watched.note();
        watched
    }

    fn none(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// A request's body that tells when it has been read.
pub(super) struct Watched {
    body: Incoming,
    unread: Unread,
}

impl Watched {
    fn note(&self) {
        if self.body.is_end_stream() {
            self.unread.none();
        }
    }
}

impl Body for Watched {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        match frame {
            None => self.unread.none(),
            Some(_) => self.note(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
