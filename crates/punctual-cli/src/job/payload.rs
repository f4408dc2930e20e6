//! JSON from the command line, from a file, or from the input.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};

use punctual::limits::PAYLOAD_BYTES_MAX;
use serde_json::value::RawValue;

use crate::failure::Failure;

/// The JSON that `text` is, or that stands in the file named after `@`; `@-` is the input. `flag` is for messages.
pub(in crate::job) fn json(flag: &str, text: &str) -> Result<Box<RawValue>, Failure> {
    let read;
    let text = match text.strip_prefix('@') {
        None => text,
        Some(file) => {
            read = contents(file)
                .map_err(|error| Failure::usage(format!("{flag}: cannot read {file}: {error}")))?;
            &read
        }
    };
    serde_json::from_str(text.trim()).map_err(|error| {
        Failure::usage(format!(
            "{flag}: this is not JSON: {error}; a text needs quotes of its own, as in '\"text\"'"
        ))
    })
}

/// Values by their names, each of which may be given once: of two, one would be lost without a word.
pub(in crate::job) fn by_name<'a>(
    option: &str,
    pairs: &'a [(String, String)],
) -> Result<BTreeMap<&'a str, &'a str>, Failure> {
    let mut values = BTreeMap::new();
    for (name, value) in pairs {
        if values.insert(name.as_str(), value.as_str()).is_some() {
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
