//! What a job is given: from the command line, from a file, or from the input.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use punctual::limits::PAYLOAD_BYTES_MAX;
use serde_json::value::RawValue;

use crate::failure::Failure;
use crate::input;

/// The JSON that `text` is, or that stands in the file named after `@`; `@-` is the input. `flag` is for messages.
pub(crate) fn json(flag: &str, text: &str) -> Result<Box<RawValue>, Failure> {
    let read = bytes(flag, text)?;
    serde_json::from_slice(read.trim_ascii()).map_err(|error| {
        Failure::usage(format!(
            "{flag}: this is not JSON: {error}; a text needs quotes of its own, as in '\"text\"'"
        ))
    })
}

/// What is to be sent as it stands, in the one of two forms that fits it.
pub(crate) struct Content<'a> {
    /// A text.
    pub(crate) text: Option<Cow<'a, str>>,
    /// Bytes that are no text, in base64.
    pub(crate) base64: Option<String>,
}

/// What `text` says, or what stands in the file named after `@`; `@-` is the input. `flag` is for messages.
pub(crate) fn content<'a>(flag: &str, text: Option<&'a str>) -> Result<Content<'a>, Failure> {
    let mut content = Content {
        text: None,
        base64: None,
    };
    match text.map(|text| bytes(flag, text)).transpose()? {
        None => {}
        Some(Cow::Borrowed(_)) => content.text = text.map(Cow::Borrowed),
        Some(Cow::Owned(read)) => match String::from_utf8(read) {
            Ok(read) => content.text = Some(Cow::Owned(read)),
            Err(error) => content.base64 = Some(BASE64_STANDARD.encode(error.as_bytes())),
        },
    }
    Ok(content)
}

/// Values by their names, each of which may be given once: of two, one would be lost without a word.
pub(crate) fn by_name<'a, T>(
    option: &str,
    pairs: &'a [(String, T)],
) -> Result<BTreeMap<&'a str, &'a T>, Failure> {
    let mut values = BTreeMap::new();
    for (name, value) in pairs {
        if values.insert(name.as_str(), value).is_some() {
            return Err(Failure::usage(format!("{option}: {name} is given twice")));
        }
    }
    Ok(values)
}

/// No payload is larger than is read, whatever the server allows.
fn bytes<'a>(flag: &str, text: &'a str) -> Result<Cow<'a, [u8]>, Failure> {
    let most = PAYLOAD_BYTES_MAX as u64;
    let read = match text.strip_prefix('@') {
        None => return Ok(Cow::Borrowed(text.as_bytes())),
        Some("-") => input::within(io::stdin(), most),
        Some(file) => input::file(Path::new(file), most),
    };
    let file = &text[1..];
    read.map(Cow::Owned).map_err(|why| {
        Failure::usage(format!(
            "{flag}: {}: {why}",
            if file == "-" { "the input" } else { file }
        ))
    })
}
