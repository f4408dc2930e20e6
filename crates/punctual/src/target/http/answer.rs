//! An answer: what is kept of what a server said, and what it means for the job.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};
use jiff::fmt::rfc2822::DateTimeParser;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::limits::{HTTP_ANSWER_BYTES, HTTP_ANSWER_HEADER_BYTES, RETRY_AFTER_MAX};
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
    /// `content-language`, `etag`, `last-modified`, `location`, `retry-after` and `x-request-id`. Together at most 2 KiB;
    /// what does not fit is left out.
    pub headers: BTreeMap<String, String>,
    /// The body, up to 44 KiB.
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
    pub(super) fn kept(status: u16, headers: &HeaderMap, mut body: Bytes, truncated: bool) -> HttpAnswer {
        if truncated
            && let Err(error) = std::str::from_utf8(&body)
            && error.error_len().is_none()
        {
            body.truncate(error.valid_up_to());
        }
        HttpAnswer {
            status,
            headers: kept_headers(headers),
            body,
            truncated,
        }
    }
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

fn kept_headers(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut room = HTTP_ANSWER_HEADER_BYTES;
    let mut kept = BTreeMap::new();
    for name in KEPT {
        let Some(value) = headers.get(name) else { continue };
        let value = String::from_utf8_lossy(value.as_bytes());
        if let Some(rest) = room.checked_sub(name.len() + value.len()) {
            room = rest;
            kept.insert(name.to_owned(), value.into_owned());
        }
    }
    kept
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

/// What an answer that was not accepted means for the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Another attempt may fare better; after this long, if the server said so.
    Passing(Option<Duration>),
    /// Another attempt would end the same way.
    Final,
}

/// Whether a refusal may pass: 408, 425, 429 and all of 5xx may, and 429 and 503 may say when (RFC 9110, sections 15.5.9,
/// 15.6 and 10.2.3; RFC 6585, section 4; RFC 8470, section 5.2).
pub(super) fn refusal(status: u16, headers: &HeaderMap) -> Refusal {
    match status {
        429 | 503 => Refusal::Passing(retry_after(headers)),
        408 | 425 | 500..=599 => Refusal::Passing(None),
        _ => Refusal::Final,
    }
}

/// How long the server asks to be left alone, if it does so readably. Instants count from the server's own `date`, so that no
/// difference between its clock and ours matters. One that asks for no time at all leaves it to the job's backoff, so that a
/// busy server is not called again twenty times at once.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let length = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let now = headers.get(DATE)?.to_str().ok()?;
            let (then, now) = (instant(text)?, instant(now.trim())?);
            Duration::try_from(then.duration_since(now)).unwrap_or_default()
        }
    };
    Some(length.min(RETRY_AFTER_MAX)).filter(|length| !length.is_zero())
}

/// An HTTP date, as servers write it today (IMF-fixdate, RFC 9110, section 5.6.7): a case of an e-mail's date.
fn instant(text: &str) -> Option<jiff::Timestamp> {
    // The date decides; a weekday that does not go with it is the server's slip.
    DateTimeParser::new()
        .relaxed_weekday(true)
        .parse_timestamp(text)
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::RESULT_BYTES;

    fn asked(retry_after: &str, date: Option<&str>) -> Refusal {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, retry_after.parse().expect("a header's value"));
        if let Some(date) = date {
            headers.insert(DATE, date.parse().expect("a header's value"));
        }
        refusal(503, &headers)
    }

    #[test]
    fn retry_after_is_read_in_seconds_and_as_a_date_and_is_capped() {
        let passing = |seconds| Refusal::Passing(Some(Duration::from_secs(seconds)));
        let noon = Some("Sun, 06 Nov 1994 12:00:00 GMT");
        assert_eq!(asked("120", None), passing(120));
        assert_eq!(asked("99999999", None), passing(3_600));
        assert_eq!(asked("Sun, 06 Nov 1994 12:01:30 GMT", noon), passing(90));
        assert_eq!(asked("Mon, 06 Nov 2094 12:00:00 GMT", noon), passing(3_600));
        for (unreadable, date) in [
            ("soon", noon),
            ("-1", noon),
            ("0", noon),
            ("Sun, 06 Nov 1994 11:00:00 GMT", noon),
            ("Sun, 06 Nov 1994 12:01:30 GMT", None),
        ] {
            assert_eq!(asked(unreadable, date), Refusal::Passing(None), "{unreadable}");
        }
    }

    #[test]
    fn the_worst_answer_that_is_kept_fits_a_result() {
        let mut headers = HeaderMap::new();
        for name in KEPT {
            let quotes = "\"".repeat(HTTP_ANSWER_HEADER_BYTES / KEPT.len() - name.len());
            headers.insert(name, quotes.parse().expect("a header's value"));
        }
        for worst in [b'\0', b'"', 0xff, b'a'] {
            let body = Bytes::from(vec![worst; HTTP_ANSWER_BYTES]);
            let answer = HttpAnswer::kept(200, &headers, body, true);
            let json = serde_json::to_vec(&answer).expect("an answer has a JSON form");
            assert!(json.len() <= RESULT_BYTES, "{worst}: {} bytes", json.len());
            assert_eq!(
                serde_json::from_slice::<HttpAnswer>(&json).expect("it reads back"),
                answer
            );
        }
    }
}
