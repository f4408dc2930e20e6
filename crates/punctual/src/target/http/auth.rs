//! Credentials: how a call shows who sends it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value, json};

use super::mask::MASK;
use crate::limits::NAME_BYTES;
use crate::target::fields::Fields;
use crate::target::{Secret, Secrets};

/// A credential of a call: the name of one that the operator keeps, or the credential itself.
///
/// One that stands in the job is stored with it, since the call needs it; it is never told again, and reads `"***"` wherever the
/// job is shown. Better is a name: `{"secret": "billing"}` in JSON.
#[derive(Clone)]
pub struct Credential(Kept);

#[derive(Clone)]
enum Kept {
    Named(String),
    Inline(SecretString),
}

impl Credential {
    /// The secret of this name, which the [target](super::HttpTarget::secrets) must know when the job runs.
    pub fn named(name: impl Into<String>) -> Credential {
        Credential(Kept::Named(name.into()))
    }

    /// The credential itself.
    pub fn inline(value: impl Into<String>) -> Credential {
        Credential(Kept::Inline(SecretString::from(value.into())))
    }

    pub(super) fn find(&self, secrets: &Secrets) -> Result<Secret, String> {
        match &self.0 {
            Kept::Named(name) => secrets.find(name),
            Kept::Inline(value) => Ok(Secret::new(value.expose_secret())),
        }
    }

    /// Reads a credential, or says at which field below it what is wrong.
    pub(super) fn read(value: &Value) -> Result<Credential, Wrong> {
        const ACCEPTED: &str =
            "a text, or {\"secret\": \"name\"} with the name of a secret of the configuration";
        match value {
            Value::String(text) if text == MASK => Err(Wrong::here(
                "\"***\" stands where a credential is not told; write the credential, or the name of a secret",
            )),
            Value::String(text) if !text.is_empty() => Ok(Credential::inline(text)),
            Value::Object(object) => {
                if let Some(other) = object.keys().find(|key| *key != "secret") {
                    return Err(Wrong::at(&[other], "there is no such field; there is secret"));
                }
                match object.get("secret").and_then(Value::as_str) {
                    Some(name) if (1..=NAME_BYTES).contains(&name.len()) => Ok(Credential::named(name)),
                    _ => Err(Wrong::at(
                        &["secret"],
                        &format!("it must be the name of a secret, of 1 to {NAME_BYTES} bytes"),
                    )),
                }
            }
            _ => Err(Wrong::here(&format!("it must be {ACCEPTED}"))),
        }
    }
}

/// An inline one is told to nobody.
impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kept::Named(name) => write!(f, "Credential(secret {name:?})"),
            Kept::Inline(_) => write!(f, "Credential({MASK})"),
        }
    }
}

impl Serialize for Credential {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Kept::Named(name) => json!({ "secret": name }).serialize(serializer),
            Kept::Inline(value) => serializer.serialize_str(value.expose_secret()),
        }
    }
}

/// How a call shows who sends it, in its `authorization` header.
#[derive(Clone, Debug)]
pub(super) enum Auth {
    /// A user's name and password (RFC 7617).
    Basic { user: String, password: Credential },
    /// A token (RFC 6750).
    Bearer(Credential),
}

impl Auth {
    /// The header's value, and what of it must not be told.
    pub(super) fn header(&self, secrets: &Secrets) -> Result<(HeaderValue, Vec<String>), String> {
        let (text, hidden) = match self {
            Auth::Basic { user, password } => {
                let password = password.find(secrets)?.value().to_owned();
                let encoded = BASE64.encode(format!("{user}:{password}"));
                (format!("Basic {encoded}"), vec![password, encoded])
            }
            Auth::Bearer(token) => {
                let token = token.find(secrets)?.value().to_owned();
                (format!("Bearer {token}"), vec![token])
            }
        };
        let mut value = HeaderValue::try_from(text).map_err(|_| {
            "the secret that it is to send has characters that a header cannot carry; nothing was tried"
                .to_owned()
        })?;
        value.set_sensitive(true);
        Ok((value, hidden))
    }

    /// Takes the field `auth`, if it is given.
    pub(super) fn read(fields: &mut Fields) -> Option<Auth> {
        const ACCEPTED: &str = "\"none\", {\"bearer\": …} or {\"basic\": {\"user\": …, \"password\": …}}";
        let value = fields.optional("auth", ACCEPTED, Ok::<Value, String>)?;
        match Auth::of(&value) {
            Ok(auth) => auth,
            Err(wrong) => {
                wrong.tell(fields, "auth", ACCEPTED);
                None
            }
        }
    }

    fn of(value: &Value) -> Result<Option<Auth>, Wrong> {
        let object = match value {
            Value::String(word) if word == "none" => return Ok(None),
            Value::Object(object) if object.len() == 1 => object,
            _ => return Err(Wrong::accepted()),
        };
        match object.iter().next() {
            Some((word, value)) if word == "bearer" => {
                let token = Credential::read(value).map_err(|wrong| wrong.under("bearer"))?;
                Auth::Bearer(token)
                    .sendable()
                    .map(Some)
                    .map_err(|why| Wrong::at(&["bearer"], &why))
            }
            Some((word, Value::Object(basic))) if word == "basic" => {
                let auth = Auth::basic(basic).map_err(|wrong| wrong.under("basic"))?;
                auth.sendable()
                    .map(Some)
                    .map_err(|why| Wrong::at(&["basic"], &why))
            }
            _ => Err(Wrong::accepted()),
        }
    }

    fn basic(basic: &serde_json::Map<String, Value>) -> Result<Auth, Wrong> {
        if let Some(other) = basic
            .keys()
            .find(|key| !["user", "password"].contains(&key.as_str()))
        {
            return Err(Wrong::at(
                &[other],
                "there is no such field; there are user and password",
            ));
        }
        let user = basic.get("user").and_then(Value::as_str);
        let user = user.ok_or_else(|| Wrong::at(&["user"], "it must be a text, the user's name"))?;
        let password = basic.get("password").unwrap_or(&Value::Null);
        let password = Credential::read(password).map_err(|wrong| wrong.under("password"))?;
        Ok(Auth::Basic {
            user: user.to_owned(),
            password,
        })
    }

    /// Refuses what no header can carry, as far as it stands in the job.
    pub(super) fn sendable(self) -> Result<Auth, String> {
        match &self {
            Auth::Basic { user, .. } if user.contains(':') || user.chars().any(char::is_control) => {
                Err("a user's name has no colon and no control characters".to_owned())
            }
            Auth::Bearer(Credential(Kept::Inline(token)))
                if !token.expose_secret().bytes().all(|byte| byte.is_ascii_graphic()) =>
            {
                Err("a token has visible ASCII characters only, and no spaces".to_owned())
            }
            _ => Ok(self),
        }
    }
}

impl Serialize for Auth {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        match self {
            Auth::Bearer(token) => map.serialize_entry("bearer", token)?,
            Auth::Basic { user, password } => {
                #[derive(serde::Serialize)]
                struct Basic<'a> {
                    user: &'a str,
                    password: &'a Credential,
                }
                map.serialize_entry("basic", &Basic { user, password })?;
            }
        }
        map.end()
    }
}

/// What is wrong below a field, and where.
pub(super) struct Wrong {
    path: Vec<String>,
    /// Unset, what the field accepts.
    why: Option<String>,
}

impl Wrong {
    fn at(path: &[&str], why: &str) -> Wrong {
        Wrong {
            path: path.iter().map(|&part| part.to_owned()).collect(),
            why: Some(why.to_owned()),
        }
    }

    fn here(why: &str) -> Wrong {
        Wrong::at(&[], why)
    }

    fn accepted() -> Wrong {
        Wrong {
            path: Vec::new(),
            why: None,
        }
    }

    fn under(mut self, name: &str) -> Wrong {
        self.path.insert(0, name.to_owned());
        self
    }

    pub(super) fn tell(self, fields: &mut Fields, name: &str, accepted: &str) {
        let parts = self.path.iter().map(String::as_str);
        let path: Vec<&str> = std::iter::once(name).chain(parts).collect();
        fields.refuse(
            &path,
            self.why.unwrap_or_else(|| format!("it must be {accepted}")),
        );
    }
}
