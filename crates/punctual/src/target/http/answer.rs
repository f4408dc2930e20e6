//! An answer: what is kept of what a server said.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::HeaderMap;
use http::header::HeaderName;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::mask::Masks;
use crate::limits::{HTTP_ANSWER_BYTES, HTTP_ANSWER_HEADER_BYTES};
use crate::target::text::json_bytes;

/// What a server answered: the result of an [`HttpCall`](super::HttpCall).
///
/// In JSON: `{"status": 200, "headers": {"content-type": "…"}, "body": "text", "truncated": false}`. A body that is not UTF-8, or
/// that would take more room as a JSON text, stands as `base64` instead of `body`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpAnswer {
    /// The status code.
    pub status: u16,
    /// Those of its headers that say something of the body or of what to do next: `content-type`, `content-encoding`,
    /// `content-language`, `etag`, `last-modified`, `location`, `retry-after` and `x-request-id`; and before these, those that
    /// the job asks for. Together at most 2 KiB; what does not fit is left out.
    pub headers: BTreeMap<String, String>,
    /// The body, up to 44 KiB, or as much as the job asks for.
    pub body: Bytes,
    /// Whether the body was longer.
    pub truncated: bool,
}

impl HttpAnswer {
    /// The body as text, if it is UTF-8.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.body).ok()
    }

    /// The body read as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }

    /// The answer as far as it is kept. A text that was cut off inside a character ends before it.
    pub(super) fn kept(
        status: u16,
        headers: &HeaderMap,
        mut body: Bytes,
        truncated: bool,
        keep: &Keep<'_>,
    ) -> HttpAnswer {
        if let Some(masked) = keep.masks.bytes(&body, truncated) {
            body = masked.into();
        }
        if truncated
            && let Err(error) = std::str::from_utf8(&body)
            && error.error_len().is_none()
        {
            body.truncate(error.valid_up_to());
        }
        HttpAnswer {
            status,
            headers: keep.headers(headers),
            body,
            truncated,
        }
    }
}

/// What of an answer is kept, and what of it never.
pub(super) struct Keep<'a> {
    /// Headers besides the usual ones, which go first where there is not room for all.
    pub(super) headers: &'a [HeaderName],
    pub(super) masks: &'a Masks,
}

/// The headers that are kept, in the order in which they are given room.
const KEPT: [&str; 8] = [
    "content-type",
    "content-encoding",
    "location",
    "retry-after",
    "etag",
    "last-modified",
    "content-language",
    "x-request-id",
];

impl Keep<'_> {
    fn headers(&self, headers: &HeaderMap) -> BTreeMap<String, String> {
        let mut room = HTTP_ANSWER_HEADER_BYTES;
        let mut kept = BTreeMap::new();
        for name in self.headers.iter().map(HeaderName::as_str).chain(KEPT) {
            let values = headers.get_all(name).iter();
            let values: Vec<_> = values
                .map(|value| String::from_utf8_lossy(value.as_bytes()))
                .collect();
            if values.is_empty() || kept.contains_key(name) {
                continue;
            }
            let value = self.masks.text(values.join(", "));
            if let Some(rest) = room.checked_sub(name.len() + value.len()) {
                room = rest;
                kept.insert(name.to_owned(), value);
            }
        }
        kept
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    status: u16,
    headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
    truncated: bool,
}

impl Serialize for HttpAnswer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let in_base64 = HTTP_ANSWER_BYTES.div_ceil(3) * 4;
        let text = self
            .text()
            .filter(|text| text.chars().map(json_bytes).sum::<usize>() <= in_base64);
        let wire = Wire {
            status: self.status,
            headers: self.headers.clone(),
            body: text.map(str::to_owned),
            base64: text.is_none().then(|| BASE64.encode(&self.body)),
            truncated: self.truncated,
        };
        wire.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for HttpAnswer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<HttpAnswer, D::Error> {
        let wire = Wire::deserialize(deserializer)?;
        let body = match (wire.body, wire.base64) {
            (Some(text), None) => text.into_bytes(),
            (None, Some(text)) => BASE64.decode(text).map_err(D::Error::custom)?,
            _ => return Err(D::Error::custom("an answer has either body or base64")),
        };
        Ok(HttpAnswer {
            status: wire.status,
            headers: wire.headers,
            body: body.into(),
            truncated: wire.truncated,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::RESULT_BYTES;

    #[test]
    fn the_worst_answer_that_is_kept_fits_a_result() {
        let mut headers = HeaderMap::new();
        for name in KEPT {
            let quotes = "\"".repeat(HTTP_ANSWER_HEADER_BYTES / KEPT.len() - name.len());
            headers.insert(name, quotes.parse().expect("a header's value"));
        }
        let keep = Keep {
            headers: &[],
            masks: &Masks::default(),
        };
        for worst in [b'\0', b'"', 0xff, b'a'] {
            let body = Bytes::from(vec![worst; HTTP_ANSWER_BYTES]);
            let answer = HttpAnswer::kept(200, &headers, body, true, &keep);
            let json = serde_json::to_vec(&answer).expect("an answer has a JSON form");
            assert!(json.len() <= RESULT_BYTES, "{worst}: {} bytes", json.len());
            assert_eq!(
                serde_json::from_slice::<HttpAnswer>(&json).expect("it reads back"),
                answer
            );
        }
    }
}
