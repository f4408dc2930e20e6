//! Bytes that are JSON as a rule.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde_json::value::RawValue;

/// A payload, a result or progress on its way out: JSON as it is, or other bytes in base64.
#[derive(Clone, Debug, Default)]
pub struct Blob {
    /// The bytes as JSON, digit for digit.
    pub json: Option<Box<RawValue>>,
    /// The bytes in base64, if they are no JSON.
    pub base64: Option<String>,
}

impl Blob {
    /// The form that `bytes` take.
    pub fn of(bytes: &[u8]) -> Blob {
        match serde_json::from_slice::<Box<RawValue>>(bytes) {
            Ok(json) => Blob {
                json: Some(json),
                base64: None,
            },
            Err(_) => Blob::encoded(bytes),
        }
    }

    /// The form that `bytes` take in a request, where JSON that not every reader can read is refused: it goes in base64, too.
    pub(super) fn for_request(bytes: &[u8]) -> Blob {
        let blob = Blob::of(bytes);
        match &blob.json {
            Some(json) if from_json(json).is_err() => Blob::encoded(bytes),
            _ => blob,
        }
    }

    /// The form that gives back these bytes and no others, and stands on one line.
    pub(super) fn exact(bytes: &[u8]) -> Blob {
        let blob = Blob::for_request(bytes);
        match &blob.json {
            // White space around JSON is no part of it.
            Some(json) if json.get().len() != bytes.len() || bytes.contains(&b'\n') => Blob::encoded(bytes),
            _ => blob,
        }
    }

    pub(super) fn encoded(bytes: &[u8]) -> Blob {
        Blob {
            json: None,
            base64: Some(BASE64_STANDARD.encode(bytes)),
        }
    }

    /// The form of bytes that may be missing.
    pub fn of_option(bytes: Option<&Bytes>) -> Blob {
        bytes.map(|bytes| Blob::of(bytes)).unwrap_or_default()
    }
}

/// The bytes of a text in base64, or what is wrong with it.
pub(super) fn from_base64(text: &str) -> Result<Bytes, String> {
    BASE64_STANDARD
        .decode(text)
        .map(Bytes::from)
        .map_err(|error| format!("it is not base64 (RFC 4648, with padding): {error}"))
}

/// The bytes of a JSON value, or what is wrong with it: `RawValue` looks at neither depth nor surrogates, and what
/// is stored must be readable by every handler.
pub(super) fn from_json(json: &RawValue) -> Result<Bytes, String> {
    match serde_json::from_str::<serde_json::Value>(json.get()) {
        Ok(_) => Ok(Bytes::copy_from_slice(json.get().as_bytes())),
        Err(error) => Err(super::read::story(&error)),
    }
}
