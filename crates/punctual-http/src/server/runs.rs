//! The routes under `/v1/runs`: for whoever a run was deferred to. The token in the path is the right to it.

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use http::StatusCode;
use http::request::Parts;
use punctual::run::{BeatVerdict, SettleVerdict};

use super::Rooms;
use super::address::NoParameters;
use super::body::Sent;
use crate::problem::Problem;
use crate::wire;

/// The token that the path names.
pub(super) struct Token(String);

/// `POST /v1/runs/{token}`: 200 once it stands, 409 if the run is over.
pub(super) async fn settle(
    State(rooms): State<Rooms>,
    Token(token): Token,
    _: NoParameters,
    Sent(settle): Sent<wire::SettleDeferred>,
) -> Result<Json<wire::DeferredVerdict>, Problem> {
    let outcome = settle.read(rooms.engine.now())?;
    match rooms.engine.settle_deferred(&token, outcome).await? {
        SettleVerdict::Settled => Ok(verdict("settled")),
        SettleVerdict::Stale => Err(over()),
        SettleVerdict::Refused => Err(Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the store can take no outcome of this run; its lease runs out",
        )),
    }
}

/// `POST /v1/runs/{token}/beat`: 200 while the run is held, 409 if it is over.
pub(super) async fn beat(
    State(rooms): State<Rooms>,
    Token(token): Token,
    _: NoParameters,
    Sent(prolong): Sent<wire::BeatDeferred>,
) -> Result<Json<wire::DeferredVerdict>, Problem> {
    let (lease, progress) = prolong.read()?;
    match rooms.engine.beat_deferred(&token, lease, progress).await? {
        BeatVerdict::Held => Ok(verdict("held")),
        BeatVerdict::Cancel => Ok(verdict("cancel")),
        BeatVerdict::Lost => Err(over()),
    }
}

fn verdict(word: &str) -> Json<wire::DeferredVerdict> {
    Json(wire::DeferredVerdict {
        verdict: word.to_owned(),
    })
}

fn over() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "the run is over: it was settled before, or its lease ran out; nothing was changed",
    )
}

impl<S: Send + Sync> FromRequestParts<S> for Token {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Token, Problem> {
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|rejection| Problem::parameter("token", rejection.body_text()))?;
        Ok(Token(text))
    }
}
