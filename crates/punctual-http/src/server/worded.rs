//! Words for the refusals that the HTTP library makes itself, before there is a request to hand on: it sends a head without
//! a body, and whoever looks at the answer alone learns nothing.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{StatusCode, header};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::limits::{HEADER_BYTES, HEADERS};
use crate::problem::{MEDIA_TYPE, Problem};

/// A stream that sends a problem document in place of a refusal without a body.
pub(super) struct Worded<S> {
    stream: S,
    /// What is sent instead of what the library is writing, and how much of it has gone out.
    instead: Option<(Vec<u8>, usize)>,
    /// Whether all that was written before has gone out. Else what is written goes on with an answer, whose content may look
    /// like anything.
    fresh: bool,
}

impl<S> Worded<S> {
    /// The stream, with words for refusals.
    pub(super) fn new(stream: S) -> Worded<S> {
        Worded {
            stream,
            instead: None,
            fresh: true,
        }
    }
}

/// The whole answer in place of a head that is a refusal of the library. Answers of ours always have a body with these
/// statuses.
fn in_words(head: &[u8]) -> Option<Vec<u8>> {
    const EMPTY: &str = "content-length: 0\r\n";
    // Most of what is written is none, and long: one look is enough.
    if !head.starts_with(b"HTTP/1.1 4") {
        return None;
    }
    let head = std::str::from_utf8(head).ok()?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?;
    let status = StatusCode::from_bytes(status.as_bytes()).ok()?;
    let detail = detail(status)?;
    if !head.contains(EMPTY) || !head.ends_with("\r\n\r\n") {
        return None;
    }
    let body = serde_json::to_string(&Problem::new(status, detail)).ok()?;
    let fields = format!(
        "{}: {MEDIA_TYPE}\r\n{}: {}\r\n",
        header::CONTENT_TYPE,
        header::CONTENT_LENGTH,
        body.len()
    );
    Some((head.replacen(EMPTY, &fields, 1) + &body).into_bytes())
}

/// What the library means by a status.
fn detail(status: StatusCode) -> Option<String> {
    Some(match status {
        StatusCode::BAD_REQUEST => {
            "this is no request of HTTP/1.1: its first line or one of its headers cannot be read".into()
        }
        StatusCode::URI_TOO_LONG => "the address of the request is too long".into(),
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
            format!("a request has at most {HEADERS} headers, and {HEADER_BYTES} bytes up to the end of them")
        }
        _ => return None,
    })
}

impl<S: AsyncRead + Unpin> AsyncRead for Worded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Worded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Worded {
            stream,
            instead,
            fresh,
        } = &mut *self;
        if std::mem::take(fresh) {
            *instead = in_words(bytes).map(|answer| (answer, 0));
        }
        let Some((answer, sent)) = instead else {
            return Pin::new(stream).poll_write(context, bytes);
        };
        while *sent < answer.len() {
            match ready!(Pin::new(&mut *stream).poll_write(context, &answer[*sent..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                more => *sent += more,
            }
        }
        *instead = None;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // A refusal is a single piece.
        match pieces {
            [head] => self.poll_write(context, head),
            pieces => {
                self.fresh = false;
                Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        self.fresh = self.instead.is_none();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    const BARE: &str = "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

    #[tokio::test]
    async fn what_looks_like_a_refusal_within_an_answer_stays_as_it_is() {
        let mut worded = Worded::new(Vec::new());
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", BARE.len());
        for piece in [&head, BARE] {
            worded.write_all(piece.as_bytes()).await.expect("it is kept");
        }
        worded.flush().await.expect("it is kept");
        assert_eq!(worded.stream, (head + BARE).into_bytes());
        worded.write_all(BARE.as_bytes()).await.expect("it is kept");
        assert!(
            worded.stream.ends_with(b"}"),
            "an answer that begins is put into words"
        );
    }

    #[test]
    fn only_a_refusal_without_a_body_is_put_into_words() {
        let worded = in_words(BARE.as_bytes()).expect("it is one");
        let worded = String::from_utf8(worded).expect("it is text");
        assert!(
            worded.contains("\r\ncontent-type: application/problem+json\r\n"),
            "{worded}"
        );
        for other in [
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n{}",
            "HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n",
            "{\"HTTP/1.1 400\": \"content-length: 0\"}",
            "",
        ] {
            assert_eq!(in_words(other.as_bytes()), None, "{other}");
        }
    }
}
