//! What changes one job. Each verb compares `If-Match` with the job's `ETag` in the same step in which it writes.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use punctual::Error;
use punctual::job::{Job, JobId};

use super::check_payload;
use crate::problem::Problem;
use crate::server::Rooms;
use crate::server::address::{Id, NoParameters};
use crate::server::body::{Sent, SentOrDefault};
use crate::server::precondition::{self, IfMatch};
use crate::wire;

/// `PATCH /v1/jobs/{id}`: a job that has not started.
pub(in crate::server) async fn edit(
    State(rooms): State<Rooms>,
    Id(id): Id,
    _: NoParameters,
    if_match: IfMatch,
    Sent(edit): Sent<wire::JobEdit>,
) -> Result<Response, Problem> {
    let edit = edit.read()?;
    let expect = expected(&rooms, id, if_match).await?;
    let payload = edit.payload.clone();
    let fits = |job: &Job| match &payload {
        Some(payload) => check_payload(&job.body.kind, payload),
        None => Ok(()),
    };
    rooms.changed(rooms.engine.edit_if(id, edit, expect, fits).await)
}

/// `DELETE /v1/jobs/{id}`: a job that does not run.
pub(in crate::server) async fn delete(
    State(rooms): State<Rooms>,
    Id(id): Id,
    _: NoParameters,
    if_match: IfMatch,
) -> Result<StatusCode, Problem> {
    let expect = expected(&rooms, id, if_match).await?;
    let deleted = rooms.engine.delete(id, expect).await;
    deleted.map_err(precondition::problem)?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /v1/jobs/{id}/cancel`.
pub(in crate::server) async fn cancel(
    State(rooms): State<Rooms>,
    Id(id): Id,
    _: NoParameters,
    if_match: IfMatch,
    SentOrDefault(cancel): SentOrDefault<wire::Cancel>,
) -> Result<Response, Problem> {
    let expect = expected(&rooms, id, if_match).await?;
    rooms.changed(rooms.engine.cancel(id, &cancel.reason, expect).await)
}

/// `POST /v1/jobs/{id}/retry`: a new life of a job that has ended.
pub(in crate::server) async fn retry(
    State(rooms): State<Rooms>,
    Id(id): Id,
    _: NoParameters,
    if_match: IfMatch,
    SentOrDefault(wire::Nothing {}): SentOrDefault<wire::Nothing>,
) -> Result<Response, Problem> {
    let expect = expected(&rooms, id, if_match).await?;
    rooms.changed(rooms.engine.retry(id, expect).await)
}

/// `POST /v1/jobs/{id}/run`: now rather than later.
pub(in crate::server) async fn run(
    State(rooms): State<Rooms>,
    Id(id): Id,
    _: NoParameters,
    if_match: IfMatch,
    SentOrDefault(wire::Nothing {}): SentOrDefault<wire::Nothing>,
) -> Result<Response, Problem> {
    let expect = expected(&rooms, id, if_match).await?;
    rooms.changed(rooms.engine.run_now(id, expect).await)
}

impl Rooms {
    fn changed(&self, row: Result<Job, Error>) -> Result<Response, Problem> {
        row.map(|row| self.answer(&row)).map_err(precondition::problem)
    }
}

/// The `rev` of a job that is as its caller expects, for the engine to compare as it writes; `None` if any will do.
async fn expected(rooms: &Rooms, id: JobId, if_match: IfMatch) -> Result<Option<u64>, Problem> {
    let there = async { Ok(rooms.engine.fetch(id).await?.status.rev) };
    if_match.expect(there).await
}
