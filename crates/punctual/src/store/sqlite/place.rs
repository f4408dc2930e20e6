//! The place of the file: whether what is open is still what is there, and whether it takes writes.
//!
//! A file that is removed while it is open can be read and written as before, until whoever has it open lets go: then all
//! of it is gone. So each transaction looks first whether the file is still at its place, which costs one stat(2)
//! beside the commit's sync. Whether the disk takes a write is known only by writing: a check asks how the last write
//! went, and writes a page of its own only where that is too long ago.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::fault::Fault;
use super::file;
use super::writing::Writing;
use crate::clock::Clock;
use crate::error::Error;
use crate::limits::{FILE_REFUSAL_KNOWN, WRITE_KNOWN};

/// Where a file was opened, and how its last write went.
pub(super) struct Place {
    path: PathBuf,
    clock: Arc<dyn Clock>,
    /// Device and inode.
    file: (u64, u64),
    written: Mutex<Written>,
}

/// How the last write went.
#[derive(Default)]
struct Written {
    refusal: Option<Error>,
    /// Up to which uptime that is taken for how the next one would go.
    known_until: Duration,
}

impl Place {
    /// The place of the file that is open at `path`.
    pub(super) fn of(path: PathBuf, clock: Arc<dyn Clock>) -> Result<Place, Error> {
        let found = fs::metadata(&path).map_err(|error| {
            let message = format!("the database {} cannot be looked at: {error}", path.display());
            Error::unavailable(message).caused_by(error)
        })?;
        Ok(Place {
            file: (found.dev(), found.ino()),
            path,
            clock,
            written: Mutex::default(),
        })
    }

    /// Refuses what would be written into a file that is gone. Where its place cannot be looked at, it is taken to be there.
    pub(super) fn is_there(&self) -> Result<(), Error> {
        let what = match fs::metadata(&self.path) {
            Ok(found) if (found.dev(), found.ino()) != self.file => "another file stands in its place",
            Err(error) if error.kind() == ErrorKind::NotFound => "it was removed or renamed",
            _ => return Ok(()),
        };
        Err(Error::unavailable(format!(
            "the database {} is no longer at its place: {what} while it was open; put it back, or restart all that use it; \
             nothing was stored",
            self.path.display()
        )))
    }

    /// A write was committed, or refused.
    pub(super) fn note(&self, written: &Result<(), Error>) {
        let refusal = written.as_ref().err().cloned();
        let known = if refusal.is_some() {
            FILE_REFUSAL_KNOWN
        } else {
            WRITE_KNOWN
        };
        *self.written() = Written {
            refusal,
            known_until: self.clock.uptime().saturating_add(known),
        };
    }

    /// How a write would go, or nothing where only a write can tell.
    pub(super) fn takes_writes(&self) -> Option<Result<(), Error>> {
        let written = self.written();
        (self.clock.uptime() < written.known_until).then(|| written.refusal.clone().map_or(Ok(()), Err))
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes one page, which stays as it is.
pub(super) fn try_to_write(writing: &Writing<'_>) -> Result<(), Fault> {
    writing.execute(&format!("pragma application_id = {}", file::APPLICATION), [])?;
    Ok(())
}
