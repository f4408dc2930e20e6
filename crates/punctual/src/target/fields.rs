//! Fields: reads a target's payload strictly, and tells all that is wrong with it at once.

use std::fmt;

use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::error::{Error, Field};

/// Where payloads stand in a job.
const ROOT: &str = "/payload";

/// The fields of one payload: each is taken once, and [`finish`](Fields::finish) refuses what nobody took.
pub(super) struct Fields {
    given: Members,
    wrong: Vec<Field>,
}

impl Fields {
    /// Reads the payload as a JSON object whose fields all have names of their own.
    pub(super) fn read(payload: &[u8]) -> Result<Fields, Error> {
        let given = serde_json::from_slice(payload).map_err(|error: serde_json::Error| {
            let why = match error.classify() {
                Category::Data if !is_object(payload) => "it must be a JSON object".to_owned(),
                Category::Data => without_place(&error),
                _ => format!("it is not JSON: {error}"),
            };
            Error::invalid_field(ROOT, why)
        })?;
        Ok(Fields {
            given,
            wrong: Vec::new(),
        })
    }

    /// Takes a field, if it is given and not null. `read` makes of it what it stands for, or says what is accepted.
    pub(super) fn optional<T: DeserializeOwned, U>(
        &mut self,
        name: &str,
        accepted: &str,
        read: impl FnOnce(T) -> Result<U, String>,
    ) -> Option<U> {
        let value = self.value(name).filter(|value| !is_null(value))?;
        let read = serde_json::from_str(value.get())
            .map_err(|_| format!("it must be {accepted}"))
            .and_then(read);
        read.map_err(|why| self.refuse(&[name], why)).ok()
    }

    /// Takes a field that must be given.
    pub(super) fn required<T: DeserializeOwned, U>(
        &mut self,
        name: &str,
        accepted: &str,
        read: impl FnOnce(T) -> Result<U, String>,
    ) -> Option<U> {
        if !self.has(name) {
            self.refuse(&[name], format!("it is missing: {accepted}"));
        }
        self.optional(name, accepted, read)
    }

    /// Takes a field as it is given: null, too.
    pub(super) fn value(&mut self, name: &str) -> Option<Box<RawValue>> {
        let at = self.given.0.iter().position(|(given, _)| given == name)?;
        Some(self.given.0.remove(at).1)
    }

    /// Whether this field is given, not null, and not yet taken.
    pub(super) fn has(&self, name: &str) -> bool {
        let mut given = self.given.0.iter();
        given.any(|(given, value)| given == name && !is_null(value))
    }

    /// Takes an object of texts, in the order in which they stand. `read` makes something of each, or says what is accepted.
    pub(super) fn texts<U>(
        &mut self,
        name: &str,
        read: impl FnMut(&str, String) -> Result<U, String>,
    ) -> Vec<U> {
        self.entries(name, "an object of texts", "a text", read)
    }

    /// Takes an object, in the order in which its members stand. `read` makes something of each, or says what is accepted.
    pub(super) fn entries<T: DeserializeOwned, U>(
        &mut self,
        name: &str,
        accepted: &str,
        each: &str,
        mut read: impl FnMut(&str, T) -> Result<U, String>,
    ) -> Vec<U> {
        let members: Option<Members> = self.optional(name, accepted, Ok);
        let mut entries = Vec::new();
        for (key, value) in members.map(|members| members.0).unwrap_or_default() {
            let value = serde_json::from_str(value.get()).map_err(|_| format!("it must be {each}"));
            match value.and_then(|value| read(&key, value)) {
                Ok(entry) => entries.push(entry),
                Err(why) => self.refuse(&[name, &key], why),
            }
        }
        entries
    }

    /// Notes what is wrong at a field, whose path is given in parts.
    pub(super) fn refuse(&mut self, path: &[&str], why: impl Into<String>) {
        self.wrong.push(Field {
            pointer: pointer(path),
            message: why.into(),
        });
    }

    /// Ends the reading: fails with all that was wrong, and with the fields that nobody took.
    pub(super) fn finish<T>(mut self, known: &str, made: Option<T>) -> Result<T, Error> {
        for (name, _) in std::mem::take(&mut self.given.0) {
            self.refuse(&[&name], format!("there is no such field; there are {known}"));
        }
        match made {
            Some(made) if self.wrong.is_empty() => Ok(made),
            _ => Err(Error::invalid_fields(self.wrong)),
        }
    }
}

fn is_null(value: &RawValue) -> bool {
    value.get() == "null"
}

fn is_object(payload: &[u8]) -> bool {
    payload.trim_ascii_start().starts_with(b"{")
}

/// What an error says, without its line and column.
fn without_place(error: &serde_json::Error) -> String {
    let story = error.to_string();
    story
        .rsplit_once(" at line ")
        .map_or(story.clone(), |(story, _)| story.to_owned())
}

/// The JSON pointer (RFC 6901) to a field of the payload.
pub(super) fn pointer(path: &[&str]) -> String {
    let parts = path.iter().map(|part| part.replace('~', "~0").replace('/', "~1"));
    parts.fold(ROOT.to_owned(), |whole, part| format!("{whole}/{part}"))
}

/// The members of a JSON object in their order, none of them twice.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members: Vec<(String, Box<RawValue>)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, _>()? {
                    members.push((name, value));
                }
                let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
                names.sort_unstable();
                match names.windows(2).find(|pair| pair[0] == pair[1]) {
                    Some(pair) => Err(serde::de::Error::custom(format!("{:?} is given twice", pair[0]))),
                    None => Ok(Members(members)),
                }
            }
        }

        deserializer.deserialize_map(Reader)
    }
}
