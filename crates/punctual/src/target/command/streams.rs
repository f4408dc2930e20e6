//! Streams: feeds a command its input and drains its output, both at once, so that it never waits for us.

use std::future::Future;
use std::pin::pin;

use bytes::{Buf, Bytes};
use futures_util::future::join3;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};

use super::capture::Capture;
use crate::worker::Run;

/// Bytes read at once: they stand in the run's own future, and each run has two of them.
const CHUNK: usize = 4_096;

/// The three streams of a command.
pub(super) struct Streams {
    stdin: Option<ChildStdin>,
    input: Bytes,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    /// What is kept of its standard output.
    pub(super) out: Capture,
    /// What is kept of its standard error.
    pub(super) err: Capture,
    run: Run,
}

impl Streams {
    /// Takes the pipes of a command that was just started. What it writes to either of them, the run puts out as it comes.
    pub(super) fn of(child: &mut Child, input: Bytes, run: &Run) -> Streams {
        Streams {
            stdin: child.stdin.take(),
            input,
            stdout: child.stdout.take(),
            stderr: child.stderr.take(),
            out: Capture::default(),
            err: Capture::default(),
            run: run.clone(),
        }
    }

    /// Lets bytes flow until the command's side of all three is closed. May be dropped and called again.
    pub(super) async fn flow(&mut self) {
        let feeding = feed(&mut self.stdin, &mut self.input);
        let draining_out = drain(&mut self.stdout, &mut self.out, &self.run);
        let draining_err = drain(&mut self.stderr, &mut self.err, &self.run);
        join3(feeding, draining_out, draining_err).await;
    }

    /// Lets bytes flow while something is waited for.
    pub(super) async fn during<T>(&mut self, event: impl Future<Output = T>) -> T {
        let mut event = pin!(event);
        tokio::select! {
            biased;
            done = &mut event => return done,
            () = self.flow() => {}
        }
        event.await
    }
}

/// Writes the input, as long as it is read, and closes the pipe.
pub(super) async fn feed(stdin: &mut Option<ChildStdin>, input: &mut Bytes) {
    let Some(pipe) = stdin else { return };
    while input.has_remaining() {
        match pipe.write(input).await {
            Ok(written @ 1..) => input.advance(written),
            // It does not read on, as is its right.
            Ok(0) | Err(_) => break,
        }
    }
    *stdin = None;
}

async fn drain(pipe: &mut Option<impl AsyncRead + Unpin>, capture: &mut Capture, run: &Run) {
    let Some(reader) = pipe else { return };
    let mut chunk = [0; CHUNK];
    while let Ok(read @ 1..) = reader.read(&mut chunk).await {
        capture.push(&chunk[..read]);
        run.output(&chunk[..read]);
    }
    *pipe = None;
}
