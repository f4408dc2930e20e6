//! What a server answered, taken apart.

use redis::Value;

use crate::error::Error;

pub(super) fn array(value: Value) -> Result<Vec<Value>, Error> {
    match value {
        Value::Array(values) | Value::Set(values) => Ok(values),
        other => Err(strange(&other)),
    }
}

pub(super) fn bytes(value: Value) -> Result<Vec<u8>, Error> {
    bytes_if_any(value)?.ok_or_else(|| strange(&Value::Nil))
}

pub(super) fn bytes_if_any(value: Value) -> Result<Option<Vec<u8>>, Error> {
    match value {
        Value::BulkString(bytes) => Ok(Some(bytes)),
        Value::SimpleString(text) => Ok(Some(text.into_bytes())),
        Value::VerbatimString { text, .. } => Ok(Some(text.into_bytes())),
        Value::Okay => Ok(Some(b"OK".to_vec())),
        Value::Nil => Ok(None),
        other => Err(strange(&other)),
    }
}

pub(super) fn number(value: Value) -> Result<i64, Error> {
    match value {
        Value::Int(number) => Ok(number),
        other => {
            let text = String::from_utf8(bytes(other)?).ok();
            let number = text.and_then(|text| text.parse().ok());
            number.ok_or_else(|| strange(&Value::Nil))
        }
    }
}

/// Texts one after the other.
pub(super) fn list(value: Value) -> Result<Vec<Vec<u8>>, Error> {
    array(value)?.into_iter().map(bytes).collect()
}

/// A field of a hash, and its value.
type Field = (Vec<u8>, Vec<u8>);

/// The fields of a hash with their values.
pub(super) fn map(value: Value) -> Result<Vec<Field>, Error> {
    let Value::Map(fields) = value else {
        return Err(strange(&value));
    };
    let fields = fields.into_iter();
    fields
        .map(|(field, value)| Ok((bytes(field)?, bytes(value)?)))
        .collect()
}

/// An array of so many parts.
pub(super) fn parts<const N: usize>(value: Value) -> Result<[Value; N], Error> {
    let values = array(value)?;
    values.try_into().map_err(|_| strange(&Value::Nil))
}

/// Bytes of a fixed length, such as an id.
pub(super) fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Error> {
    bytes.try_into().map_err(|_| strange(&Value::Nil))
}

/// Exactly as many answers as were asked for.
pub(super) fn as_many<T>(answers: Vec<T>, asked: usize) -> Result<Vec<T>, Error> {
    if answers.len() == asked {
        Ok(answers)
    } else {
        Err(Error::internal(format!(
            "Redis gave {} answers to {asked} questions",
            answers.len()
        )))
    }
}

fn strange(value: &Value) -> Error {
    let what = match value {
        Value::Nil => "nothing, or something too short",
        Value::Int(_) => "a number",
        Value::BulkString(_) | Value::SimpleString(_) | Value::Okay => "a text",
        Value::Array(_) | Value::Set(_) => "a list",
        _ => "something else",
    };
    Error::internal(format!(
        "Redis gave an answer of another form than was asked for: {what}"
    ))
}
