//! A copy of the file, made while others go on writing.
//!
//! The copy is of one instant: its connection holds a snapshot from the first page to the last. So those who write wait for
//! nothing, and SQLite, which starts a copy over when its source changes under it, never has to
//! (<https://www.sqlite.org/backup.html>). Meanwhile the write-ahead log cannot begin anew, and grows. Before it comes to the bound
//! at which writes are refused, the copy is given up: work that goes on is worth more than a backup.
//!
//! It is written under another name, checked, and only then given the name that was asked for: whoever finds a file of that
//! name finds a whole one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::fault::Fault;
use super::{file, integrity};
use crate::error::Error;
use crate::limits;

/// Copies the database at `from` to the new file `to`, or to one that it replaces. Answers its length in bytes.
pub(super) fn back_up(from: &Path, to: &Path, replace: bool) -> Result<u64, Error> {
    file::expect_at(from)?;
    let source = file::connect_to_read(from)?;
    file::recognise(&source)?;
    check_target(from, to, replace)?;
    let part = Part::create(to)?;
    let mut target = file::connect(&part.0)?;
    copy(&source, &mut target, &LogWatch::of(from, &source)?)?;
    drop(source);
    check(&target)?;
    target
        .close()
        .map_err(|(_, error)| Error::from(Fault::Database(error)))?;
    part.rename(to, replace)
}

/// Refuses to write over what is there, unless it may be replaced; over the database itself, or one that is in use, always.
fn check_target(from: &Path, to: &Path, replace: bool) -> Result<(), Error> {
    let there = match to.try_exists() {
        Ok(there) => there,
        Err(error) => return Err(cannot(to, error)),
    };
    if there && fs::canonicalize(from).ok() == fs::canonicalize(to).ok() {
        return Err(Error::invalid("a backup cannot be written over its own database"));
    }
    if there && !replace {
        return Err(taken(to));
    }
    if file::log_of(to).exists() {
        return Err(Error::conflict(format!(
            "{} has a write-ahead log beside it, so it is a database in use; name another file",
            to.display()
        )));
    }
    Ok(())
}

fn copy(source: &Connection, target: &mut Connection, log: &LogWatch) -> Result<(), Fault> {
    // From the first read on, the transaction is a snapshot.
    let snapshot = source.unchecked_transaction()?;
    snapshot.pragma_query_value(None, "schema_version", |_| Ok(()))?;
    let backup = Backup::new(&snapshot, target)?;
    loop {
        log.check()?;
        match backup.step(limits::BACKUP_PAGES)? {
            StepResult::Done => return Ok(()),
            StepResult::More => {}
            // Nobody else knows the copy, and the snapshot is held: somebody opened the copy by hand.
            _ => {
                return Err(Fault::Told(Error::unavailable(
                    "another program has locked the copy",
                )));
            }
        }
    }
}

/// How far the source's log may grow while it is held.
struct LogWatch {
    log: PathBuf,
    /// In bytes.
    longest: u64,
}

impl LogWatch {
    fn of(from: &Path, source: &Connection) -> Result<LogWatch, Fault> {
        let page: u32 = source.pragma_query_value(None, "page_size", |row| row.get(0))?;
        Ok(LogWatch {
            log: file::log_of(&fs::canonicalize(from).unwrap_or_else(|_| from.to_owned())),
            longest: u64::from(page) * u64::from(limits::BACKUP_LOG_PAGES_MAX),
        })
    }

    fn check(&self) -> Result<(), Fault> {
        // No log, and one that cannot be looked at, hold nobody up: whoever writes measures it, too.
        let long = fs::metadata(&self.log).map_or(0, |log| log.len());
        if long < self.longest {
            return Ok(());
        }
        Err(Fault::Told(Error::unavailable(format!(
            "the backup was given up, and nothing was written: while one is made, the write-ahead log cannot begin anew, and \
             it has grown to {} MiB; soon it would have come to its bound, where the store refuses to write. Try again when \
             less is written, or on a faster disk; if nothing else reads the database for long, the log is short again \
             within moments",
            long / (1024 * 1024)
        ))))
    }
}

/// Has SQLite read all of the copy, and makes it a single file, without the log that its source keeps.
fn check(target: &Connection) -> Result<(), Fault> {
    let mode: String = target.pragma_update_and_check(None, "journal_mode", "delete", |row| row.get(0))?;
    let damage = integrity::damage(target)?;
    if mode == "delete" && damage.is_none() {
        return Ok(());
    }
    let found = damage.unwrap_or_else(|| format!("its journal mode is {mode}"));
    Err(Fault::Told(Error::internal(format!(
        "the copy is not a whole database ({found}); check the disks of both files. Nothing was written"
    ))))
}

/// A file that is being written. Dropped, it is deleted.
struct Part(PathBuf);

impl Part {
    fn create(to: &Path) -> Result<Part, Error> {
        let mut name = to.as_os_str().to_owned();
        name.push(".part");
        let part = PathBuf::from(name);
        let created = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&part);
        match created {
            Ok(_) => Ok(Part(part)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(Error::conflict(format!(
                "{} is there: another backup is writing it, or one was killed; then delete it",
                part.display()
            ))),
            Err(error) => Err(cannot(to, error)),
        }
    }

    /// Gives it its name, for good: the folder is synced, too.
    fn rename(self, to: &Path, replace: bool) -> Result<u64, Error> {
        let named = match replace {
            true => fs::rename(&self.0, to),
            // A rename would replace a file that came meanwhile.
            false => fs::hard_link(&self.0, to),
        };
        match named {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(taken(to)),
            named => named.map_err(|error| cannot(to, error))?,
        }
        let sync = || -> io::Result<u64> {
            let folder = std::path::absolute(to)?;
            File::open(folder.parent().unwrap_or(&folder))?.sync_all()?;
            Ok(fs::metadata(to)?.len())
        };
        sync().map_err(|error| cannot(to, error))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Renamed, it is not there any more; otherwise the next backup tells of it.
        let _ = fs::remove_file(&self.0);
    }
}

fn taken(to: &Path) -> Error {
    Error::conflict(format!("{} is there already; it was left as it is", to.display()))
}

fn cannot(to: &Path, error: io::Error) -> Error {
    Error::unavailable(format!("cannot write {}: {error}", to.display())).caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    /// With a bound of a few bytes, since most of a gigabyte takes long to write.
    #[test]
    fn a_copy_is_given_up_before_the_log_that_it_holds_comes_to_its_bound() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let path = file::prepare(&folder.path().join("jobs.db")).expect("the file can be made");
        let writer = file::connect(&path).expect("the file opens");
        let source = file::connect_to_read(&path).expect("the file opens");
        let mut log = LogWatch::of(&path, &source).expect("the file can be read");
        let target = || Connection::open_in_memory().expect("there is memory");
        copy(&source, &mut target(), &log).expect("the log is short");
        log.longest = 64 * 1024;
        writer
            .execute_batch("create table rows (row blob); insert into rows values (zeroblob(65536))")
            .expect("it is ours");
        let given_up = copy(&source, &mut target(), &log).expect_err("the log is long");
        let error = Error::from(given_up);
        assert_eq!(error.kind(), Kind::Unavailable);
        assert!(error.to_string().contains("given up"), "{error}");
    }
}
