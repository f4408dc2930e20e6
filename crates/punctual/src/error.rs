//! One error for the whole library: it tells its story in words and its [`Kind`] to a program.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

/// What a program can do about an [`Error`]. Each maps to one HTTP status and one exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// There is no such thing. HTTP 404.
    NotFound,
    /// It clashes with what is there: another body under the same id, a key that is held, a row that moved on. HTTP 409.
    Conflict,
    /// The input is wrong; the message and the fields say where and what is accepted. HTTP 400 or 422.
    Invalid,
    /// The caller may not do this. HTTP 403.
    Denied,
    /// Not now: the store cannot be reached, is locked or full. Nothing was stored; try again. HTTP 503.
    Unavailable,
    /// A fault in Punctual or in the store's data. HTTP 500.
    Internal,
}

/// Why something did not happen.
///
/// It is opaque and cheap to clone, since one failed flush answers many callers. Branch on [`Error::kind`].
#[derive(Clone)]
pub struct Error(Arc<Story>);

struct Story {
    kind: Kind,
    message: String,
    fields: Vec<Field>,
    mark: Mark,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// What else whoever writes in batches has to know.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    None,
    Locked,
    Unknown,
    /// The version that it has.
    MovedOn(u64),
}

/// One field of the input that was wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Where: a JSON pointer (RFC 6901) such as `/priority`.
    pub pointer: String,
    /// What was wrong and what is accepted.
    pub message: String,
}

impl Error {
    /// An error of this kind that says `message`.
    pub fn new(kind: Kind, message: impl Into<String>) -> Error {
        Error(Arc::new(Story {
            kind,
            message: message.into(),
            fields: Vec::new(),
            mark: Mark::None,
            source: None,
        }))
    }

    /// There is no such thing.
    pub fn not_found(message: impl Into<String>) -> Error {
        Error::new(Kind::NotFound, message)
    }

    /// It clashes with what is there.
    pub fn conflict(message: impl Into<String>) -> Error {
        Error::new(Kind::Conflict, message)
    }

    /// The input is wrong.
    pub fn invalid(message: impl Into<String>) -> Error {
        Error::new(Kind::Invalid, message)
    }

    /// Not now, but perhaps later; nothing was stored.
    pub fn unavailable(message: impl Into<String>) -> Error {
        Error::new(Kind::Unavailable, message)
    }

    /// Not now, since another transaction holds a lock that one item of the batch needs; nothing was stored. The
    /// other items may be tried without it.
    pub fn locked(message: impl Into<String>) -> Error {
        Error(Arc::new(Story {
            kind: Kind::Unavailable,
            message: message.into(),
            fields: Vec::new(),
            mark: Mark::Locked,
            source: None,
        }))
    }

    /// It is not known whether it was stored, since the answer to its commit was lost or was a fault: `Internal` as any
    /// fault is, and the only one after which a batch is sent again.
    pub fn unknown(message: impl Into<String>) -> Error {
        Error(Arc::new(Story {
            kind: Kind::Internal,
            message: message.into(),
            fields: Vec::new(),
            mark: Mark::Unknown,
            source: None,
        }))
    }

    /// The row has moved on from the version that its caller expected, and is at `rev` now: a `Conflict`.
    pub fn moved_on(message: impl Into<String>, rev: u64) -> Error {
        Error(Arc::new(Story {
            kind: Kind::Conflict,
            message: message.into(),
            fields: Vec::new(),
            mark: Mark::MovedOn(rev),
            source: None,
        }))
    }

    /// A fault in Punctual or in the store's data.
    pub fn internal(message: impl Into<String>) -> Error {
        Error::new(Kind::Internal, message)
    }

    /// The input is wrong at these fields; the message lists them all. `fields` is never empty.
    pub fn invalid_fields(fields: Vec<Field>) -> Error {
        let said: Vec<String> = fields
            .iter()
            .map(|field| format!("{}: {}", field.pointer, field.message))
            .collect();
        Error(Arc::new(Story {
            kind: Kind::Invalid,
            message: said.join("; "),
            fields,
            mark: Mark::None,
            source: None,
        }))
    }

    /// The input is wrong at one field.
    pub fn invalid_field(pointer: impl Into<String>, message: impl Into<String>) -> Error {
        Error::invalid_fields(vec![Field {
            pointer: pointer.into(),
            message: message.into(),
        }])
    }

    /// The same error with what caused it, which [`StdError::source`] tells.
    pub fn caused_by(self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        Error(Arc::new(Story {
            kind: self.0.kind,
            message: self.0.message.clone(),
            fields: self.0.fields.clone(),
            mark: self.0.mark,
            source: Some(source.into()),
        }))
    }

    /// What a program can do about it.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Whether another's lock was waited for in vain: see [`Error::locked`].
    pub fn is_locked(&self) -> bool {
        self.0.mark == Mark::Locked
    }

    /// Whether it may have been stored all the same: see [`Error::unknown`].
    pub fn is_unknown(&self) -> bool {
        self.0.mark == Mark::Unknown
    }

    /// The version that the row has, where it is another than was expected: see [`Error::moved_on`].
    pub fn version_there(&self) -> Option<u64> {
        match self.0.mark {
            Mark::MovedOn(rev) => Some(rev),
            Mark::None | Mark::Locked | Mark::Unknown => None,
        }
    }

    /// The fields of the input that were wrong; empty when the error is about no field.
    pub fn fields(&self) -> &[Field] {
        &self.0.fields
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.0.kind, self.0.message)?;
        match &self.0.source {
            Some(source) => write!(f, " ({source})"),
            None => Ok(()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}

/// Two errors are equal when they say the same; what caused them does not count.
impl PartialEq for Error {
    fn eq(&self, other: &Error) -> bool {
        self.0.kind == other.0.kind && self.0.message == other.0.message
    }
}

impl Eq for Error {}
