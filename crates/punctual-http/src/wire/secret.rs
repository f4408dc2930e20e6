//! Secrets in payloads: stored, since the call needs them, and never told again.

use std::collections::BTreeMap;

use punctual::Task;
use punctual::job::Body;
use punctual::target::http::HttpCall;
use serde_json::value::{RawValue, to_raw_value};

use super::json::Blob;

/// Headers of a call whose values let whoever reads them in.
const HEADERS: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];
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
