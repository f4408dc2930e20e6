//! What changes one job. Each verb compares `If-Match` with the job's `ETag` in the same step in which it writes.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use punctual::Error;
use punctual::job::{Job, JobId};

use super::check_payload;
use crate::problem::Problem;
use crate::server::address::{Id, NoParameters};
use crate::server::precondition::{self, IfMatch};
use crate::server::{Rooms, body};
use crate::wire;

/// `PATCH /v1/jobs/{id}`: a job that has not started.
pub(in crate::server) async fn edit(
    State(rooms): State<Rooms>,
    Id(id): Id,
    _: NoParameters,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let headers = request.headers().clone();
    let edit: wire::JobEdit = body::read(request, rooms.body_deadline).await?;
    let edit = edit.read()?;
    let expect = expected(&rooms, id, &headers).await?;
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
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let expect = expected(&rooms, id, &headers).await?;
    let deleted = rooms.engine.delete(id, expect).await;
    deleted.map_err(precondition::problem)?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /v1/jobs/{id}/cancel`.
pub(in crate::server) async fn cancel(
    State(rooms): State<Rooms>,
    Id(id): Id,
    _: NoParameters,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let headers = request.headers().clone();
    let cancel: wire::Cancel = body::read_or_default(request, rooms.body_deadline).await?;
    let expect = expected(&rooms, id, &headers).await?;
    rooms.changed(rooms.engine.cancel(id, &cancel.reason, expect).await)
}

/// `POST /v1/jobs/{id}/retry`: a new life of a job that has ended.
pub(in crate::server) async fn retry(
    State(rooms): State<Rooms>,
    Id(id): Id,
    _: NoParameters,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let expect = bare(&rooms, id, request).await?;
    rooms.changed(rooms.engine.retry(id, expect).await)
}

/// `POST /v1/jobs/{id}/run`: now rather than later.
pub(in crate::server) async fn run(
    State(rooms): State<Rooms>,
    Id(id): Id,
    _: NoParameters,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let expect = bare(&rooms, id, request).await?;
    rooms.changed(rooms.engine.run_now(id, expect).await)
}

impl Rooms {
    fn changed(&self, row: Result<Job, Error>) -> Result<Response, Problem> {
        row.map(|row| self.answer(&row)).map_err(precondition::problem)
    }
}

/// The version that a request without a body of its own expects.
async fn bare(rooms: &Rooms, id: JobId, request: Request<Body>) -> Result<Option<u64>, Problem> {
    let headers = request.headers().clone();
    let wire::Nothing {} = body::read_or_default(request, rooms.body_deadline).await?;
    expected(rooms, id, &headers).await
}

/// The `rev` of a job that is as its caller expects, for the engine to compare as it writes; `None` if any will do.
async fn expected(rooms: &Rooms, id: JobId, headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let there = async { Ok(rooms.engine.fetch(id).await?.status.rev) };
    IfMatch::of(headers)?.expect(there).await
}
