//! Files and the standard input, read within bounds; and in plain words why one cannot be read.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::failure::story;

/// What a file holds, unless it is more than so many bytes.
pub(crate) fn file(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    within(File::open(path).map_err(|error| why(&error))?, most)
}

/// All that there is to read, unless it is more than so many bytes.
pub(crate) fn within(from: impl Read, most: u64) -> Result<Vec<u8>, String> {
    let mut read = Vec::new();
    from.take(most + 1)
        .read_to_end(&mut read)
        .map_err(|error| why(&error))?;
    match read.len() as u64 > most {
        true => Err(format!("it is longer than {most} bytes")),
        false => Ok(read),
    }
}

/// Why something cannot be read.
pub(crate) fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "the file may not be read".to_owned(),
        io::ErrorKind::IsADirectory => "it is a folder, and no file".to_owned(),
        _ => format!("it cannot be read: {}", story(error)),
    }
}
