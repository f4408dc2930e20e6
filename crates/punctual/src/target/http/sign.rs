//! Signatures in the form of Standard Webhooks 1.0: HMAC-SHA256 of id, time and body.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderValue};
use sha2::Sha256;

use crate::error::Error;
use crate::limits::HTTP_SIGNING_BYTES;
use crate::target::Secret;
use crate::time::Timestamp;

/// What each secret to sign with begins with.
const PREFIX: &str = "whsec_";

impl Secret {
    /// Whether calls can be signed with it, and with the value that it is taking the place of. `Invalid` if not; the error does
    /// not tell the secret.
    pub fn check_signing(&self) -> Result<(), Error> {
        self.values()
            .try_for_each(|value| key(value).map(drop))
            .map_err(Error::invalid)
    }
}

/// Adds the headers `webhook-id`, `webhook-timestamp` and `webhook-signature`, the last one with a signature by each value of the
/// secret.
pub(super) fn sign(
    headers: &mut HeaderMap,
    secret: &Secret,
    id: &str,
    now: Timestamp,
    body: &[u8],
) -> Result<(), String> {
    let seconds = now.as_micros().div_euclid(1_000_000).to_string();
    let mut signatures = Vec::new();
    for value in secret.values() {
        let key = key(value).map_err(|why| format!("{why}; nothing was tried"))?;
        let mac: Hmac<Sha256> = KeyInit::new_from_slice(&key).expect("a key may have any length");
        let mac = mac.chain_update(format!("{id}.{seconds}.")).chain_update(body);
        signatures.push(format!("v1,{}", BASE64.encode(mac.finalize().into_bytes())));
    }
    for (name, text) in [
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", seconds),
        ("webhook-signature", signatures.join(" ")),
    ] {
        let value = HeaderValue::try_from(text).expect("ids, numbers and base64 are visible ASCII");
        headers.insert(name, value);
    }
    Ok(())
}

/// The bytes that a secret stands for.
fn key(secret: &str) -> Result<Vec<u8>, String> {
    let key = secret
        .strip_prefix(PREFIX)
        .and_then(|text| BASE64.decode(text).ok());
    key.filter(|key| HTTP_SIGNING_BYTES.contains(&key.len()))
        .ok_or_else(|| {
            format!(
                "the secret to sign with is not {PREFIX} and {} to {} bytes in base64",
                HTTP_SIGNING_BYTES.start(),
                HTTP_SIGNING_BYTES.end()
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification.
    #[test]
    fn a_signature_is_what_standard_webhooks_says() {
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let mut headers = HeaderMap::new();
        let now = Timestamp::from_micros(1_614_265_330_999_999);
        let body = br#"{"test": 2432232314}"#;
        sign(&mut headers, &secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", now, body).expect("it is a key");
        assert_eq!(headers["webhook-timestamp"], "1614265330");
        assert_eq!(
            headers["webhook-signature"],
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for bad in [
            "",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_",
            "whsec_AAAA",
            "whsec_%",
        ] {
            assert!(key(bad).is_err(), "{bad}");
        }
    }
}
