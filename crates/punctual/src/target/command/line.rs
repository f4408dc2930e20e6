//! The line between a command's supervisor and the worker that started it: a socket, which is the supervisor's standard input.
//!
//! | to the supervisor | means |
//! |---|---|
//! | four bytes of length and a call, as the JSON of its payload | start it |
//! | [`ASK_TO_END`] | ask all of it to end |
//! | the end, which a worker that is killed brings about as well | kill all of it |
//!
//! Back come the five bytes of one [`Told`], or nothing but the end if the supervisor itself was killed.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::call::CommandCall;

/// Asks all that came of the command to end.
pub(super) const ASK_TO_END: u8 = b'T';

/// What a supervisor has to tell.
#[derive(Clone, Copy)]
pub(super) enum Told {
    /// The system did not start the program: the number of its error.
    NotStarted(i32),
    /// The program ended, with this wait status.
    Ended(i32),
}

impl Told {
    /// So many bytes is each of them.
    const BYTES: usize = 5;

    /// As it goes over the line.
    pub(super) fn bytes(self) -> [u8; Told::BYTES] {
        let (kind, number) = match self {
            Told::NotStarted(error) => (b'N', error),
            Told::Ended(status) => (b'E', status),
        };
        let [a, b, c, d] = number.to_le_bytes();
        [kind, a, b, c, d]
    }
}

/// The worker's end of the line.
pub(super) struct Line {
    socket: UnixStream,
    heard: BytesMut,
}

impl Line {
    /// A line and its other end.
    pub(super) fn open() -> io::Result<(Line, OwnedFd)> {
        let (near, far) = StdStream::pair()?;
        near.set_nonblocking(true)?;
        let line = Line {
            socket: UnixStream::from_std(near)?,
            heard: BytesMut::with_capacity(Told::BYTES),
        };
        Ok((line, far.into()))
    }

    /// Has the call started.
    pub(super) async fn order(&mut self, call: &CommandCall) -> io::Result<()> {
        let call = serde_json::to_vec(call)?;
        let length = u32::try_from(call.len()).map_err(io::Error::other)?;
        self.socket.write_all(&length.to_le_bytes()).await?;
        self.socket.write_all(&call).await
    }

    /// Asks all of the command to end.
    pub(super) async fn ask_to_end(&mut self) {
        // It fails when the supervisor is gone, and all of the command with it.
        let _ = self.socket.write_all(&[ASK_TO_END]).await;
    }

    /// Has all of the command killed, if the supervisor is still there.
    pub(super) async fn hang_up(&mut self) {
        let _ = self.socket.shutdown().await;
    }

    /// Waits until it is told how the command ended; None if the supervisor ended without a word. May be dropped and called
    /// again, and tells the same again.
    pub(super) async fn told(&mut self) -> Option<Told> {
        while self.heard.len() < Told::BYTES {
            match self.socket.read_buf(&mut self.heard).await {
                Ok(1..) => {}
                Ok(0) | Err(_) => return None,
            }
        }
        let mut heard = &self.heard[..];
        match heard.get_u8() {
            b'N' => Some(Told::NotStarted(heard.get_i32_le())),
            b'E' => Some(Told::Ended(heard.get_i32_le())),
            _ => None,
        }
    }
}
