//! The routes under `/v1/schedules`.

use std::slice;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use punctual::Error;
use punctual::schedule::{Plan, Schedule, ScheduleName};
use punctual::target::check_payload;

use super::Rooms;
use super::address::{Name, NoParameters};
use super::body::Sent;
use super::precondition::{self, IfMatch, etag};
use crate::limits::SCHEDULE_ITEMS;
use crate::problem::Problem;
use crate::wire;

mod looks;
mod orders;

pub(super) use looks::{explain, occurrences, preview};
pub(super) use orders::{backfill, pause, resume, trigger};

/// `GET /v1/schedules`: all of them, by name.
pub(super) async fn list(
    State(rooms): State<Rooms>,
    RawQuery(query): RawQuery,
) -> Result<Json<wire::ScheduleList>, Problem> {
    let wire::NamesQuery { limit, after } = wire::NamesQuery::from_query(query.as_deref())?;
    let after = after.map(ScheduleName::from);
    let page = rooms.engine.schedules(after, limit.min(SCHEDULE_ITEMS)).await?;
    Ok(Json(wire::ScheduleList {
        items: rooms.tell_all(&page.items).await?,
        unreadable: page.unreadable.iter().map(wire::UnreadableSchedule::of).collect(),
        next: page.next.map(|name| wire::NamesQuery::cursor(name.as_str())),
    }))
}

/// `GET /v1/schedules/{name}`.
pub(super) async fn show(
    State(rooms): State<Rooms>,
    Name(name): Name<ScheduleName>,
    _: NoParameters,
) -> Result<Response, Problem> {
    rooms.answer_schedule(rooms.engine.schedule(name).await).await
}

/// `PUT /v1/schedules/{name}`: makes it, or gives it this plan. `If-Match` is compared with its `ETag`, as it is in the verbs
/// below; `"0"` is that of one that is not there.
pub(super) async fn put(
    State(rooms): State<Rooms>,
    Name(name): Name<ScheduleName>,
    _: NoParameters,
    if_match: IfMatch,
    Sent(new): Sent<wire::NewSchedule>,
) -> Result<Response, Problem> {
    let plan = new.read()?;
    check_job(&plan)?;
    let expect = rooms.schedule_expected(&name, if_match).await?;
    let set = rooms.engine.set_schedule(name, plan, expect).await;
    let (row, upsert) = set.map_err(precondition::problem)?;
    let upserted = wire::Upserted {
        upsert: upsert.into(),
        schedule: rooms.tell_one(&row).await?,
    };
    let status = match upserted.upsert {
        wire::Upsert::Created => StatusCode::CREATED,
        wire::Upsert::Changed | wire::Upsert::Unchanged => StatusCode::OK,
    };
    Ok((status, etag(row.rev), Json(upserted)).into_response())
}

/// `DELETE /v1/schedules/{name}`: with its ledger. Its jobs stay.
pub(super) async fn delete(
    State(rooms): State<Rooms>,
    Name(name): Name<ScheduleName>,
    _: NoParameters,
    if_match: IfMatch,
) -> Result<StatusCode, Problem> {
    let expect = rooms.schedule_expected(&name, if_match).await?;
    let deleted = rooms.engine.delete_schedule(name, expect).await;
    deleted.map_err(precondition::problem)?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a target would refuse of each job is refused of the schedule.
fn check_job(plan: &Plan) -> Result<(), Problem> {
    let checked = check_payload(&plan.job.kind, &plan.job.payload);
    checked.map_err(|error| Problem::from(error).within("/job"))
}

impl Rooms {
    /// The version of a schedule that its caller expects, for the engine to compare as it writes; `None` if any will do.
    async fn schedule_expected(
        &self,
        name: &ScheduleName,
        if_match: IfMatch,
    ) -> Result<Option<u64>, Problem> {
        let there = async {
            let row = self.engine.schedule(name.clone()).await;
            precondition::or_none(row.map(|row| row.rev))
        };
        if_match.expect(there).await
    }

    async fn answer_schedule(&self, row: Result<Schedule, Error>) -> Result<Response, Problem> {
        let row = row.map_err(precondition::problem)?;
        Ok((etag(row.rev), Json(self.tell_one(&row).await?)).into_response())
    }

    /// The schedule in the wire's words, which tell its next instant.
    async fn tell_one(&self, row: &Schedule) -> Result<wire::Schedule, Problem> {
        let calendars = self.engine.calendars_of(slice::from_ref(row)).await?;
        Ok(wire::Schedule::of(row, &calendars))
    }

    async fn tell_all(&self, rows: &[Schedule]) -> Result<Vec<wire::Schedule>, Problem> {
        let calendars = self.engine.calendars_of(rows).await?;
        Ok(rows
            .iter()
            .map(|row| wire::Schedule::of(row, &calendars))
            .collect())
    }
}
