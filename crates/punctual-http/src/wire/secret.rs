//! Secrets in payloads: stored, since the call needs them, and never told again.

use std::collections::BTreeMap;

use punctual::Task;
use punctual::target::http::{HttpCall, MASK, SECRET_HEADERS};
use serde_json::value::{RawValue, to_raw_value};

use super::json::Blob;

type Fields = BTreeMap<String, Box<RawValue>>;

/// The payload of a job of this kind as everybody may read it: that of an `http` job has [`MASK`] for the values of its secret
/// headers.
pub(super) fn payload(kind: &str, payload: &[u8]) -> Blob {
    let mut blob = Blob::of(payload);
    if kind == HttpCall::KIND
        && let Some(masked) = blob.json.as_deref().and_then(masked)
    {
        blob.json = Some(masked);
    }
    blob
}

/// The call without its secrets; `None` if it has none, and so is told as it was sent.
fn masked(call: &RawValue) -> Option<Box<RawValue>> {
    let mut call: Fields = serde_json::from_str(call.get()).ok()?;
    let is_secret = |name: &str| {
        SECRET_HEADERS
            .iter()
            .any(|secret| name.eq_ignore_ascii_case(secret))
    };
    let mut found = within(&mut call, "headers", |headers| {
        let secrets = headers.iter_mut().filter(|(name, _)| is_secret(name));
        secrets.map(|(_, value)| hide(value)).count() > 0
    });
    // A credential that stands here itself is hidden, and the name of one is told.
    let of = |fields: &mut Fields, name: &str| match fields.get_mut(name) {
        Some(value) if !is_object(value) => {
            hide(value);
            true
        }
        _ => false,
    };
    found |= of(&mut call, "sign");
    found |= within(&mut call, "auth", |auth| {
        let bearer = of(auth, "bearer");
        within(auth, "basic", |basic| of(basic, "password")) || bearer
    });
    found.then(|| to_raw_value(&call).ok())?
}

/// Changes the object that a field holds, if it holds one; answers whether anything was changed.
fn within(fields: &mut Fields, name: &str, change: impl FnOnce(&mut Fields) -> bool) -> bool {
    let Some(field) = fields.get_mut(name) else {
        return false;
    };
    let Ok(mut inner) = serde_json::from_str::<Fields>(field.get()) else {
        return false;
    };
    let changed = change(&mut inner);
    if let (true, Ok(inner)) = (changed, to_raw_value(&inner)) {
        *field = inner;
    }
    changed
}

fn hide(value: &mut Box<RawValue>) {
    *value = to_raw_value(MASK).expect("a text always has a JSON form");
}

fn is_object(value: &RawValue) -> bool {
    value.get().starts_with('{')
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
        for name in SECRET_HEADERS {
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
    fn credentials_are_masked_and_their_names_are_told() {
        for (call, masked) in [
            (
                r#"{"auth":{"bearer":"x"},"url":"u"}"#,
                r#"{"auth":{"bearer":"***"},"url":"u"}"#,
            ),
            (
                r#"{"auth":{"basic":{"password":"x","user":"u"}}}"#,
                r#"{"auth":{"basic":{"password":"***","user":"u"}}}"#,
            ),
            (
                r#"{"auth":{"bearer":{"secret":"a"}},"sign":"whsec_x"}"#,
                r#"{"auth":{"bearer":{"secret":"a"}},"sign":"***"}"#,
            ),
        ] {
            assert_eq!(told(call).as_deref(), Some(masked));
        }
    }

    #[test]
    fn a_call_without_secrets_is_told_as_it_was_sent() {
        for call in [
            r#"{"url": "u", "headers": {"accept": "a"}}"#,
            r#"{"url": "u"}"#,
            "[]",
            r#"{"headers": 1}"#,
            r#"{"auth": "none"}"#,
            r#"{"auth": {"bearer": {"secret": "a"}}, "sign": {"secret": "b"}}"#,
        ] {
            assert_eq!(told(call), None, "{call}");
        }
    }
}
