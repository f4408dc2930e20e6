//! What a schedule came to, and what it will come to.

use axum::Json;
use axum::extract::{RawQuery, State};
use punctual::schedule::ScheduleName;

use super::check_job;
use crate::problem::Problem;
use crate::server::Rooms;
use crate::server::address::{Name, NoParameters};
use crate::server::body::Sent;
use crate::wire;

/// `GET /v1/schedules/{name}/occurrences`: its ledger, latest first.
pub(in crate::server) async fn occurrences(
    State(rooms): State<Rooms>,
    Name(name): Name<ScheduleName>,
    RawQuery(query): RawQuery,
) -> Result<Json<wire::List<wire::Occurrence>>, Problem> {
    let order = wire::LedgerQuery::from_query(query.as_deref())?.read()?;
    let ledger = rooms.engine.occurrences(name, order.page.clone()).await?;
    let shown = ledger.items.iter().filter(|entry| order.shows(entry));
    Ok(Json(wire::List {
        items: shown.map(wire::Occurrence::of).collect(),
        next: ledger.next.map(wire::write_place),
    }))
}

/// `POST /v1/schedules/preview`: the next instants of a schedule that need not be stored. What a `PUT` would refuse, it refuses
/// too.
pub(in crate::server) async fn preview(
    State(rooms): State<Rooms>,
    _: NoParameters,
    Sent(new): Sent<wire::NewPreview>,
) -> Result<Json<wire::Preview>, Problem> {
    let wire::PreviewOrder { plan, from, count } = new.read()?;
    check_job(&plan)?;
    let preview = rooms.engine.preview(&plan, from, count).await?;
    Ok(Json(wire::Preview::of(&plan, &preview)))
}

/// `GET /v1/schedules/{name}/explain`: why it fires, or does not.
pub(in crate::server) async fn explain(
    State(rooms): State<Rooms>,
    Name(name): Name<ScheduleName>,
    _: NoParameters,
) -> Result<Json<wire::Explanation>, Problem> {
    let sentences = rooms.engine.explain_schedule(name).await?;
    Ok(Json(wire::Explanation { sentences }))
}
