//! Patience with clients: a write that gets nowhere for too long ends its connection, and one that ends while its client
//! still sends hears it out first, so that the client gets to read the answer.

use std::future::{Future, Pending, pending};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Timeout, timeout};

use super::outgoing::Outgoing;
use super::unread::Unread;
use crate::limits::{LINGER, LINGER_BYTES};

/// A stream whose writes fail as `TimedOut` once no byte went out for this long. Reads have deadlines of their own.
///
/// When its writing half is shut down over something unread, it reads on, and discards, until the client is done, for at
/// most [`LINGER`] and [`LINGER_BYTES`].
pub(super) struct Patient<S> {
    stream: S,
    patience: Duration,
    unread: Unread,
    outgoing: Outgoing,
    /// Runs out while a write waits for its reader; unset, while none does.
    blocked: Option<Alarm>,
    /// Set once the writing half is shut down.
    farewell: Option<Farewell>,
}

type Alarm = Pin<Box<Timeout<Pending<()>>>>;

/// What a client may still send.
struct Farewell {
    over: Alarm,
    left: usize,
}

impl<S: AsyncWrite + Unpin> Patient<S> {
    /// The stream, with this much patience. It notes what arrives in `unread`, and tells `outgoing` what has gone out.
    pub(super) fn new(stream: S, patience: Duration, unread: Unread, outgoing: Outgoing) -> Patient<S> {
        Patient {
            stream,
            patience,
            unread,
            outgoing,
            blocked: None,
            farewell: None,
        }
    }

    fn bounded<T>(
        &mut self,
        context: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if let Poll::Ready(written) = write(Pin::new(&mut self.stream), context) {
            self.blocked = None;
            return Poll::Ready(written);
        }
        let patience = self.patience;
        let blocked = self.blocked.get_or_insert_with(|| alarm(patience));
        let _ = ready!(blocked.as_mut().poll(context));
        let story = format!("the client took nothing for {patience:?}");
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, story)))
    }
}

impl<S: AsyncRead + Unpin> Patient<S> {
    /// Is ready when the client has sent all that it wanted to, or may not send more.
    fn hear_out(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let farewell = self.farewell.get_or_insert_with(|| Farewell {
            over: alarm(LINGER),
            left: LINGER_BYTES,
        });
        let mut piece = [0; PIECE_BYTES];
        while farewell.left > 0 && farewell.over.as_mut().poll(context).is_pending() {
            let mut buffer = ReadBuf::new(&mut piece);
            let read = ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                break;
            }
            farewell.left = farewell.left.saturating_sub(buffer.filled().len());
        }
        Poll::Ready(())
    }
}

/// What is discarded is read in pieces of this size.
const PIECE_BYTES: usize = 8 * 1024;

fn alarm(length: Duration) -> Alarm {
    Box::pin(timeout(length, pending()))
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.unread.arrived();
        }
        read
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.bounded(context, |stream, context| stream.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.bounded(context, |stream, context| {
            stream.poll_write_vectored(context, pieces)
        })
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The HTTP library asks for it once it has nothing left to write.
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        self.outgoing.went_out();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.farewell.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
        }
        if self.unread.is_some() {
            ready!(self.hear_out(context));
        }
        Poll::Ready(Ok(()))
    }
}
