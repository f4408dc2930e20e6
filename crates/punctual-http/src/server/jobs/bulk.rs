//! What changes all jobs that a filter matches, a bounded piece at a time.

use axum::Json;
use axum::extract::State;

use crate::problem::Problem;
use crate::server::Rooms;
use crate::server::address::NoParameters;
use crate::server::body::Sent;
use crate::wire::{self, Verb};

type Answer = Result<Json<wire::Bulked>, Problem>;

/// `POST /v1/jobs/cancel`.
pub(in crate::server) async fn cancel_all(
    State(rooms): State<Rooms>,
    _: NoParameters,
    Sent(bulk): Sent<wire::Bulk>,
) -> Answer {
    to_all(&rooms, Verb::Cancel, bulk).await
}

/// `POST /v1/jobs/retry`.
pub(in crate::server) async fn retry_all(
    State(rooms): State<Rooms>,
    _: NoParameters,
    Sent(bulk): Sent<wire::Bulk>,
) -> Answer {
    to_all(&rooms, Verb::Retry, bulk).await
}

/// `POST /v1/jobs/delete`.
pub(in crate::server) async fn delete_all(
    State(rooms): State<Rooms>,
    _: NoParameters,
    Sent(bulk): Sent<wire::Bulk>,
) -> Answer {
    to_all(&rooms, Verb::Delete, bulk).await
}

async fn to_all(rooms: &Rooms, verb: Verb, bulk: wire::Bulk) -> Answer {
    let bulk = bulk.read(verb)?;
    let done = rooms.engine.bulk(&bulk).await?;
    Ok(Json(wire::Bulked::of(done, &bulk)))
}
