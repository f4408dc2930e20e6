//! A call in JSON: the payload of its job.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::header::{HeaderName, HeaderValue};
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

use super::HttpCall;
use super::content::Content;
use crate::time::format_length;

/// As the payload that [`HttpCall::parse`] reads.
impl Serialize for HttpCall {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("method", self.method.as_str())?;
        map.serialize_entry("url", &self.url.to_string())?;
        if !self.headers.is_empty() {
            map.serialize_entry("headers", &Headers(&self.headers))?;
        }
        match &self.content {
            Content::Nothing => {}
            Content::Text(text) => map.serialize_entry("body", text)?,
            Content::Json(json) => map.serialize_entry("json", json)?,
            Content::Bytes(bytes) => map.serialize_entry("base64", &BASE64.encode(bytes))?,
        }
        if let Some(auth) = &self.auth {
            map.serialize_entry("auth", auth)?;
        }
        if let Some(secret) = &self.sign {
            map.serialize_entry("sign", secret)?;
        }
        if !self.accept.is_empty() {
            map.serialize_entry("accept", &self.accept)?;
        }
        if !self.answers.is_empty() {
            map.serialize_entry("answers", &self.answers)?;
        }
        if self.follow > 0 {
            map.serialize_entry("follow", &self.follow)?;
        }
        if !self.keep_headers.is_empty() {
            let names: Vec<&str> = self.keep_headers.iter().map(HeaderName::as_str).collect();
            map.serialize_entry("keep_headers", &names)?;
        }
        if let Some(bytes) = self.keep_body {
            map.serialize_entry("keep_body", &bytes)?;
        }
        if let Some(length) = self.connect_timeout {
            map.serialize_entry("connect_timeout", &format_length(length))?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for HttpCall {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<HttpCall, D::Error> {
        let payload = Box::<RawValue>::deserialize(deserializer)?;
        HttpCall::parse(payload.get().as_bytes()).map_err(D::Error::custom)
    }
}

struct Headers<'a>(&'a [(HeaderName, HeaderValue)]);

impl Serialize for Headers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let texts = self
            .0
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap_or_default()));
        serializer.collect_map(texts)
    }
}
