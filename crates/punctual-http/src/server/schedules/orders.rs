//! What holds a schedule, lets it go on, and asks it for runs out of turn.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header;
use punctual::schedule::ScheduleName;

use crate::problem::Problem;
use crate::server::Rooms;
use crate::server::address::{Name, NoParameters};
use crate::server::body::{Sent, SentOrDefault};
use crate::server::precondition::IfMatch;
use crate::wire;

/// `POST /v1/schedules/{name}/pause`: what comes due is skipped, until it is resumed.
pub(in crate::server) async fn pause(
    State(rooms): State<Rooms>,
    Name(name): Name<ScheduleName>,
    _: NoParameters,
    if_match: IfMatch,
    SentOrDefault(pause): SentOrDefault<wire::Pause>,
) -> Result<Response, Problem> {
    let expect = rooms.schedule_expected(&name, if_match).await?;
    let paused = rooms.engine.pause_schedule(name, &pause.reason, expect).await;
    rooms.answer_schedule(paused).await
}

/// `POST /v1/schedules/{name}/resume`. One that is not paused stays as it is.
pub(in crate::server) async fn resume(
    State(rooms): State<Rooms>,
    Name(name): Name<ScheduleName>,
    _: NoParameters,
    if_match: IfMatch,
    SentOrDefault(wire::Nothing {}): SentOrDefault<wire::Nothing>,
) -> Result<Response, Problem> {
    let expect = rooms.schedule_expected(&name, if_match).await?;
    let resumed = rooms.engine.resume_schedule(name, expect).await;
    rooms.answer_schedule(resumed).await
}

/// `POST /v1/schedules/{name}/trigger`: a job now, whatever the plan says.
pub(in crate::server) async fn trigger(
    State(rooms): State<Rooms>,
    Name(name): Name<ScheduleName>,
    _: NoParameters,
    SentOrDefault(trigger): SentOrDefault<wire::Trigger>,
) -> Result<Response, Problem> {
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
    Sent(backfill): Sent<wire::Backfill>,
) -> Result<Json<wire::Backfilled>, Problem> {
    let backfill = backfill.read()?;
    let dry_run = backfill.dry_run;
    let done = rooms.engine.backfill_schedule(name, backfill).await?;
    Ok(Json(wire::Backfilled::of(done, dry_run)))
}
