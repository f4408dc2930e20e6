//! One attempt at a call: its requests, and what becomes of their answers.

use std::pin::pin;

use bytes::{Bytes, BytesMut};
use http::header::{AUTHORIZATION, HeaderName, HeaderValue, LOCATION, USER_AGENT};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::capture_connection;

use super::HttpTarget;
use super::answer::{HttpAnswer, Keep};
use super::call::HttpCall;
use super::connect::Connector;
use super::hop::Hop;
use super::mask::{Masks, SECRET_HEADERS};
use super::meaning::{Meaning, meaning};
use super::sign::sign;
use super::story::{is_for_want, is_refused, story};
use crate::limits::{HTTP_ERROR_BODY_BYTES, HTTP_ERROR_BODY_WAIT, SHORTAGE_DELAY};
use crate::target::verdict::Verdict;
use crate::time::format_length;
use crate::worker::{Run, Stop};

/// One attempt.
pub(super) struct Attempt<'a> {
    client: &'a Client<Connector, Full<Bytes>>,
    call: &'a HttpCall,
    masks: Masks,
}

impl<'a> Attempt<'a> {
    /// Sends the call, follows where its answer leads as far as the job wants, and tells what came of it.
    pub(super) async fn make(
        target: &'a HttpTarget,
        call: &'a HttpCall,
        run: &Run,
    ) -> Result<HttpAnswer, Stop> {
        let mut masks = Masks::default();
        let mut hop = first(target, call, run, &mut masks).await?;
        let attempt = Attempt {
            client: &target.client,
            call,
            masks,
        };
        for _ in 0..call.follow {
            let response = attempt.send(&hop).await?;
            let status = response.status().as_u16();
            let location = match status {
                301 | 302 | 303 | 307 | 308 => response.headers().get(LOCATION),
                _ => None,
            };
            let Some(location) = location else {
                return attempt.judge(&hop, response).await;
            };
            let said = format!("{} answered {status}", attempt.name(&hop));
            let led = hop.led_by(status, location, &attempt.masks);
            hop = led.map_err(|why| Stop::fail(format!("{said} and {why}")))?;
        }
        let response = attempt.send(&hop).await?;
        attempt.judge(&hop, response).await
    }

    /// A request, as errors name it: where an answer leads, its path may hold what the call had in its headers.
    fn name(&self, hop: &Hop) -> String {
        self.masks.text(hop.to_string())
    }

    /// Sends a request and waits for the head of its answer: for a connection as long as the call says, for the rest as long
    /// as the run has.
    async fn send(&self, hop: &Hop) -> Result<Response<Incoming>, Stop> {
        let mut request = hop.request();
        let mut connection = capture_connection(&mut request);
        let mut response = pin!(self.client.request(request));
        let connected = async {
            tokio::select! {
                biased;
                response = &mut response => Some(response),
                () = async { drop(connection.wait_for_connection_metadata().await) } => None,
            }
        };
        let length = self.call.time_to_connect();
        let response = match tokio::time::timeout(length, connected).await {
            Ok(Some(response)) => response,
            Ok(None) => response.await,
            Err(_) => {
                let length = format_length(length);
                let said = format!("{} got no connection within {length}", self.name(hop));
                return Err(Stop::retry(said));
            }
        };
        response.map_err(|error| {
            let said = self.masks.text(format!("{hop} got no answer: {}", story(&error)));
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

    /// What an answer means, with as much of it as is kept.
    async fn judge(&self, hop: &Hop, response: Response<Incoming>) -> Result<HttpAnswer, Stop> {
        let (head, body) = response.into_parts();
        let status = head.status.as_u16();
        let verdict = match meaning(self.call, status, &head.headers, &self.masks) {
            Ok(Meaning::Is(verdict)) => verdict,
            Ok(Meaning::Deferred(length)) => return Err(Stop::defer(length)),
            Err(why) => {
                let said = format!("{} answered {status} with {why}", self.name(hop));
                return Err(Stop::fail(said));
            }
        };
        match verdict {
            Verdict::Done => self.keep(hop, status, &head.headers, body).await,
            Verdict::Snooze(length) => Err(Stop::snooze(length)),
            Verdict::Retry(length) => {
                let stop = Stop::retry(self.refused(hop, status, &head.headers, body).await);
                Err(match length {
                    Some(length) => stop.after(length),
                    None => stop,
                })
            }
            Verdict::Fail => Err(Stop::fail(self.refused(hop, status, &head.headers, body).await)),
        }
    }

    async fn keep(
        &self,
        hop: &Hop,
        status: u16,
        headers: &HeaderMap,
        body: Incoming,
    ) -> Result<HttpAnswer, Stop> {
        let (body, truncated) = read(body, self.call.body_to_keep()).await.map_err(|error| {
            Stop::retry(format!(
                "{} answered {status}, and then broke off: {}",
                self.name(hop),
                story(&error)
            ))
        })?;
        let keep = Keep {
            headers: &self.call.keep_headers,
            masks: &self.masks,
        };
        Ok(HttpAnswer::kept(status, headers, body, truncated, &keep))
    }

    /// What the error of an answer that is no success says: its status, where it leads, and how its body begins.
    async fn refused(&self, hop: &Hop, status: u16, headers: &HeaderMap, body: Incoming) -> String {
        let mut said = format!("{} answered {status}", self.name(hop));
        if let Some(reason) = StatusCode::from_u16(status)
            .ok()
            .and_then(|code| code.canonical_reason())
        {
            said = format!("{said} {reason}");
        }
        if let (300..400, Some(location)) = (status, headers.get(LOCATION)) {
            let location = self.masks.head(location.as_bytes());
            let followed = match self.call.follow {
                0 => "redirects are not followed".to_owned(),
                hops => format!("at most {hops} redirects are followed"),
            };
            return format!("{said}, which leads to {location}; {followed}");
        }
        // The status alone decides. A body that breaks off or does not come only leaves the error shorter.
        let body = tokio::time::timeout(HTTP_ERROR_BODY_WAIT, read(body, HTTP_ERROR_BODY_BYTES)).await;
        if let Ok(Ok((body, cut))) = body {
            let body = self.masks.bytes(&body, cut).map_or(body, Bytes::from);
            let body = String::from_utf8_lossy(&body);
            let body = body.trim();
            if !body.is_empty() {
                said = format!("{said}: {body}");
            }
        }
        said
    }
}

/// For which instant of which schedule a run is, if one made its job.
fn occurrence(run: &Run) -> Vec<(HeaderName, HeaderValue)> {
    let Some(origin) = run.origin() else {
        return Vec::new();
    };
    let nominal_at = origin.nominal_at.to_string();
    let texts = [
        ("punctual-schedule", origin.name.as_str()),
        ("punctual-nominal-time", nominal_at.as_str()),
    ];
    let texts = texts.into_iter().filter_map(|(name, text)| {
        let value = HeaderValue::from_str(text).ok()?;
        Some((HeaderName::from_static(name), value))
    });
    let missed = (HeaderName::from_static("punctual-missed"), origin.missed.into());
    texts.chain([missed]).collect()
}

/// The first request: what the job asks for, and what Punctual adds.
async fn first(target: &HttpTarget, call: &HttpCall, run: &Run, masks: &mut Masks) -> Result<Hop, Stop> {
    let body = call.content.bytes();
    let job = run.id().job.to_string();
    let visible =
        |text: &str| HeaderValue::from_str(text).expect("ids, numbers and versions are visible ASCII");
    let unless_set = [(
        USER_AGENT,
        HeaderValue::from_static(concat!("punctual/", env!("CARGO_PKG_VERSION"))),
    )];
    let ours = [
        (HeaderName::from_static("punctual-job-id"), visible(&job)),
        (HeaderName::from_static("punctual-attempt"), run.attempt().into()),
        (HeaderName::from_static("punctual-run"), run.id().run.into()),
        (HeaderName::from_static("idempotency-key"), visible(&job)),
    ];
    let ours = ours.into_iter().chain(occurrence(run));
    let given = unless_set.into_iter().chain(call.content.media_type());
    let mut headers = HeaderMap::with_capacity(call.headers.len() + 15);
    for (name, value) in given.chain(call.headers.iter().cloned()).chain(ours) {
        headers.insert(name, value);
    }
    for (name, value) in &call.headers {
        if SECRET_HEADERS.contains(&name.as_str())
            && let Ok(text) = value.to_str()
        {
            // Behind the scheme, as in "Bearer …", stands what is secret.
            let secret = text.rsplit(' ').next().unwrap_or(text);
            masks.hide([text.to_owned(), secret.to_owned()]);
        }
    }
    if let Some(auth) = &call.auth {
        let (value, hidden) = auth.header(&target.secrets).map_err(Stop::fail)?;
        headers.insert(AUTHORIZATION, value);
        masks.hide(hidden);
    }
    if let Some(secret) = call.sign.as_ref().or(target.sign.as_ref()) {
        let secret = secret.find(&target.secrets).map_err(Stop::fail)?;
        sign(&mut headers, &secret, &job, run.now(), &body).map_err(Stop::fail)?;
        masks.hide(secret.values().map(str::to_owned));
    }
    if let Some(token) = token(run).await? {
        let mut token = visible(&token);
        token.set_sensitive(true);
        headers.insert(HeaderName::from_static("punctual-token"), token);
    }
    Ok(Hop {
        method: call.method.clone(),
        url: call.url.clone(),
        headers,
        body,
    })
}

/// The run's token, by which the receiver may go on with the run. While it cannot be had nothing is sent, at no cost of an
/// attempt: the job cannot help it.
async fn token(run: &Run) -> Result<Option<String>, Stop> {
    run.token().await.map_err(|error| {
        tracing::warn!(%error, "a call is put off, since there is no token for its run");
        Stop::snooze(SHORTAGE_DELAY)
    })
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
