//! Content: the body of a call.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use serde_json::value::RawValue;

use crate::target::fields::Fields;

/// What is sent with a call.
#[derive(Clone)]
pub(in crate::target::http) enum Content {
    Nothing,
    Text(String),
    Json(Box<RawValue>),
    Bytes(Bytes),
}

impl Content {
    /// The bytes on the wire.
    pub(in crate::target::http) fn bytes(&self) -> Bytes {
        match self {
            Content::Nothing => Bytes::new(),
            Content::Text(text) => Bytes::copy_from_slice(text.as_bytes()),
            Content::Json(json) => Bytes::copy_from_slice(json.get().as_bytes()),
            Content::Bytes(bytes) => bytes.clone(),
        }
    }

    /// The type that they are sent as, unless a header says otherwise.
    pub(in crate::target::http) fn media_type(&self) -> Option<(HeaderName, HeaderValue)> {
        let name = match self {
            Content::Nothing => return None,
            Content::Text(_) => "text/plain; charset=utf-8",
            Content::Json(_) => "application/json",
            Content::Bytes(_) => "application/octet-stream",
        };
        Some((CONTENT_TYPE, HeaderValue::from_static(name)))
    }
}

/// Takes the one body of a call, if there is any.
pub(super) fn read_content(fields: &mut Fields) -> Content {
    // Of these, only `json` has a value that is null.
    let json = fields.value("json").map(Content::Json);
    let all = [
        ("body", fields.has("body")),
        ("json", json.is_some()),
        ("base64", fields.has("base64")),
    ];
    let given: Vec<&str> = all
        .iter()
        .filter(|(_, given)| *given)
        .map(|(name, _)| *name)
        .collect();
    for name in given.iter().skip(1) {
        fields.refuse(
            &[name],
            format!("{} is given as well; a call has one body", given[0]),
        );
    }
    let text = fields.optional("body", "a text", |text: String| Ok(Content::Text(text)));
    let bytes = fields.optional("base64", "a text in base64", |text: String| {
        let bytes = BASE64
            .decode(text)
            .map_err(|error| format!("it is no base64: {error}"))?;
        Ok(Content::Bytes(bytes.into()))
    });
    text.or(json).or(bytes).unwrap_or(Content::Nothing)
}
