//! JSON from the command line, from a file, or from the input.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};

use punctual::limits::PAYLOAD_BYTES_MAX;
use serde_json::value::RawValue;

use crate::failure::Failure;

/// The JSON that `text` is, or that stands in the file named after `@`; `@-` is the input. `flag` is for messages.
pub(in crate::job) fn json(flag: &str, text: &str) -> Result<Box<RawValue>, Failure> {
    let text = self::text(flag, text)?;
    serde_json::from_str(text.trim()).map_err(|error| {
        Failure::usage(format!(
            "{flag}: this is not JSON: {error}; a text needs quotes of its own, as in '\"text\"'"
        ))
    })
}

/// The text, or what stands in the file named after `@`; `@-` is the input. `flag` is for messages.
pub(in crate::job) fn text<'a>(flag: &str, text: &'a str) -> Result<Cow<'a, str>, Failure> {
    let Some(file) = text.strip_prefix('@') else {
        return Ok(Cow::Borrowed(text));
    };
    let read = contents(file);
    read.map(Cow::Owned)
        .map_err(|error| Failure::usage(format!("{flag}: cannot read {file}: {error}")))
}

/// Values by their names, each of which may be given once: of two, one would be lost without a word.
pub(in crate::job) fn by_name<'a, T>(
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

fn contents(file: &str) -> io::Result<String> {
    match file {
        "-" => bounded(io::stdin()),
        file => bounded(File::open(file)?),
    }
}

/// No payload is larger, whatever the server allows.
fn bounded(from: impl Read) -> io::Result<String> {
    let most = PAYLOAD_BYTES_MAX as u64;
    let mut text = String::new();
    if from.take(most + 1).read_to_string(&mut text)? as u64 > most {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "it is larger than any payload may be",
        ));
    }
    Ok(text)
}
