//! What can go wrong with a SQLite file, in words that say what to do about it.
//!
//! `Unavailable` is promised only where nothing was written for sure. A transaction that fails before its commit was
//! rolled back; one that fails in the commit may or may not stand, but for the cases that [`of_commit`] knows.
//! SQLite's result codes: <https://www.sqlite.org/rescode.html>.

use std::fs::File;

use rusqlite::ffi::{self, ErrorCode};
use rustix::io::Errno;

use crate::error::{Error, Kind};

/// Why a verb, or a part of it, did not happen.
#[derive(Debug)]
pub(super) enum Fault {
    /// SQLite says so.
    Database(rusqlite::Error),
    /// We say so.
    Told(Error),
}

impl Fault {
    /// Whether it lies in what a row holds, and not in how the file could be read: other rows can be read in spite of it.
    pub(super) fn is_of_a_row(&self) -> bool {
        match self {
            Fault::Told(error) => error.kind() == Kind::Internal,
            Fault::Database(error) => matches!(
                error,
                rusqlite::Error::FromSqlConversionFailure(..)
                    | rusqlite::Error::IntegralValueOutOfRange(..)
                    | rusqlite::Error::InvalidColumnType(..)
                    | rusqlite::Error::Utf8Error(..)
            ),
        }
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Fault {
        Fault::Database(error)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        Fault::Told(error)
    }
}

/// The error of a verb whose transaction, or part of it, was rolled back.
impl From<Fault> for Error {
    fn from(fault: Fault) -> Error {
        match fault {
            Fault::Told(error) => error,
            Fault::Database(error) => {
                let (kind, message) = explain(&error);
                Error::new(kind, message).caused_by(error)
            }
        }
    }
}

/// The error of a commit. The last thing that it writes into the log is the frame that makes the transaction valid, so
/// that after a write that failed there is none; after any other fault, such as a failed sync, the next start may
/// find one.
pub(super) fn of_commit(error: rusqlite::Error) -> Error {
    let failure = error.sqlite_error().copied();
    match failure.map(|failure| (failure.code, failure.extended_code)) {
        Some((ErrorCode::DiskFull | ErrorCode::DatabaseBusy, _) | (_, ffi::SQLITE_IOERR_WRITE)) => {
            Fault::Database(error).into()
        }
        _ => {
            let (_, message) = explain(&error);
            Error::unknown(format!(
                "it is not known whether this was stored, since its commit failed: {message}"
            ))
            .caused_by(error)
        }
    }
}

fn explain(error: &rusqlite::Error) -> (Kind, String) {
    let Some(failure) = error.sqlite_error() else {
        return (Kind::Internal, format!("a fault in the SQLite store: {error}"));
    };
    match failure.code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => (
            Kind::Unavailable,
            "the database file is locked: another process, a backup, or an open transaction of your own holds it"
                .to_owned(),
        ),
        ErrorCode::DiskFull => (
            Kind::Unavailable,
            "the disk is full, or the database file may not grow any more; nothing was stored".to_owned(),
        ),
        ErrorCode::SystemIoFailure if failure.extended_code == ffi::SQLITE_IOERR_WRITE => (
            Kind::Unavailable,
            "the machine refused to write the database file: its disk fails, or a limit on the size of files \
             (ulimit -f) is reached; nothing was stored"
                .to_owned(),
        ),
        ErrorCode::ReadOnly => (
            Kind::Unavailable,
            "the database file or its folder is read-only for this process; nothing was stored".to_owned(),
        ),
        ErrorCode::CannotOpen if lacks_descriptors() => (
            Kind::Unavailable,
            "the database file cannot be opened: this process, or the machine, has too many open files (ulimit -n)"
                .to_owned(),
        ),
        ErrorCode::CannotOpen => (
            Kind::Unavailable,
            "the database file cannot be opened: look at its path and permissions".to_owned(),
        ),
        ErrorCode::DatabaseCorrupt => (
            Kind::Internal,
            "the database file is damaged: stop all that use it and restore it from a backup".to_owned(),
        ),
        ErrorCode::NotADatabase => (Kind::Invalid, "the file is not a SQLite database".to_owned()),
        ErrorCode::SystemIoFailure => (
            Kind::Internal,
            format!(
                "the machine could not read or write the database file (SQLite {})",
                name_of_io(failure)
            ),
        ),
        _ => (Kind::Internal, format!("a fault in the SQLite store: {error}")),
    }
}

/// Whether there are not as many descriptors as a connection needs: one for the database, its log and its index each. SQLite
/// does not tell why it could not open a file, and has closed the others by then.
fn lacks_descriptors() -> bool {
    const NEEDED: usize = 3;
    let short = [Errno::MFILE, Errno::NFILE].map(|errno| Some(errno.raw_os_error()));
    let mut held = Vec::with_capacity(NEEDED);
    for _ in 0..NEEDED {
        match File::open("/dev/null") {
            Ok(file) => held.push(file),
            Err(error) => return short.contains(&error.raw_os_error()),
        }
    }
    false
}

/// An input or output error has a number that says at which step.
fn name_of_io(failure: &ffi::Error) -> String {
    format!(
        "extended code {}: {}",
        failure.extended_code,
        ffi::code_to_str(failure.extended_code)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_commit_with(code: i32) -> Error {
        of_commit(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None))
    }

    #[test]
    fn only_a_commit_that_surely_wrote_nothing_may_be_tried_again_as_if_nothing_was() {
        for code in [ffi::SQLITE_FULL, ffi::SQLITE_BUSY, ffi::SQLITE_IOERR_WRITE] {
            assert_eq!(of_commit_with(code).kind(), Kind::Unavailable, "{code}");
        }
        for code in [
            ffi::SQLITE_IOERR_FSYNC,
            ffi::SQLITE_IOERR,
            ffi::SQLITE_READONLY,
            ffi::SQLITE_CORRUPT,
            ffi::SQLITE_INTERRUPT,
        ] {
            let error = of_commit_with(code);
            assert_eq!(error.kind(), Kind::Internal, "{code}");
            assert!(error.to_string().contains("not known whether"), "{error}");
        }
    }
}
