//! Whether the server lives, and whether it can do its work.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde_json::{Value, json};

use super::Rooms;
use crate::limits::READY_DEADLINE;
use crate::problem::Problem;

/// `GET /healthz`: the process answers.
pub(super) async fn alive() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

/// `GET /readyz`: the store answers and takes writes, too.
pub(super) async fn ready(State(rooms): State<Rooms>) -> Result<Json<Value>, Problem> {
    let not_ready = |why: String| {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("the store cannot be used: {why}"),
        )
    };
    match tokio::time::timeout(READY_DEADLINE, rooms.engine.check()).await {
        Ok(Ok(report)) => Ok(Json(json!({"status": "ok", "store": report.store}))),
        Ok(Err(error)) => Err(not_ready(error.to_string())),
        Err(_) => Err(not_ready(format!("no answer within {READY_DEADLINE:?}"))),
    }
}
