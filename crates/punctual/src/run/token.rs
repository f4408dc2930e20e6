//! Tokens: a run's name that nobody can guess, for whoever a run was deferred to.
//!
//! A token is the run and a signature of it, under a key that is made once for a store and kept in its records. So every
//! process on the store knows a token for what it is, and nothing is written for the many runs whose token nobody uses.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD as BASE64_URL};
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use uuid::Uuid;

use crate::error::Error;
use crate::job::JobId;
use crate::run::RunId;

/// What tokens are signed with.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenKey([u8; TokenKey::BYTES]);

impl TokenKey {
    /// Length of a key: as much as SHA-256 can make use of.
    pub const BYTES: usize = 32;

    /// A key of these bytes, which nobody else may know.
    pub fn new(secret: [u8; TokenKey::BYTES]) -> TokenKey {
        TokenKey(secret)
    }

    /// The token of a run: letters, digits, `-` and `_`.
    pub fn sign(&self, run: RunId) -> String {
        let mut token = named(run).to_vec();
        token.extend_from_slice(&self.signature(run).finalize().into_bytes());
        BASE64_URL.encode(token)
    }

    /// The run that a token stands for; nothing if this key has not signed it.
    pub fn read(&self, token: &str) -> Option<RunId> {
        let token = BASE64_URL.decode(token).ok()?;
        let (name, signature) = token.split_first_chunk::<NAME_BYTES>()?;
        let (job, run) = name.split_first_chunk::<16>()?;
        let run = RunId {
            job: JobId(Uuid::from_bytes(*job)),
            run: u64::from_be_bytes(run.try_into().ok()?),
        };
        // In constant time, so that it cannot be guessed byte by byte.
        self.signature(run).verify_slice(signature).ok()?;
        Some(run)
    }

    /// The key as the JSON document of a [`Record`](crate::change::Record).
    pub fn to_json(&self) -> Bytes {
        let document = Document {
            key: BASE64.encode(self.0),
        };
        let json = serde_json::to_vec(&document).expect("a text always has a JSON form");
        Bytes::from(json)
    }

    /// Reads what [`to_json`](Self::to_json) wrote. `Invalid` if it is no key.
    pub fn from_json(json: &[u8]) -> Result<TokenKey, Error> {
        let wrong = || Error::invalid("this is no key for tokens: {\"key\": \"…\"} with 32 bytes in base64");
        let document: Document = serde_json::from_slice(json).map_err(|_| wrong())?;
        let key = BASE64.decode(document.key).map_err(|_| wrong())?;
        key.try_into().map(TokenKey).map_err(|_| wrong())
    }

    fn signature(&self, run: RunId) -> Hmac<Sha256> {
        let signature: Hmac<Sha256> = KeyInit::new_from_slice(&self.0).expect("a key may have any length");
        // What else may be signed with the key some day cannot be taken for a token.
        signature.chain_update(b"punctual run ").chain_update(named(run))
    }
}

/// The key itself is told to nobody.
impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(***)")
    }
}

#[derive(Serialize, Deserialize)]
struct Document {
    key: String,
}

/// A run's name in a token: 16 bytes of the job and 8 of the run.
const NAME_BYTES: usize = 24;

fn named(run: RunId) -> [u8; NAME_BYTES] {
    let mut name = [0; NAME_BYTES];
    name[..16].copy_from_slice(run.job.0.as_bytes());
    name[16..].copy_from_slice(&run.run.to_be_bytes());
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> TokenKey {
        TokenKey::new([byte; TokenKey::BYTES])
    }

    #[test]
    fn a_token_stands_for_its_run_and_nobody_makes_one_without_the_key() {
        let run = RunId {
            job: JobId::named("a"),
            run: 7,
        };
        let token = key(1).sign(run);
        assert_eq!(key(1).read(&token), Some(run));
        assert_eq!(key(2).read(&token), None);
        assert_eq!(key(1).sign(run), token);

        let bytes = BASE64_URL.decode(&token).expect("base64");
        for at in 0..bytes.len() {
            let mut forged = bytes.clone();
            forged[at] ^= 1;
            assert_eq!(key(1).read(&BASE64_URL.encode(&forged)), None, "byte {at}");
            assert_eq!(key(1).read(&BASE64_URL.encode(&bytes[..at])), None, "{at} bytes");
        }
        assert_eq!(key(1).read(&format!("{token}AAAA")), None);
        assert_eq!(key(1).read("no token"), None);
    }

    #[test]
    fn a_key_is_read_as_it_was_written() {
        assert_eq!(TokenKey::from_json(&key(3).to_json()), Ok(key(3)));
        for bad in ["", "{}", r#"{"key": "AA=="}"#, r#"{"key": "%"}"#] {
            assert!(TokenKey::from_json(bad.as_bytes()).is_err(), "{bad}");
        }
        assert_eq!(format!("{:?}", key(3)), "TokenKey(***)");
    }
}
