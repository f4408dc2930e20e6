//! `?wait=30s`: waits for a result, as long as asked and no longer than the server lives.

use std::time::Duration;

use punctual::Error;
use punctual::job::{Job, JobId};
use punctual::time::{format_length, parse_length};

use super::Rooms;
use crate::limits::WAIT_MAX;
use crate::problem::Problem;
use crate::wire::Query;

/// The `wait` of a query that may have no other parameter.
pub(super) fn parse(query: Option<&str>) -> Result<Option<Duration>, Problem> {
    let Some(text) = Query::read(query, &["wait"])?.take("wait") else {
        return Ok(None);
    };
    let length = parse_length(&text).map_err(|error| Problem::parameter("wait", error.to_string()))?;
    if length > WAIT_MAX {
        let longest = format_length(WAIT_MAX);
        let detail = format!("the longest is {longest}; then ask again");
        return Err(Problem::parameter("wait", detail));
    }
    Ok(Some(length))
}

/// The row when the job has ended, or as it is once the wait is over or the server stops.
pub(super) async fn for_end(rooms: &Rooms, id: JobId, wait: Duration) -> Result<Job, Error> {
    let ending = tokio::select! {
        biased;
        ending = rooms.engine.result(id, wait) => ending,
        () = rooms.stopping.cancelled() => return rooms.engine.fetch(id).await,
    };
    ending.map(|ending| ending.job().clone())
}
