//! `GET /v1/events`: what happens, as server-sent events (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).

use std::convert::Infallible;

use axum::extract::{RawQuery, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{FutureExt, Stream, StreamExt, future, stream};
use http::{HeaderMap, HeaderName, StatusCode, header};
use punctual::engine::{self, EventId, Happening};

use super::Rooms;
use crate::limits::STREAM_PAUSE;
use crate::problem::Problem;
use crate::wire::{self, Query};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Which events are wanted. What is unset does not restrict.
struct Wanted {
    queue: Option<String>,
    kind: Option<String>,
}

impl Wanted {
    fn read(query: Option<&str>) -> Result<Wanted, Problem> {
        let mut given = Query::read(query, &["queue", "kind"])?;
        Ok(Wanted {
            queue: given.take("queue"),
            kind: given.take("kind"),
        })
    }

    /// Whether an event is among these. What is not known of one is not guessed.
    fn matches(&self, happening: &Happening) -> bool {
        let is = |wanted: &Option<String>, there: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| there == Some(wanted))
        };
        match happening {
            Happening::Ended(head) | Happening::Cancelling(head) => {
                is(&self.queue, Some(head.queue.as_str())) && is(&self.kind, Some(&head.kind))
            }
            Happening::Due(queue, _) => is(&self.queue, Some(queue.as_str())) && is(&self.kind, None),
            Happening::Gone(_) => is(&self.queue, None) && is(&self.kind, None),
            Happening::Reset => true,
        }
    }
}

/// `GET /v1/events`, from now on, or from after the event that `Last-Event-ID` names.
pub(super) async fn stream(
    State(rooms): State<Rooms>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let wanted = Wanted::read(query.as_deref())?;
    // It holds its place in the line of events, and nothing that its reader has not taken.
    let watcher = rooms.engine.watch(last_seen(&headers)?)?;
    let events = stream::unfold((watcher, wanted), |(mut watcher, wanted)| async {
        loop {
            let event = watcher.next().await?;
            if wanted.matches(&event.happening) {
                return Some((written(&event), (watcher, wanted)));
            }
        }
    });
    // The first piece goes out at once, so that whoever connects knows that the stream stands.
    let first = future::ready(Event::default().comment("watching"));
    Ok(rooms.stream_of(first.into_stream().chain(events)))
}

fn last_seen(headers: &HeaderMap) -> Result<Option<EventId>, Problem> {
    let Some(value) = headers.get(LAST_EVENT_ID).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let id = value.to_str().ok().and_then(|text| text.parse().ok());
    id.map(Some).ok_or_else(|| {
        let detail = "Last-Event-ID takes the id of an event as it came; leave it out to begin now";
        Problem::new(StatusCode::BAD_REQUEST, detail)
    })
}

fn written(event: &engine::Event) -> Event {
    let (name, data) = wire::event(&event.happening);
    Event::default().id(event.id.to_string()).event(name).data(data)
}

impl Rooms {
    /// An answer of server-sent events until the server stops, with a sign of life where nothing happens.
    pub(super) fn stream_of(&self, events: impl Stream<Item = Event> + Send + 'static) -> Response {
        let events = events
            .take_until(self.stopping.clone().cancelled_owned())
            .map(Ok::<Event, Infallible>);
        let alive = KeepAlive::new().interval(STREAM_PAUSE);
        (
            [(header::CACHE_CONTROL, "no-store")],
            Sse::new(events).keep_alive(alive),
        )
            .into_response()
    }
}
