//! Secrets in payloads: stored, since the call needs them, and never told again.

use std::collections::BTreeMap;

use punctual::Task;
use punctual::job::Body;
use punctual::target::http::HttpCall;
use serde_json::value::{RawValue, to_raw_value};

use super::json::Blob;

/// Headers of a call whose values let whoever reads them in: those of HTTP itself (RFC 9110, RFC 6265), and those that
/// widespread services read keys and tokens from, each in its own way. A name that is not here is told as it was sent.
const HEADERS: [&str; 17] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
    // the customary names of a key or a token
    "api-key",
    "apikey",
    "x-api-key",
    "x-apikey",
    "x-api-token",
    "x-access-token",
    "x-auth-token",
    "x-auth-key",
    "x-csrf-token",
    "x-secret",
    // those of services that have one of their own
    "private-token",
    "x-amz-security-token",
    "x-vault-token",
];
/// What is told in place of a secret.
const MASK: &str = "***";

type Fields = BTreeMap<String, Box<RawValue>>;

/// The payload as everybody may read it: that of an `http` job with [`MASK`] for the values of its secret headers.
pub(super) fn payload(body: &Body) -> Blob {
    let mut blob = Blob::of(&body.payload);
    if body.kind == HttpCall::KIND
        && let Some(masked) = blob.json.as_deref().and_then(masked)
    {
        blob.json = Some(masked);
    }
    blob
}

/// The call without its secrets; `None` if it has none, and so is told as it was sent.
fn masked(call: &RawValue) -> Option<Box<RawValue>> {
    let mut call: Fields = serde_json::from_str(call.get()).ok()?;
    let headers = call.get_mut("headers")?;
    let mut values: Fields = serde_json::from_str(headers.get()).ok()?;
    let is_secret = |name: &str| HEADERS.iter().any(|secret| name.eq_ignore_ascii_case(secret));
    let mask = to_raw_value(MASK).ok()?;
    let mut found = false;
    for (_, value) in values.iter_mut().filter(|(name, _)| is_secret(name)) {
        *value = mask.clone();
        found = true;
    }
    *headers = to_raw_value(&values).ok()?;
    found.then(|| to_raw_value(&call).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(call: &str) -> Option<String> {
        let call: Box<RawValue> = serde_json::from_str(call).expect("JSON");
        masked(&call).map(|masked| masked.get().to_owned())
    }

    #[test]
    fn only_the_values_of_secret_headers_are_masked() {
        for name in HEADERS {
            let call = |value: &str| format!(r#"{{"headers":{{"{name}":"{value}"}}}}"#);
            assert_eq!(told(&call("hunter2")), Some(call(MASK)));
        }
        assert_eq!(
            told(
                r#"{"headers": {"AUTHORIZATION": "Bearer x", "accept": "a", "Cookie": ["y"]}, "json": 1.00}"#
            )
            .as_deref(),
            Some(r#"{"headers":{"AUTHORIZATION":"***","Cookie":"***","accept":"a"},"json":1.00}"#)
        );
    }

    #[test]
    fn a_call_without_secrets_is_told_as_it_was_sent() {
        for call in [
            r#"{"url": "u", "headers": {"accept": "a"}}"#,
            r#"{"url": "u"}"#,
            "[]",
            r#"{"headers": 1}"#,
        ] {
            assert_eq!(told(call), None, "{call}");
        }
    }
}
