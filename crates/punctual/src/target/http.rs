//! The `http` target: calls a URL, once per attempt, and keeps the answer.
//!
//! # What a server is sent
//!
//! The job's method, URL, headers and body, and
//!
//! | header | is |
//! |---|---|
//! | `punctual-job-id` | the job, the same in every attempt |
//! | `punctual-attempt` | 1 and up |
//! | `punctual-run` | a number that grows with every run of the job: what comes with a smaller one is stale |
//! | `idempotency-key` | the job's id, for servers that know this header |
//! | `user-agent` | `punctual/` and the version, unless the job sets its own |
//!
//! # What its answer means
//!
//! | answer | the job |
//! |---|---|
//! | a status that the job accepts (unset, 2xx) | is done; the result is an [`HttpAnswer`] |
//! | 429, 503 | tries again after `retry-after`, at most an hour, or else its backoff |
//! | 408, 425, other 5xx | tries again after its backoff |
//! | no connection, a broken one, no answer in time | tries again after its backoff |
//! | no connection, for want of file descriptors or memory here | comes again in 5 s; costs no attempt |
//! | anything else, redirects among it: they are not followed | fails at once |
//!
//! # Whom it calls
//!
//! Public addresses, and those that [`HttpSettings::allow`] names. Each address is judged as a connection to it is about to be
//! made, so that neither a name that resolves to something private nor a spelling such as `0x7f000001` gets past. No proxy is
//! taken from the environment. Idle connections are kept for some seconds, and reused.

mod address;
mod answer;
mod call;
mod connect;

use std::error::Error as StdError;
use std::fmt;
use std::pin::pin;

use bytes::{Bytes, BytesMut};
use http::header::{HeaderName, HeaderValue, USER_AGENT};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::capture_connection;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use self::address::Addresses;
pub use self::answer::HttpAnswer;
use self::answer::{Refusal, refusal};
pub use self::call::HttpCall;
use self::connect::{Connector, DialError};
use crate::error::Error;
use crate::limits::{
    ERROR_SOURCES, HTTP_ANSWER_BYTES, HTTP_CONNECTIONS_KEPT, HTTP_ERROR_BODY_BYTES, HTTP_ERROR_BODY_WAIT,
    HTTP_HEAD_BYTES, HTTP_IDLE, SHORTAGE_DELAY,
};
use crate::target::shortage::is_shortage;
use crate::target::text;
use crate::time::format_length;
use crate::worker::{Handler, Run, States, Stop};

/// What the operator says of HTTP calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpSettings {
    /// Ranges of addresses that may be called besides the public ones, such as `10.0.0.0/8` or `127.0.0.1`. The addresses where
    /// clouds hand out a machine's credentials stay refused. In the configuration, `targets.http.allow`.
    pub allow: Vec<String>,
}

impl HttpSettings {
    /// For a laptop: loopback and private addresses may be called.
    pub fn dev() -> HttpSettings {
        let ranges = [
            "127.0.0.0/8",
            "::1",
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "fc00::/7",
        ];
        HttpSettings {
            allow: ranges.map(str::to_owned).into(),
        }
    }
}

/// The handler of `http` jobs: `worker.handle(HttpTarget::new(settings)?)`. Clones share their connections.
#[derive(Clone)]
pub struct HttpTarget {
    client: Client<Connector, Full<Bytes>>,
}

impl HttpTarget {
    /// A target that goes by these settings. `Invalid` if a range of addresses is none.
    pub fn new(settings: HttpSettings) -> Result<HttpTarget, Error> {
        let connector = Connector::new(Addresses::allowing(&settings.allow)?)?;
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(HTTP_IDLE)
            .pool_max_idle_per_host(HTTP_CONNECTIONS_KEPT)
            .http1_max_buf_size(HTTP_HEAD_BYTES)
            .build(connector);
        Ok(HttpTarget { client })
    }

    async fn attempt(&self, call: &HttpCall, run: &Run) -> Result<HttpAnswer, Stop> {
        let response = self.send(call, run).await?;
        let (head, body) = response.into_parts();
        let status = head.status.as_u16();
        if call.accepts(status) {
            let (body, truncated) = read(body, HTTP_ANSWER_BYTES).await.map_err(|error| {
                Stop::retry(format!(
                    "{call} answered {status}, and then broke off: {}",
                    story(&error)
                ))
            })?;
            return Ok(HttpAnswer::kept(status, &head.headers, body, truncated));
        }
        let error = refused(call, status, &head.headers, body).await;
        Err(match refusal(status, &head.headers) {
            Refusal::Passing(None) => Stop::retry(error),
            Refusal::Passing(Some(length)) => Stop::retry(error).after(length),
            Refusal::Final => Stop::fail(error),
        })
    }

    /// Sends the call and waits for the head of its answer: for a connection as long as the call says, for the rest as long as
    /// the run has.
    async fn send(&self, call: &HttpCall, run: &Run) -> Result<Response<Incoming>, Stop> {
        let mut request = request(call, run);
        let mut connection = capture_connection(&mut request);
        let mut response = pin!(self.client.request(request));
        let connected = async {
            tokio::select! {
                biased;
                response = &mut response => Some(response),
                () = async { drop(connection.wait_for_connection_metadata().await) } => None,
            }
        };
        let length = call.time_to_connect();
        let response = match tokio::time::timeout(length, connected).await {
            Ok(Some(response)) => response,
            Ok(None) => response.await,
            Err(_) => {
                let length = format_length(length);
                return Err(Stop::retry(format!("{call} got no connection within {length}")));
            }
        };
        response.map_err(|error| {
            let said = format!("{call} got no answer: {}", story(&error));
            if is_refused(&error) {
                Stop::fail(said)
            } else if is_for_want(&error) {
                tracing::warn!(%said, "a call is put off");
                Stop::snooze(SHORTAGE_DELAY)
            } else {
                Stop::retry(said)
            }
        })
    }
}

impl Handler<HttpCall> for HttpTarget {
    type Task = HttpCall;

    async fn call(&self, call: HttpCall, run: Run) -> Result<HttpAnswer, Stop> {
        let stop = run.stop();
        tokio::select! {
            biased;
            answer = self.attempt(&call, &run) => answer,
            reason = stop.requested() => Err(Stop::retry(format!("{call} had not answered in full ({reason})"))),
        }
    }

    fn check(_states: &States) -> Result<(), Error> {
        Ok(())
    }
}

impl fmt::Debug for HttpTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTarget").finish_non_exhaustive()
    }
}

fn request(call: &HttpCall, run: &Run) -> Request<Full<Bytes>> {
    let job = run.id().job.to_string();
    let text =
        |text: String| HeaderValue::try_from(text).expect("ids, numbers and versions are visible ASCII");
    let ours = [
        (HeaderName::from_static("punctual-job-id"), text(job.clone())),
        (HeaderName::from_static("punctual-attempt"), run.attempt().into()),
        (HeaderName::from_static("punctual-run"), run.id().run.into()),
        (HeaderName::from_static("idempotency-key"), text(job)),
    ];
    let unless_set = [(
        USER_AGENT,
        HeaderValue::from_static(concat!("punctual/", env!("CARGO_PKG_VERSION"))),
    )];

    let mut request = Request::new(Full::new(call.content.bytes()));
    *request.method_mut() = call.method.clone();
    *request.uri_mut() = call.url.clone();
    let headers = unless_set.into_iter().chain(call.content.media_type());
    let headers = headers.chain(call.headers.iter().cloned()).chain(ours);
    *request.headers_mut() = HeaderMap::with_capacity(call.headers.len() + 8);
    for (name, value) in headers {
        request.headers_mut().insert(name, value);
    }
    request
}

/// Reads a body up to so many bytes, and tells whether there was more. What is left unread ends its connection.
async fn read(mut body: Incoming, bytes: usize) -> Result<(Bytes, bool), hyper::Error> {
    let mut kept = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        let room = bytes - kept.len();
        kept.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() > room {
            return Ok((kept.freeze(), true));
        }
    }
    Ok((kept.freeze(), false))
}

/// What the error of an answer that was not accepted says: its status, where it leads, and how its body begins.
async fn refused(call: &HttpCall, status: u16, headers: &HeaderMap, body: Incoming) -> String {
    let mut said = format!("{call} answered {status}");
    if let Some(reason) = http::StatusCode::from_u16(status)
        .ok()
        .and_then(|code| code.canonical_reason())
    {
        said = format!("{said} {reason}");
    }
    if let (300..400, Some(location)) = (status, headers.get(http::header::LOCATION)) {
        let location = String::from_utf8_lossy(location.as_bytes());
        let location = text::head(&location, HTTP_ERROR_BODY_BYTES, char::len_utf8);
        return format!("{said}, which leads to {location}; redirects are not followed");
    }
    // The status alone decides. A body that breaks off or does not come only leaves the error shorter.
    let body = tokio::time::timeout(HTTP_ERROR_BODY_WAIT, read(body, HTTP_ERROR_BODY_BYTES)).await;
    if let Ok(Ok((body, _))) = body {
        let body = String::from_utf8_lossy(&body);
        let body = body.trim();
        if !body.is_empty() {
            said = format!("{said}: {body}");
        }
    }
    said
}

/// What went wrong on the way, without the outermost error of the client, which only says that something did.
fn story(error: &(dyn StdError + 'static)) -> String {
    let mut said: Vec<String> = Vec::new();
    for cause in causes(error.source().unwrap_or(error)) {
        let text = cause.to_string();
        if !said.iter().any(|earlier| earlier.contains(&text)) {
            said.push(text);
        }
    }
    said.join(": ")
}

/// Whether the reason is an address that may not be called.
fn is_refused(error: &(dyn StdError + 'static)) -> bool {
    causes(error).any(|cause| matches!(cause.downcast_ref(), Some(DialError::Refused(..))))
}

/// Whether the reason is that this machine has nothing left to make a connection with.
fn is_for_want(error: &(dyn StdError + 'static)) -> bool {
    causes(error).any(|cause| match cause.downcast_ref() {
        Some(DialError::Lookup(error) | DialError::Connect(_, error)) => is_shortage(error),
        _ => false,
    })
}

/// An error and what caused it, outermost first.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source()).take(ERROR_SOURCES)
}
