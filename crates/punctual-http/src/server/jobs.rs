//! The routes under `/v1/jobs`.

use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use punctual::job::{self, NewJob};
use punctual::queue::QueueName;
use punctual::target::check_payload;
use punctual::{Error, Kind};

use super::address::{Id, NoParameters};
use super::precondition::etag;
use super::{Rooms, body, wait};
use crate::problem::Problem;
use crate::wire::{self, ListQuery, Listing};

mod batch;
mod bulk;
mod elements;
mod operate;

pub(super) use batch::batch;
pub(super) use bulk::{cancel_all, delete_all, retry_all};
pub(super) use operate::{cancel, delete, edit, retry, run};

/// `POST /v1/jobs`. With `wait`, 200 once the job has ended; 202 if it has not, or if that cannot be told.
pub(super) async fn post(
    State(rooms): State<Rooms>,
    RawQuery(query): RawQuery,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let wait = wait::parse(query.as_deref())?;
    let new: NewJob = body::read::<wire::NewJob>(request, rooms.body_deadline)
        .await?
        .read()?;
    check_payload(&new.kind, &new.payload)?;
    if wait.is_some() {
        let queue = new.queue.clone().unwrap_or_else(|| QueueName::home_of(&new.kind));
        rooms.engine.check_waitable(&queue).await?;
    }
    let enqueued = rooms.engine.enqueue(new).await.map_err(not_stored)?;
    let mut row = enqueued.row().clone();
    let mut status = match enqueued.deduplicated() || enqueued.existed() {
        true => StatusCode::OK,
        false => StatusCode::CREATED,
    };
    if let Some(wait) = wait {
        // The job is stored: whatever becomes of the wait, its caller is told so, and asks again for the result.
        match wait::for_end(&rooms, row.id(), wait).await {
            Ok(waited) => row = waited,
            Err(error) => tracing::debug!(job = %row.id(), %error, "a wait for a posted job broke off"),
        }
        status = if row.status.state.is_ended() {
            StatusCode::OK
        } else {
            StatusCode::ACCEPTED
        };
    }
    let posted = wire::Posted {
        deduplicated: enqueued.deduplicated(),
        job: rooms.show(&row),
    };
    let location = [(header::LOCATION, format!("/v1/jobs/{}", row.id()))];
    Ok((status, etag(row.status.rev), location, Json(posted)).into_response())
}

/// `GET /v1/jobs`.
pub(super) async fn list(
    State(rooms): State<Rooms>,
    RawQuery(query): RawQuery,
) -> Result<Json<wire::List<wire::Head>>, Problem> {
    let (items, next) = match ListQuery::from_query(query.as_deref())?.read()? {
        Listing::Jobs(filter, page) => {
            let view = filter.view;
            let listed = rooms.engine.list(filter, page).await?;
            let next = listed.next.map(|cursor| wire::write_cursor(cursor, view));
            (listed.items, next)
        }
        Listing::OfSchedule {
            schedule,
            filter,
            before,
            limit,
        } => {
            let listed = rooms.engine.jobs_of_schedule(schedule, &filter, before, limit);
            let listed = listed.await?;
            (listed.items, listed.next.map(wire::write_place))
        }
    };
    Ok(Json(wire::List {
        items: items.iter().map(wire::Head::of).collect(),
        next,
    }))
}

/// `GET /v1/jobs/{id}`.
pub(super) async fn show(
    State(rooms): State<Rooms>,
    Id(id): Id,
    _: NoParameters,
) -> Result<Response, Problem> {
    let row = rooms.engine.fetch(id).await?;
    Ok(rooms.answer(&row))
}

/// `GET /v1/jobs/{id}/result`: 200 once the job has ended, 202 while it is pending.
pub(super) async fn result(
    State(rooms): State<Rooms>,
    Id(id): Id,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let wait = wait::parse(query.as_deref())?.unwrap_or_default();
    let row = wait::for_end(&rooms, id, wait).await?;
    let status = if row.status.state.is_ended() {
        StatusCode::OK
    } else {
        StatusCode::ACCEPTED
    };
    Ok((status, Json(wire::Ending::of(&row, rooms.engine.now()))).into_response())
}

/// `GET /v1/jobs/{id}/attempts`: those that the row remembers, on one page.
pub(super) async fn attempts(
    State(rooms): State<Rooms>,
    Id(id): Id,
    _: NoParameters,
) -> Result<Json<wire::List<wire::Attempt>>, Problem> {
    let row = rooms.engine.fetch(id).await?;
    Ok(Json(wire::List {
        items: wire::Attempt::all_of(&row),
        next: None,
    }))
}

/// Why a job was not stored. Where that is for no fault of its own, whoever sent it is told that it was not, and can send it again.
fn not_stored(error: Error) -> Problem {
    const NOTHING: &str = "nothing was stored";
    let is_away = error.kind() == Kind::Unavailable;
    let mut problem = Problem::from(error);
    if is_away && !problem.detail.contains(NOTHING) {
        problem.detail.push_str("; ");
        problem.detail.push_str(NOTHING);
    }
    problem
}

impl Rooms {
    fn show(&self, row: &job::Job) -> wire::Job {
        wire::Job::of(row, self.engine.now(), self.engine.defaults())
    }

    fn answer(&self, row: &job::Job) -> Response {
        (etag(row.status.rev), Json(self.show(row))).into_response()
    }
}
