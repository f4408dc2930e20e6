//! The routes under `/v1/workers`: who works, and what workers ask, in whatever language they are written.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::StreamExt;
use http::{StatusCode, header};
use http_body_util::{BodyExt, Full};
use punctual::Error;
use punctual::run::RunId;
use punctual::source::Source;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::address::NoParameters;
use super::body::Sent;
use super::outgoing::Outgoing;
use super::{Rooms, body};
use crate::limits::SETTLE_DEADLINE;
use crate::problem::Problem;
use crate::wire;

mod taken;

pub(super) use taken::Taken;

/// `GET /v1/workers`: those that have beaten lately and have not stopped, by name.
pub(super) async fn list(
    State(rooms): State<Rooms>,
    _: NoParameters,
) -> Result<Json<wire::List<wire::Worker>>, Problem> {
    let workers = rooms.engine.workers().await?;
    let now = rooms.engine.now();
    let told = workers.iter().map(|seen| wire::Worker::of(seen, now));
    Ok(Json(wire::List {
        items: told.collect(),
        next: None,
    }))
}

/// `POST /v1/workers/claim`: jobs to run, as soon as there are any or `wait` is over. Jobs that came for somebody who has left
/// meanwhile are put back.
pub(super) async fn claim(
    State(rooms): State<Rooms>,
    _: NoParameters,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let outgoing = request.extensions().get::<Outgoing>().cloned();
    let claim: wire::Claim = body::read(request, rooms.body_deadline).await?;
    let (claim, wait) = claim.read()?;
    let place = match wait.is_zero() {
        true => None,
        false => Some(place(&rooms.places.claims, "claims wait", "ask without wait")?),
    };
    let (here, lease) = (rooms.clone(), claim.lease);
    // Cancelled with the server, or as this future is dropped: when the connection ends.
    let left = rooms.stopping.child_token();
    let _here = left.clone().drop_guard();
    let (send, receive) = oneshot::channel();
    // A task of its own sees the claim through, since one that is dropped at the store may have brought jobs.
    rooms.tasks.spawn(async move {
        let _place = place;
        let claimed = here.engine.claim_until(claim, wait, left.cancelled()).await;
        let claimed = claimed.map(|claimed| (claimed.next_due, claimed.now, Taken::new(here, claimed.jobs)));
        // With nobody to receive them, the jobs are dropped, which puts them back.
        let _ = send.send(claimed);
    });
    let gone = || Error::internal("a claim ended without an answer; what it brought comes back by its lease");
    let (next_due, now, mut taken) = receive.await.map_err(|_| gone())??;
    taken.keep_what_fits();
    let mut runs = Vec::with_capacity(taken.jobs().len());
    for row in taken.jobs() {
        let id = RunId {
            job: row.id(),
            run: row.status.run,
        };
        let token = rooms.engine.token(id).await?;
        runs.push(wire::Run::of(row, now, rooms.engine.defaults(), lease, token));
    }
    let claimed = wire::Claimed {
        runs,
        next_due: next_due.map(wire::At),
        now: wire::At(now),
    };
    answer(&claimed, taken, outgoing)
}

/// One of a bounded number of places. 503 if all of them are taken: by `whom`, and what to do `instead`.
fn place(places: &Arc<Semaphore>, whom: &str, instead: &str) -> Result<OwnedSemaphorePermit, Problem> {
    Arc::clone(places).try_acquire_owned().map_err(|_| {
        let detail = format!("as many {whom} already as may at once; {instead}, or come again later");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    })
}

/// The answer to a claim. As long as it has not gone out as a whole, its jobs are put back should the connection end.
fn answer(claimed: &wire::Claimed, taken: Taken, outgoing: Option<Outgoing>) -> Result<Response, Problem> {
    let json = serde_json::to_vec(claimed)
        .map_err(|error| Error::internal(format!("a claim has no JSON form: {error}")))?;
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (header::CONTENT_LENGTH, json.len().to_string()),
    ];
    let mut taken = Some(taken);
    let body = Full::new(Bytes::from(json)).map_frame(move |frame| {
        match (&outgoing, taken.take()) {
            (Some(outgoing), Some(taken)) => outgoing.carry(taken),
            // A client in this process has it with that.
            (None, Some(taken)) => taken.hand_over(),
            (_, None) => {}
        }
        frame
    });
    Ok((headers, Body::new(body)).into_response())
}

/// `POST /v1/workers/beat`: prolongs the leases of runs, and tells which are to stop.
pub(super) async fn beat(
    State(rooms): State<Rooms>,
    _: NoParameters,
    Sent(beat): Sent<wire::Beat>,
) -> Result<Json<wire::Beaten>, Problem> {
    let beat = beat.read()?;
    let runs: Vec<RunId> = beat.runs.iter().map(|run| run.id).collect();
    let beaten = rooms.engine.beat(beat).await?;
    Ok(Json(wire::Beaten::of(&runs, &beaten)))
}

/// `POST /v1/workers/settle`: what became of runs. 503 if the store cannot be reached: send it again until it is answered.
pub(super) async fn settle(
    State(rooms): State<Rooms>,
    _: NoParameters,
    Sent(settle): Sent<wire::Settle>,
) -> Result<Json<wire::Settled>, Problem> {
    let settlements = settle.read(rooms.engine.now())?;
    let runs: Vec<RunId> = settlements.iter().map(|settlement| settlement.id).collect();
    let settling = rooms.engine.settle(settlements);
    let verdicts = tokio::time::timeout(SETTLE_DEADLINE, settling).await;
    let too_long = |_| {
        let message =
            format!("the store did not take the outcomes within {SETTLE_DEADLINE:?}; send them again");
        Error::unavailable(message)
    };
    let verdicts = verdicts.map_err(too_long)??;
    Ok(Json(wire::Settled::of(&runs, &verdicts)))
}

/// `GET /v1/workers/cancels`: server-sent events, the id of each running job that is asked to stop, first of those that are
/// already. A hint to beat now, which tells for sure.
pub(super) async fn cancels(State(rooms): State<Rooms>, _: NoParameters) -> Result<Response, Problem> {
    let place = place(&rooms.places.cancels, "hear of cancels", "beats tell of them too")?;
    let cancels = rooms.engine.cancels();
    Ok(rooms.stream_of(cancels.map(move |id| {
        let _kept = &place;
        Event::default().data(id.to_string())
    })))
}

#[cfg(test)]
mod tests {
    use hyper::body::Body as _;
    use punctual::Engine;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn the_answer_to_a_claim_ends_with_its_last_byte_so_that_the_log_tells_it_as_complete() {
        let router = crate::server::near(Engine::open("memory:").await.expect("memory opens"));
        let request = Request::post("/v1/workers/claim")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(r#"{"worker": "w"}"#));
        let answer = router.oneshot(request.expect("a request")).await;
        let mut body = answer.expect("a router does not fail").into_body();
        body.frame().await.expect("a claim").expect("all of it");
        assert!(body.is_end_stream());
    }
}
