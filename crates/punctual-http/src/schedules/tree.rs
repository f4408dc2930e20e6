//! JSON as a tree of names, whose leaves are compared digit for digit.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde_json::value::RawValue;

/// A JSON value. Numbers stay as they were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tree {
    /// An object.
    Fields(BTreeMap<String, Tree>),
    /// A list.
    Items(Vec<Tree>),
    /// A text.
    Text(String),
    /// A number, true, false or null.
    Word(String),
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Tree, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let text = raw.get();
        let tree = match text.as_bytes().first() {
            Some(b'{') => serde_json::from_str(text).map(Tree::Fields),
            Some(b'[') => serde_json::from_str(text).map(Tree::Items),
            Some(b'"') => serde_json::from_str(text).map(Tree::Text),
            _ => Ok(Tree::Word(text.to_owned())),
        };
        tree.map_err(D::Error::custom)
    }
}

/// As JSON, on one line.
impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        match self {
            Tree::Word(word) => f.write_str(word),
            Tree::Text(text) => f.write_str(&quoted(text)),
            Tree::Items(items) => {
                let items: Vec<String> = items.iter().map(ToString::to_string).collect();
                write!(f, "[{}]", items.join(", "))
            }
            Tree::Fields(fields) => {
                let fields = fields.iter();
                let fields: Vec<String> = fields
                    .map(|(name, value)| format!("{}: {value}", quoted(name)))
                    .collect();
                write!(f, "{{{}}}", fields.join(", "))
            }
        }
    }
}
