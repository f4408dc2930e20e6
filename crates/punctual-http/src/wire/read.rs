//! Reads a request's body and says where it is wrong.

use std::fmt;
use std::marker::PhantomData;

use http::StatusCode;
use punctual::limits::FLUSH_ITEMS;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, IgnoredAny, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;
use serde_path_to_error::{Path, Segment};

use super::story::{Story, retell};
use crate::problem::{Fault, Problem};

/// The value that a JSON object tells. What is no JSON, or nests deeper than 128, is a problem with status 400; JSON that
/// does not fit is one with status 422 that points at the place.
pub fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let text = std::str::from_utf8(body).map_err(|error| {
        let place = error.valid_up_to();
        Problem::new(
            StatusCode::BAD_REQUEST,
            format!("the body is not UTF-8 text: see byte {place}"),
        )
    })?;
    let mut json = serde_json::Deserializer::from_str(text);
    let Object(value) = serde_path_to_error::deserialize(&mut json)
        .map_err(|error| refuse(&pointer(error.path()), error.inner()))?;
    json.end().map_err(|error| refuse("", &error))?;
    Ok(value)
}

/// A value that is read from a JSON object only: a derived reader also takes an array, with its fields by position, which
/// nobody promised and nobody would want to keep.
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Object<T>, D::Error> {
        struct FromMap<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for FromMap<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }

        deserializer.deserialize_map(FromMap(PhantomData)).map(Object)
    }
}

/// Reads an [`Object`].
pub(super) fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Object::deserialize(deserializer).map(|Object(value)| value)
}

/// Reads a list of [`Object`]s; null is an empty one. Of one that is too long for a batch, no more is kept than tells so: its
/// values take many times the room of their text.
pub(super) fn objects<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    let list: Option<Bounded<T>> = Option::deserialize(deserializer)?;
    Ok(list.map(|Bounded(values)| values).unwrap_or_default())
}

struct Bounded<T>(Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Bounded<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Bounded<T>, D::Error> {
        struct FromSeq<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for FromSeq<T> {
            type Value = Vec<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
                let mut values = Vec::new();
                while values.len() <= FLUSH_ITEMS {
                    match list.next_element()? {
                        Some(Object(value)) => values.push(value),
                        None => return Ok(values),
                    }
                }
                while let Some(IgnoredAny) = list.next_element()? {}
                Ok(values)
            }
        }

        deserializer.deserialize_seq(FromSeq(PhantomData)).map(Bounded)
    }
}

/// Reads an [`Object`], where there may be none.
pub(super) fn optional_object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let object: Option<Object<T>> = Option::deserialize(deserializer)?;
    Ok(object.map(|Object(value)| value))
}

/// Reads a field where there may be none, and tells one that is null from one that is not there.
pub(super) fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Reads an [`Object`], where there may be none; null is not one.
pub(super) fn given_object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    object(deserializer).map(Some)
}

/// Reads null as what is there when nothing is given.
pub(super) fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Reads one of a few words from a text only: a derived reader also takes an object with the word as its one field.
pub(super) fn word<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    T::deserialize(String::deserialize(deserializer)?.into_deserializer())
}

/// As [`word`], where there may be none.
pub(super) fn optional_word<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let text: Option<String> = Option::deserialize(deserializer)?;
    text.map(|text| T::deserialize(text.into_deserializer()))
        .transpose()
}

/// What went wrong, without the place, which is said apart.
pub(super) fn story(error: &serde_json::Error) -> String {
    let place = format!(" at line {} column {}", error.line(), error.column());
    let story = error.to_string();
    story.strip_suffix(&place).unwrap_or(&story).to_owned()
}

fn refuse(pointer: &str, error: &serde_json::Error) -> Problem {
    if error.classify() != Category::Data {
        return Problem::new(StatusCode::BAD_REQUEST, format!("the body is not JSON: {error}"));
    }
    let Story { field, text } = retell(&story(error));
    let pointer = match field {
        Some(field) => format!("{pointer}/{}", escape(&field)),
        None => pointer.to_owned(),
    };
    let place = if pointer.is_empty() { "the body" } else { &pointer };
    let mut problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, format!("{place}: {text}"));
    problem.errors.push(Fault {
        pointer: Some(pointer),
        parameter: None,
        detail: text,
    });
    problem
}

/// The JSON pointer (RFC 6901) of a path; the whole document's is empty.
fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => pointer.push_str(&format!("/{}", escape(key))),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}

fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only the errors are looked at")]
    struct Outer {
        inner: Option<Inner>,
        list: Option<Vec<u8>>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only the errors are looked at")]
    struct Inner {
        #[serde(rename = "a/b")]
        slash: Option<u8>,
    }

    fn wrong(body: &[u8]) -> (u16, Option<String>) {
        let problem = read::<Outer>(body).expect_err("it should be refused");
        (
            problem.status,
            problem.errors.into_iter().next().and_then(|fault| fault.pointer),
        )
    }

    #[test]
    fn a_body_that_does_not_fit_is_pointed_at() {
        assert_eq!(
            wrong(br#"{"inner": {"a/b": "x"}}"#),
            (422, Some("/inner/a~1b".to_owned()))
        );
        assert_eq!(
            wrong(br#"{"list": [1, 2, {}]}"#),
            (422, Some("/list/2".to_owned()))
        );
        assert_eq!(wrong(br#"{"colour": 1}"#), (422, Some("/colour".to_owned())));
        assert_eq!(
            wrong(br#"{"inner": {"colour": 1}}"#),
            (422, Some("/inner/colour".to_owned()))
        );
        assert_eq!(wrong(b"[]"), (422, Some(String::new())));
    }

    #[test]
    fn a_body_that_is_no_json_is_refused_as_a_whole() {
        for body in [&b""[..], b"{", b"{} {}", b"\xff", b"{\"list\": [01]}"] {
            assert_eq!(wrong(body), (400, None), "{body:?}");
        }
    }
}
