//! What happened, as `GET /v1/events` tells it.

use punctual::engine::Happening;
use serde_json::json;

use super::{At, Head};

/// The name of an event and what it says, as JSON.
pub fn event(happening: &Happening) -> (&'static str, String) {
    let (name, data) = match happening {
        Happening::Ended(head) => ("ended", serde_json::to_string(&Head::of(head))),
        Happening::Cancelling(head) => ("cancelling", serde_json::to_string(&Head::of(head))),
        Happening::Gone(id) => ("gone", Ok(json!({"id": id.to_string()}).to_string())),
        Happening::Due(queue, at) => (
            "due",
            Ok(json!({"queue": queue.as_str(), "at": At(*at)}).to_string()),
        ),
        Happening::Reset => ("reset", Ok("{}".to_owned())),
    };
    (name, data.expect("a head has a JSON form"))
}
