//! What changes all jobs that a filter matches, a bounded piece at a time.

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};

use crate::problem::Problem;
use crate::server::address::NoParameters;
use crate::server::{Rooms, body};
use crate::wire::{self, Verb};

type Answer = Result<Json<wire::Bulked>, Problem>;

/// `POST /v1/jobs/cancel`.
pub(in crate::server) async fn cancel_all(
    State(rooms): State<Rooms>,
    _: NoParameters,
    request: Request<Body>,
) -> Answer {
    to_all(&rooms, Verb::Cancel, request).await
}

/// `POST /v1/jobs/retry`.
pub(in crate::server) async fn retry_all(
    State(rooms): State<Rooms>,
    _: NoParameters,
    request: Request<Body>,
) -> Answer {
    to_all(&rooms, Verb::Retry, request).await
}

/// `POST /v1/jobs/delete`.
pub(in crate::server) async fn delete_all(
    State(rooms): State<Rooms>,
    _: NoParameters,
    request: Request<Body>,
) -> Answer {
    to_all(&rooms, Verb::Delete, request).await
}

async fn to_all(rooms: &Rooms, verb: Verb, request: Request<Body>) -> Answer {
    let bulk: wire::Bulk = body::read(request, rooms.body_deadline).await?;
    let bulk = bulk.read(verb)?;
    let done = rooms.engine.bulk(&bulk).await?;
    Ok(Json(wire::Bulked::of(done, &bulk)))
}
