//! Files of settings and of secrets.

use std::path::Path;

use crate::input;

/// The longest file of settings, in bytes: thousands of settings with their comments.
const DOCUMENT_BYTES: u64 = 1024 * 1024;
/// The longest file of a secret, in bytes: keys and tokens are far shorter.
const SECRET_BYTES: u64 = 64 * 1024;

/// The text of a file of settings.
pub(super) fn document(path: &Path) -> Result<String, String> {
    text(path, DOCUMENT_BYTES)
}

/// The text of a secret's file, without the end of its last line.
pub(super) fn secret(path: &Path) -> Result<String, String> {
    let text = text(path, SECRET_BYTES)?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}

fn text(path: &Path, most: u64) -> Result<String, String> {
    let read = input::file(path, most)
        .and_then(|read| String::from_utf8(read).map_err(|_| "the file is no text in UTF-8".to_owned()));
    read.map_err(|why| format!("{}: {why}", path.display()))
}
