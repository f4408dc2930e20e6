//! What holds a schedule, lets it go on, and asks it for runs out of turn.

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header;
use punctual::schedule::ScheduleName;

use crate::problem::Problem;
use crate::server::address::{Name, NoParameters};
use crate::server::precondition;
use crate::server::{Rooms, body};
use crate::wire;

/// `POST /v1/schedules/{name}/pause`: what comes due is skipped, until it is resumed.
pub(in crate::server) async fn pause(
    State(rooms): State<Rooms>,
    Name(name): Name<ScheduleName>,
    _: NoParameters,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let headers = request.headers().clone();
    let pause: wire::Pause = body::read_or_default(request, rooms.body_deadline).await?;
    let expect = rooms.schedule_expected(&name, &headers).await?;
    let paused = rooms.engine.pause_schedule(name, &pause.reason, expect).await;
    rooms
        .answer_schedule(&paused.map_err(precondition::problem)?)
        .await
}

/// `POST /v1/schedules/{name}/resume`. One that is not paused stays as it is.
pub(in crate::server) async fn resume(
    State(rooms): State<Rooms>,
    Name(name): Name<ScheduleName>,
    _: NoParameters,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let headers = request.headers().clone();
    let wire::Nothing {} = body::read_or_default(request, rooms.body_deadline).await?;
    let expect = rooms.schedule_expected(&name, &headers).await?;
    let resumed = rooms.engine.resume_schedule(name, expect).await;
    rooms
        .answer_schedule(&resumed.map_err(precondition::problem)?)
        .await
}

/// `POST /v1/schedules/{name}/trigger`: a job now, whatever the plan says.
pub(in crate::server) async fn trigger(
    State(rooms): State<Rooms>,
    Name(name): Name<ScheduleName>,
    _: NoParameters,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let trigger: wire::Trigger = body::read_or_default(request, rooms.body_deadline).await?;
    let job = rooms.engine.trigger_schedule(name, trigger.read()?).await?;
    let location = [(header::LOCATION, format!("/v1/jobs/{job}"))];
    let triggered = wire::Triggered { job: job.to_string() };
    Ok((location, Json(triggered)).into_response())
}

/// `POST /v1/schedules/{name}/backfill`: jobs for instants that were skipped, or lie before it was made.
pub(in crate::server) async fn backfill(
    State(rooms): State<Rooms>,
    Name(name): Name<ScheduleName>,
    _: NoParameters,
    request: Request<Body>,
) -> Result<Json<wire::Backfilled>, Problem> {
    let backfill: wire::Backfill = body::read(request, rooms.body_deadline).await?;
    let backfill = backfill.read()?;
    let dry_run = backfill.dry_run;
    let done = rooms.engine.backfill_schedule(name, backfill).await?;
    Ok(Json(wire::Backfilled::of(done, dry_run)))
}
