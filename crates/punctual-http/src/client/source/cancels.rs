//! Hears from a far server which jobs are asked to stop. The next beat tells all the same, so that nothing hangs on it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::BytesMut;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use http_body_util::BodyExt;
use punctual::clock::Clock;
use punctual::job::JobId;

use crate::client::Client;
use crate::limits::{RECONNECT_PAUSE, RECONNECT_PAUSE_MAX, STREAM_PAUSE};

/// The longest line of the stream, in bytes: an id takes 36.
const LINE_BYTES: usize = 1024;
/// After so many pauses without a sign of life the connection is taken for dead.
const SILENT_PAUSES: u32 = 3;

/// The jobs that are asked to stop from now on, for ever: a connection that ends is made anew.
pub(super) fn cancels(client: Client, clock: Arc<dyn Clock>) -> BoxStream<'static, JobId> {
    let ear = Ear {
        client,
        clock,
        body: None,
        unread: BytesMut::new(),
        pause: Duration::ZERO,
    };
    stream::unfold(ear, |mut ear| async { Some((ear.next().await, ear)) }).boxed()
}

struct Ear {
    client: Client,
    clock: Arc<dyn Clock>,
    body: Option<Body>,
    unread: BytesMut,
    /// Before the next connection.
    pause: Duration,
}

impl Ear {
    async fn next(&mut self) -> JobId {
        loop {
            while let Some(line) = self.line() {
                if let Some(id) = line.strip_prefix("data: ").and_then(|id| id.parse().ok()) {
                    return id;
                }
            }
            if self.body.is_none() {
                self.connect().await;
            }
            if !self.read().await {
                self.body = None;
                self.unread.clear();
            }
        }
    }

    /// A line that has come as a whole.
    fn line(&mut self) -> Option<String> {
        let end = self.unread.iter().position(|byte| *byte == b'\n')?;
        let line = self.unread.split_to(end + 1);
        Some(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    async fn connect(&mut self) {
        let lot = 1.0 - self.clock.chance() / 2.0;
        self.clock.sleep(self.pause.mul_f64(lot)).await;
        self.pause = (self.pause * 2).clamp(RECONNECT_PAUSE, RECONNECT_PAUSE_MAX);
        match self.client.stream("/v1/workers/cancels").await {
            Ok(answer) => self.body = Some(answer.into_body()),
            Err(error) => tracing::debug!(%error, "cancels are not heard of at once; heartbeats will tell"),
        }
    }

    /// Reads on. Answers whether the stream goes on.
    async fn read(&mut self) -> bool {
        let Some(body) = &mut self.body else {
            return false;
        };
        let frame = tokio::time::timeout(STREAM_PAUSE * SILENT_PAUSES, body.frame()).await;
        let Ok(Some(Ok(frame))) = frame else {
            return false;
        };
        self.pause = RECONNECT_PAUSE;
        if let Some(data) = frame.data_ref() {
            self.unread.extend_from_slice(data);
        }
        self.unread.len() <= LINE_BYTES || self.unread.contains(&b'\n')
    }
}
