//! `?wait=30s`: waits for a result, as long as asked and no longer than the server lives.

use std::time::Duration;

use punctual::Error;
use punctual::job::{Job, JobId};
use punctual::time::{format_length, parse_length};

use super::Rooms;
use crate::limits::WAIT_MAX;
use crate::problem::Problem;

/// The `wait` of a query that may have no other parameter.
pub(super) fn parse(query: Option<&str>) -> Result<Option<Duration>, Problem> {
    let mut wait = None;
    for (name, value) in pairs(query)? {
        if name != "wait" {
            return Err(Problem::parameter(
                &name,
                "there is no such parameter; known is wait",
            ));
        }
        if wait.is_some() {
            return Err(Problem::parameter("wait", "it is given twice"));
        }
        let length = parse_length(&value).map_err(|error| Problem::parameter("wait", error.to_string()))?;
        if length > WAIT_MAX {
            let longest = format_length(WAIT_MAX);
            return Err(Problem::parameter(
                "wait",
                format!("the longest is {longest}; then ask again"),
            ));
        }
        wait = Some(length);
    }
    Ok(wait)
}

/// The pairs of a query, decoded.
pub(super) fn pairs(query: Option<&str>) -> Result<Vec<(String, String)>, Problem> {
    serde_urlencoded::from_str(query.unwrap_or("")).map_err(|error| {
        Problem::new(
            http::StatusCode::BAD_REQUEST,
            format!("the query cannot be read: {error}"),
        )
    })
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
