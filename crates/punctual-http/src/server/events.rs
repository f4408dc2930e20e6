//! `GET /v1/events`: what happens, as server-sent events (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::{HeaderMap, HeaderName, StatusCode, header};
use punctual::clock::Clock;
use punctual::engine::{Event, EventId, Happening, Watcher};
use tokio_util::sync::CancellationToken;

use super::{Rooms, wait};
use crate::limits::HEARTBEAT;
use crate::problem::Problem;
use crate::wire;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Which events are wanted. What is unset does not restrict.
#[derive(Default)]
struct Wanted {
    queue: Option<String>,
    kind: Option<String>,
}

impl Wanted {
    fn read(query: Option<&str>) -> Result<Wanted, Problem> {
        let mut wanted = Wanted::default();
        for (name, value) in wait::pairs(query)? {
            let place = match name.as_str() {
                "queue" => &mut wanted.queue,
                "kind" => &mut wanted.kind,
                _ => {
                    let known = "there is no such parameter; known are queue and kind";
                    return Err(Problem::parameter(&name, known));
                }
            };
            if place.replace(value).is_some() {
                return Err(Problem::parameter(&name, "it is given twice"));
            }
        }
        Ok(wanted)
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
    let telling = Telling {
        watcher: rooms.engine.watch(last_seen(&headers)?)?,
        wanted,
        clock: Arc::clone(rooms.engine.clock()),
        stopping: rooms.stopping.clone(),
    };
    // The first piece goes out at once, so that whoever connects knows that the stream stands.
    let pieces = stream::unfold((telling, true), |(mut telling, first)| async move {
        let piece = match first {
            true => Bytes::from_static(b": watching\n\n"),
            false => telling.next().await?,
        };
        Some((Ok::<Bytes, Infallible>(piece), (telling, false)))
    });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, Body::from_stream(pieces)).into_response())
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

/// One stream of events. It holds its place in the line of events, and nothing that its reader has not taken.
struct Telling {
    watcher: Watcher,
    wanted: Wanted,
    clock: Arc<dyn Clock>,
    stopping: CancellationToken,
}

impl Telling {
    /// The next piece: an event, or a comment when nothing happens. Nothing once the server stops.
    async fn next(&mut self) -> Option<Bytes> {
        let mut quiet = self.clock.sleep(HEARTBEAT);
        loop {
            let event = tokio::select! {
                biased;
                () = self.stopping.cancelled() => return None,
                event = self.watcher.next() => event?,
                () = &mut quiet => return Some(Bytes::from_static(b": nothing new\n\n")),
            };
            if self.wanted.matches(&event.happening) {
                return Some(write(&event));
            }
        }
    }
}

/// One event in the form of the stream. JSON has no line ends outside of its texts, where they are escaped.
fn write(event: &Event) -> Bytes {
    let (name, data) = wire::event(&event.happening);
    format!("id: {}\nevent: {name}\ndata: {data}\n\n", event.id).into()
}
