//! Reads requests' bodies: JSON, bounded in bytes and in time.

use std::time::Duration;

use axum::body::Body;
use axum::extract::FromRequest;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body as _;
use serde::de::DeserializeOwned;

use super::Rooms;
use crate::limits::BODY_BYTES;
use crate::problem::Problem;
use crate::wire;

/// The body of a request.
pub(super) struct Sent<T>(pub(super) T);

/// The body of a request, or its default if there is none.
pub(super) struct SentOrDefault<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Rooms> for Sent<T> {
    type Rejection = Problem;

    async fn from_request(request: Request<Body>, rooms: &Rooms) -> Result<Sent<T>, Problem> {
        read(request, rooms.body_deadline).await.map(Sent)
    }
}

impl<T: DeserializeOwned + Default> FromRequest<Rooms> for SentOrDefault<T> {
    type Rejection = Problem;

    async fn from_request(request: Request<Body>, rooms: &Rooms) -> Result<SentOrDefault<T>, Problem> {
        read_or_default(request, rooms.body_deadline)
            .await
            .map(SentOrDefault)
    }
}

/// The body as this type, if all of it comes within the deadline.
pub(super) async fn read<T: DeserializeOwned>(
    request: Request<Body>,
    deadline: Duration,
) -> Result<T, Problem> {
    expect_json(request.headers())?;
    wire::read(&bytes(request.into_body(), deadline).await?)
}

/// The body as this type, or the type's default if there is none.
async fn read_or_default<T: DeserializeOwned + Default>(
    request: Request<Body>,
    deadline: Duration,
) -> Result<T, Problem> {
    let (head, body) = request.into_parts();
    let bytes = bytes(body, deadline).await?;
    if bytes.is_empty() {
        return Ok(T::default());
    }
    expect_json(&head.headers)?;
    wire::read(&bytes)
}

/// The body as it is, which is said to be bytes.
pub(super) async fn read_bytes(request: Request<Body>, deadline: Duration) -> Result<Bytes, Problem> {
    expect(request.headers(), "application/octet-stream")?;
    bytes(request.into_body(), deadline).await
}

pub(super) fn expect_json(headers: &HeaderMap) -> Result<(), Problem> {
    expect(headers, "application/json")
}

/// A page of a foreign site cannot send these types without asking first, so that this is also a fence.
fn expect(headers: &HeaderMap, media_type: &str) -> Result<(), Problem> {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    let essence = value.split(';').next().unwrap_or("").trim();
    if essence.eq_ignore_ascii_case(media_type) {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        format!("send the body as Content-Type: {media_type}"),
    ))
}

async fn bytes(body: Body, deadline: Duration) -> Result<Bytes, Problem> {
    // What its Content-Length says; zero where it says nothing.
    if body.size_hint().lower() > BODY_BYTES as u64 {
        return Err(too_large());
    }
    let reading = Limited::new(body, BODY_BYTES).collect();
    match tokio::time::timeout(deadline, reading).await {
        Ok(Ok(read)) => Ok(read.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => Err(broke_off(&*error)),
        Err(_) => Err(too_slow(deadline)),
    }
}

fn too_large() -> Problem {
    let detail = format!("a body has at most {BODY_BYTES} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
}

/// The body has no end.
pub(super) fn broke_off(error: &(dyn std::error::Error + 'static)) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, format!("the body broke off: {error}"))
}

/// The body, or a MiB of it, came too slowly.
pub(super) fn too_slow(deadline: Duration) -> Problem {
    let detail = format!("the body did not come within {deadline:?}");
    Problem::new(StatusCode::REQUEST_TIMEOUT, detail)
}
