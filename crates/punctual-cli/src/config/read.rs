//! Files, read within bounds.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The longest file of settings, in bytes: thousands of settings with their comments.
const DOCUMENT_BYTES: u64 = 1024 * 1024;
/// The longest file of a secret, in bytes: keys and tokens are far shorter.
const SECRET_BYTES: u64 = 64 * 1024;

/// The text of a file of settings.
pub(super) fn document(path: &Path) -> Result<String, String> {
    text(path, DOCUMENT_BYTES).map_err(|why| format!("{}: {why}", path.display()))
}

/// The text of a secret's file, without the end of its last line.
pub(super) fn secret(path: &Path) -> Result<String, String> {
    let text = text(path, SECRET_BYTES).map_err(|why| format!("{}: {why}", path.display()))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}

fn text(path: &Path, bytes: u64) -> Result<String, String> {
    let mut read = Vec::new();
    let file = File::open(path).map_err(|error| cannot(&error))?;
    file.take(bytes + 1)
        .read_to_end(&mut read)
        .map_err(|error| cannot(&error))?;
    if read.len() as u64 > bytes {
        return Err(format!("the file is longer than {bytes} bytes"));
    }
    String::from_utf8(read).map_err(|_| "the file is no text in UTF-8".to_owned())
}

fn cannot(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "the file may not be read".to_owned(),
        io::ErrorKind::IsADirectory => "it is a folder, and no file".to_owned(),
        _ => format!("the file cannot be read: {error}"),
    }
}
