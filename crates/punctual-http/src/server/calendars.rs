//! The routes under `/v1/calendars`.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use super::Rooms;
use super::address::{Name, NoParameters};
use super::body::Sent;
use super::precondition::{self, IfMatch, etag};
use crate::problem::Problem;
use crate::wire;

/// `GET /v1/calendars`: all of them, by name.
pub(super) async fn list(
    State(rooms): State<Rooms>,
    RawQuery(query): RawQuery,
) -> Result<Json<wire::List<wire::CalendarHead>>, Problem> {
    let page = wire::NamesQuery::from_query(query.as_deref())?;
    let calendars = rooms.engine.calendars().await?.into_iter();
    let heads = calendars.map(|(name, rev)| wire::CalendarHead { name, rev });
    Ok(Json(page.of(heads, |head| &head.name)))
}

/// `GET /v1/calendars/{name}`.
pub(super) async fn show(
    State(rooms): State<Rooms>,
    Name(name): Name<String>,
    _: NoParameters,
) -> Result<Response, Problem> {
    let (calendar, rev) = rooms.engine.calendar(&name).await?;
    Ok((etag(rev), Json(wire::Calendar::of(&name, rev, &calendar))).into_response())
}

/// `PUT /v1/calendars/{name}`: all its dates. `If-Match` is compared with its `ETag`; `"0"` is that of one that is not there.
pub(super) async fn put(
    State(rooms): State<Rooms>,
    Name(name): Name<String>,
    _: NoParameters,
    if_match: IfMatch,
    Sent(new): Sent<wire::NewCalendar>,
) -> Result<Response, Problem> {
    let calendar = new.read()?;
    let expect = rooms.calendar_expected(&name, if_match).await?;
    let set = rooms.engine.set_calendar(&name, &calendar, expect).await;
    let rev = set.map_err(precondition::problem)?;
    let status = match rev {
        1 => StatusCode::CREATED,
        _ => StatusCode::OK,
    };
    let told = wire::Calendar::of(&name, rev, &calendar);
    Ok((status, etag(rev), Json(told)).into_response())
}

/// `DELETE /v1/calendars/{name}`. Schedules that name it rest on none of its dates any more.
pub(super) async fn delete(
    State(rooms): State<Rooms>,
    Name(name): Name<String>,
    _: NoParameters,
    if_match: IfMatch,
) -> Result<StatusCode, Problem> {
    let expect = rooms.calendar_expected(&name, if_match).await?;
    let deleted = rooms.engine.delete_calendar(&name, expect).await;
    deleted.map_err(precondition::problem)?;
    Ok(StatusCode::NO_CONTENT)
}

impl Rooms {
    /// The version of a calendar that its caller expects, for the engine to compare as it writes; `None` if any will do.
    async fn calendar_expected(&self, name: &str, if_match: IfMatch) -> Result<Option<u64>, Problem> {
        let there = async { precondition::or_none(self.engine.calendar(name).await.map(|(_, rev)| rev)) };
        if_match.expect(there).await
    }
}
