//! Secrets: credentials that the operator keeps, and that jobs refer to by name.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use secrecy::{ExposeSecret, SecretString};

/// The secrets that targets know, by name. Clones share them, so that one may be replaced while jobs run.
///
/// ```
/// use std::collections::BTreeMap;
/// use punctual::target::{Secret, Secrets};
///
/// let secrets = Secrets::new(BTreeMap::from([("billing".to_owned(), Secret::new("s3cret"))]));
/// assert_eq!(format!("{secrets:?}"), r#"Secrets({"billing"})"#);
/// secrets.replace(BTreeMap::new());
/// ```
#[derive(Clone, Default)]
pub struct Secrets(Arc<RwLock<BTreeMap<String, Secret>>>);

impl Secrets {
    /// These secrets.
    pub fn new(named: BTreeMap<String, Secret>) -> Secrets {
        Secrets(Arc::new(RwLock::new(named)))
    }

    /// Puts these in the place of all that there were. Calls that begin from now on go by them.
    pub fn replace(&self, named: BTreeMap<String, Secret>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = named;
    }

    /// The secret of this name, or what is to be said of a job that names it.
    pub(super) fn find(&self, name: &str) -> Result<Secret, String> {
        let named = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let found = named.get(name).cloned();
        found.ok_or_else(|| format!("there is no secret {name:?} in the configuration; nothing was tried"))
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let names: std::collections::BTreeSet<&String> = named.keys().collect();
        f.debug_tuple("Secrets").field(&names).finish()
    }
}

/// One secret, which is never told: a password, a token, or the key of a signature.
#[derive(Clone)]
pub struct Secret {
    value: SecretString,
    previous: Option<SecretString>,
}

impl Secret {
    /// A secret of this value.
    pub fn new(value: impl Into<String>) -> Secret {
        Secret {
            value: SecretString::from(value.into()),
            previous: None,
        }
    }

    /// The value that it is taking the place of. What is signed is signed with both, so that receivers may go over from one
    /// to the other when they like; a password or a token is always the new one.
    pub fn previous(mut self, value: impl Into<String>) -> Secret {
        self.previous = Some(SecretString::from(value.into()));
        self
    }

    /// The value that is in force.
    pub(super) fn value(&self) -> &str {
        self.value.expose_secret()
    }

    /// The value in force and the one before, if that is still good.
    pub(super) fn values(&self) -> impl Iterator<Item = &str> {
        [Some(&self.value), self.previous.as_ref()]
            .into_iter()
            .flatten()
            .map(ExposeSecret::expose_secret)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}
