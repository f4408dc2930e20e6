//! Request ids and the access log: one line for each request, once its answer has gone out or broke off.
//!
//! The line says nothing that a request may keep secret: the route and not the path, no query, no headers.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use hyper::body::{Frame, SizeHint};
use punctual::clock::Clock;
use tracing::Instrument;

use crate::limits::REQUEST_ID_BYTES;
use crate::problem::Problem;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Who sent a request.
#[derive(Clone, Copy)]
pub(super) struct Peer(pub(super) SocketAddr);

/// The id of a request, for an answer that tells it in words of its own.
#[derive(Clone)]
pub(super) struct RequestId(pub(super) Box<str>);

/// What the log needs.
#[derive(Clone)]
pub(super) struct Access {
    pub(super) clock: Arc<dyn Clock>,
}

/// Gives a request its id, and tells of it when it is over.
pub(super) async fn log(State(access): State<Access>, mut request: Request, next: Next) -> Response {
    let id = request_id(request.headers()).unwrap_or_else(|| access.fresh_id());
    let text = id.to_str().unwrap_or_default().to_owned();
    let line = Line {
        clock: Arc::clone(&access.clock),
        begun: access.clock.uptime(),
        id: text.clone(),
        method: request.method().clone(),
        route: request
            .extensions()
            .get::<MatchedPath>()
            .map_or_else(|| "none".to_owned(), |route| route.as_str().to_owned()),
        peer: request.extensions().get::<Peer>().map(|peer| peer.0),
        status: StatusCode::OK,
        length: 0,
        complete: false,
    };
    request.extensions_mut().insert(RequestId(text.as_str().into()));
    let span = tracing::info_span!("request", id = %text);
    let mut unanswered = Unanswered(Some(line));
    let response = next.run(request).instrument(span).await;
    let line = unanswered.0.take();
    let (mut parts, body) = response.into_parts();
    let body = match parts.extensions.remove::<Problem>() {
        Some(problem) => problem.with_request_id(text).into_bytes().into(),
        None => body,
    };
    parts.headers.insert(REQUEST_ID, id);
    let line = line.map(|line| Line {
        status: parts.status,
        ..line
    });
    Response::from_parts(parts, Body::new(Counted { body, line }))
}

/// The id that a request brings, if it may stand in a log.
fn request_id(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut given = headers.get_all(REQUEST_ID).iter();
    let id = given.next().filter(|_| given.next().is_none())?;
    let sane = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:+/=@".contains(byte);
    let is_sane = (1..=REQUEST_ID_BYTES).contains(&id.len()) && id.as_bytes().iter().all(sane);
    is_sane.then(|| id.clone())
}

impl Access {
    fn fresh_id(&self) -> HeaderValue {
        let id = self.clock.fresh_id().simple().to_string();
        HeaderValue::try_from(id).expect("it is letters and digits")
    }
}

/// What is told of one request.
struct Line {
    clock: Arc<dyn Clock>,
    begun: Duration,
    id: String,
    method: Method,
    route: String,
    peer: Option<SocketAddr>,
    status: StatusCode,
    length: u64,
    /// Whether all of the answer was handed out.
    complete: bool,
}

impl Line {
    fn write(&self) {
        let took = self.clock.uptime().saturating_sub(self.begun);
        let peer = self.peer.map(|peer| peer.to_string()).unwrap_or_default();
        macro_rules! tell {
            ($level:ident) => {
                tracing::$level!(
                    target: "punctual_http::access",
                    method = %self.method,
                    route = self.route,
                    status = self.status.as_u16(),
                    length = self.length,
                    complete = self.complete,
                    took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
                    request_id = self.id,
                    peer,
                    "request"
                )
            };
        }
        // Probes come every few seconds for ever, and say the same each time.
        match self.route.as_str() {
            "/healthz" | "/readyz" if self.status.is_success() => tell!(debug),
            _ => tell!(info),
        }
    }
}

/// A request whose client leaves before there is an answer is told of, too; its status is the one that nginx made usual.
struct Unanswered(Option<Line>);

impl Drop for Unanswered {
    fn drop(&mut self) {
        if let Some(line) = &mut self.0 {
            line.status = StatusCode::from_u16(499).unwrap_or_default();
            line.write();
        }
    }
}

/// A body that counts what of it goes out.
struct Counted {
    body: Body,
    line: Option<Line>,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(line) = &mut self.line {
            match &frame {
                Some(Ok(frame)) => line.length += frame.data_ref().map_or(0, |data| data.len() as u64),
                Some(Err(_)) => {}
                None => line.complete = true,
            }
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

impl Drop for Counted {
    fn drop(&mut self) {
        let ended = self.body.is_end_stream();
        if let Some(line) = &mut self.line {
            line.complete |= ended;
            line.write();
        }
    }
}
