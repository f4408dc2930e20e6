//! The routes under `/v1/queues`.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use punctual::Error;
use punctual::engine::QueueView;
use punctual::queue::{Counts, QueueName, QueueSettings};

use super::Rooms;
use super::address::{Name, NoParameters};
use super::body::{Sent, SentOrDefault};
use super::precondition::{self, IfMatch};
use crate::problem::Problem;
use crate::wire;

/// `GET /v1/queues`: every queue that has jobs or was ever set, by name.
pub(super) async fn list(
    State(rooms): State<Rooms>,
    RawQuery(query): RawQuery,
) -> Result<Json<wire::List<wire::Queue>>, Problem> {
    let page = wire::NamesQuery::from_query(query.as_deref())?;
    let views = rooms.engine.queues().await?;
    let queues = views.iter().map(wire::Queue::of);
    Ok(Json(page.of(queues, |queue| &queue.name)))
}

/// `GET /v1/queues/{name}`.
pub(super) async fn show(
    State(rooms): State<Rooms>,
    Name(name): Name<QueueName>,
    _: NoParameters,
) -> Result<Response, Problem> {
    let set = rooms.engine.queue(name.clone()).await?;
    rooms.answer_queue(name, set).await
}

/// `PUT /v1/queues/{name}`: its limits. `If-Match` is compared with its `ETag`, as it is in the verbs below.
pub(super) async fn put(
    State(rooms): State<Rooms>,
    Name(name): Name<QueueName>,
    _: NoParameters,
    if_match: IfMatch,
    Sent(limits): Sent<wire::QueueLimits>,
) -> Result<Response, Problem> {
    let limits = limits.read(rooms.engine.defaults().retention)?;
    rooms.change(name, if_match, |queue| limits.put(queue)).await
}

/// `POST /v1/queues/{name}/pause`: no run of its jobs begins once this is answered. What runs goes on.
pub(super) async fn pause(
    State(rooms): State<Rooms>,
    Name(name): Name<QueueName>,
    _: NoParameters,
    if_match: IfMatch,
    SentOrDefault(pause): SentOrDefault<wire::Pause>,
) -> Result<Response, Problem> {
    let now = rooms.engine.now();
    let pause = |queue: &mut QueueSettings| queue.pause(pause.reason.as_str(), now);
    let changed = rooms.change(name, if_match, pause).await;
    // The store looks at the whole document, in which the reason stands under another name.
    changed.map_err(|problem| problem.renamed("/paused", "/reason"))
}

/// `POST /v1/queues/{name}/resume`. A queue that is not paused stays as it is.
pub(super) async fn resume(
    State(rooms): State<Rooms>,
    Name(name): Name<QueueName>,
    _: NoParameters,
    if_match: IfMatch,
    SentOrDefault(wire::Nothing {}): SentOrDefault<wire::Nothing>,
) -> Result<Response, Problem> {
    rooms.change(name, if_match, QueueSettings::resume).await
}

/// `POST /v1/queues/{name}/purge`: deletes its waiting jobs, or those of another state.
pub(super) async fn purge(
    State(rooms): State<Rooms>,
    Name(name): Name<QueueName>,
    _: NoParameters,
    SentOrDefault(purge): SentOrDefault<wire::Purge>,
) -> Result<Json<wire::Purged>, Problem> {
    let purge = purge.read()?;
    let done = rooms.engine.purge(name, purge.clone()).await?;
    Ok(Json(wire::Purged::of(done, &purge)))
}

impl Rooms {
    async fn change(
        &self,
        name: QueueName,
        if_match: IfMatch,
        change: impl Fn(&mut QueueSettings),
    ) -> Result<Response, Problem> {
        let there = async { Ok(self.engine.queue(name.clone()).await?.1) };
        let expect = if_match.expect(there).await?;
        let changed = self.engine.change_queue(name.clone(), expect, change).await;
        self.answer_queue(name, changed.map_err(precondition::problem)?)
            .await
    }

    async fn answer_queue(
        &self,
        name: QueueName,
        (settings, rev): (QueueSettings, u64),
    ) -> Result<Response, Problem> {
        let counted: Result<_, Error> = self.engine.counts().await;
        let counts = counted?.queues.into_iter().find(|counts| counts.queue == name);
        let view = QueueView {
            settings,
            rev,
            counts: counts.unwrap_or_else(|| Counts::none(name)),
        };
        Ok((precondition::etag(rev), Json(wire::Queue::of(&view))).into_response())
    }
}
