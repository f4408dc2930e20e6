//! Statuses: the codes that a job names.

use std::fmt;
use std::str::FromStr;

use serde::ser::{Serialize, Serializer};

use crate::target::fields::Fields;
use crate::target::verdict::Codes;

/// Status codes: one, or a hundred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::target::http) enum Statuses {
    /// This one.
    Code(u16),
    /// All of a hundred: 2 stands for `2xx`.
    Class(u16),
}

impl Codes for Statuses {
    fn holds(self, status: u16) -> bool {
        match self {
            Statuses::Code(code) => code == status,
            Statuses::Class(class) => class == status / 100,
        }
    }

    fn is_one(self) -> bool {
        matches!(self, Statuses::Code(_))
    }

    fn meets(self, other: Statuses) -> bool {
        match other {
            Statuses::Code(code) => self.holds(code),
            Statuses::Class(_) => self == other,
        }
    }
}

impl fmt::Display for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Statuses::Code(code) => write!(f, "{code}"),
            Statuses::Class(class) => write!(f, "{class}xx"),
        }
    }
}

impl FromStr for Statuses {
    type Err = String;

    fn from_str(text: &str) -> Result<Statuses, String> {
        let refuse = || "it must be a status code from 200 to 599, or a class such as \"2xx\"".to_owned();
        let (number, accepted): (&str, fn(u16) -> Statuses) = match text.strip_suffix("xx") {
            Some(class) => (class, Statuses::Class),
            None => (text, Statuses::Code),
        };
        let number: u16 = number.parse().map_err(|_| refuse())?;
        let accepted = accepted(number);
        let in_range = (200..600).any(|status| accepted.holds(status));
        if in_range { Ok(accepted) } else { Err(refuse()) }
    }
}

impl Serialize for Statuses {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Statuses::Code(code) => serializer.serialize_u16(*code),
            Statuses::Class(_) => serializer.collect_str(self),
        }
    }
}

/// Takes the statuses that mean success, if they are given.
pub(super) fn read_accept(fields: &mut Fields) -> Vec<Statuses> {
    const LIST: &str = "a list of status codes and classes, such as [\"2xx\", 404]";
    let accept = fields.optional("accept", LIST, |list: Vec<serde_json::Value>| {
        let texts = list.iter().map(|item| match item {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        });
        let accept: Vec<Statuses> = texts.map(|text| text.parse()).collect::<Result<_, _>>()?;
        if accept.is_empty() {
            Err(format!("it must be {LIST}"))
        } else {
            Ok(accept)
        }
    });
    accept.unwrap_or_default()
}
