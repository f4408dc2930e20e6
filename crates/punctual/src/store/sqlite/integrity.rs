//! Whether a file is whole, from the first page to the last.

use rusqlite::Connection;

use super::fault::Fault;
use crate::error::Error;

/// Fails if the file is damaged.
pub(super) fn check(connection: &Connection) -> Result<(), Fault> {
    match damage(connection)? {
        None => Ok(()),
        Some(damage) => Err(Fault::Told(Error::internal(format!(
            "the database file is damaged ({damage}): stop all that use it and restore it from a backup"
        )))),
    }
}

/// Has SQLite read all of the database, and compare its tables with their indexes. Answers what it found wrong first.
///
/// That is its integrity check and not the quick one, which compares nothing: what a backup would refuse is to be found
/// before one is made.
pub(super) fn damage(connection: &Connection) -> Result<Option<String>, Fault> {
    let found: String = connection.pragma_query_value(None, "integrity_check", |row| row.get(0))?;
    if found == "ok" {
        return Ok(None);
    }
    // The first line may be a headline.
    let lines = found.lines().filter(|line| !line.starts_with("***"));
    Ok(Some(lines.collect::<Vec<_>>().join("; ")))
}
