//! The write-ahead log: kept short, off the path of those who write.
//!
//! Commits are appended to the log; a checkpoint copies its pages into the database file, and a log that was copied
//! wholly begins anew with the next write. Copying takes tens of milliseconds, and while it goes on the log grows. So
//! once the log is long, a thread of its own copies the bulk while the writer goes on, and then the writer copies the
//! small rest between two transactions and begins the log anew; in a rush it waits for the copy. Only a reader of long
//! breath can keep it from that: the log then grows up to a second bound, beyond which writes are refused.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;

use super::fault::Fault;
use super::file;
use super::writer::no_thread;
use crate::error::Error;
use crate::limits;

/// The log as its writer sees it. Dropped, it ends the thread that copies.
pub(super) struct Log {
    /// Pages in it after the last transaction.
    pages: u32,
    /// At how many pages it is copied.
    copy_at: u32,
    /// From how many pages on writes are refused.
    full_at: u32,
    /// A copy was asked for, and not yet heard of.
    asked: bool,
    wake: Option<SyncSender<()>>,
    copied: Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

impl Log {
    /// Opens the connection that copies, and starts its thread.
    pub(super) fn open(path: &Path) -> Result<Log, Error> {
        let connection = file::connect(path)?;
        let (wake, woken) = sync_channel(1);
        let (done, copied) = sync_channel(1);
        let thread = thread::Builder::new()
            .name("punctual-log".to_owned())
            .spawn(move || {
                while woken.recv().is_ok() {
                    report(checkpoint(&connection, "pragma wal_checkpoint(passive)"));
                    if done.send(()).is_err() {
                        break;
                    }
                }
            })
            .map_err(no_thread)?;
        Ok(Log {
            pages: 0,
            copy_at: limits::FILE_LOG_PAGES,
            full_at: limits::FILE_LOG_PAGES_MAX,
            asked: false,
            wake: Some(wake),
            copied,
            thread: Some(thread),
        })
    }

    /// Looks after the log once a transaction has ended.
    pub(super) fn tend(&mut self, connection: &mut Connection) {
        let measured = report(checkpoint(connection, "pragma wal_checkpoint(noop)"));
        self.pages = measured.map_or(self.pages, |state| state.pages);
        if self.pages < self.copy_at {
            return;
        }
        if !self.asked {
            self.asked = self.wake.as_ref().is_some_and(|wake| wake.try_send(()).is_ok());
        } else if self.is_copied() {
            self.asked = false;
            self.begin_anew(connection);
        }
    }

    /// Whether the copy that was asked for is made. A log that grows faster than it can be copied is waited for.
    fn is_copied(&self) -> bool {
        if self.pages < limits::FILE_LOG_PAGES_IN_A_RUSH {
            self.copied.try_recv().is_ok()
        } else {
            self.copied.recv().is_ok()
        }
    }

    /// Refuses to let the log grow beyond its bound.
    pub(super) fn has_room(&mut self, connection: &mut Connection) -> Result<(), Error> {
        if self.pages < self.full_at {
            return Ok(());
        }
        self.begin_anew(connection);
        if self.pages < self.full_at {
            return Ok(());
        }
        Err(Error::unavailable(
            "the write-ahead log has reached its bound, since another connection has been reading for so long that the \
             log cannot begin anew: end that read; nothing was stored",
        ))
    }

    /// Copies what is left, waits a little for those who read, and lets the next transaction write at the log's
    /// beginning. If that cannot be, the next try comes when the log has grown by as much again.
    fn begin_anew(&mut self, connection: &mut Connection) {
        let state = patiently(connection, |connection| {
            checkpoint(connection, "pragma wal_checkpoint(restart)")
        });
        if let Some(state) = report(state) {
            self.pages = if state.busy { state.pages } else { 0 };
        }
        self.copy_at = self.pages.saturating_add(limits::FILE_LOG_PAGES);
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            // A panic in it was reported when it happened.
            let _ = thread.join();
        }
    }
}

/// What a checkpoint says of the log.
struct LogState {
    /// Somebody kept it from doing all that was asked.
    busy: bool,
    /// Pages in the log.
    pages: u32,
}

fn checkpoint(connection: &Connection, sql: &str) -> Result<LogState, Fault> {
    let mut statement = connection.prepare_cached(sql)?;
    let state = statement.query_row([], |row| {
        Ok(LogState {
            busy: row.get(0)?,
            pages: u32::try_from(row.get::<_, i64>(1)?).unwrap_or(0),
        })
    })?;
    Ok(state)
}

/// Does `work` with a shorter patience for locks than a transaction has: everybody who writes waits meanwhile.
fn patiently<T>(
    connection: &mut Connection,
    work: impl FnOnce(&Connection) -> Result<T, Fault>,
) -> Result<T, Fault> {
    connection.busy_timeout(limits::LOCK_WAIT)?;
    let done = work(connection);
    file::wait_for_locks(connection)?;
    done
}

/// A checkpoint that fails loses nothing: the log is still there, and the next one tries again.
fn report(state: Result<LogState, Fault>) -> Option<LogState> {
    match state {
        Ok(state) => Some(state),
        Err(fault) => {
            tracing::warn!(error = %Error::from(fault), "the write-ahead log could not be copied; it will be tried again");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    /// With a bound of a few pages, since a gigabyte takes long to write.
    #[test]
    fn a_log_that_a_reader_keeps_from_beginning_anew_is_full_at_its_bound() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let path = file::prepare(&folder.path().join("jobs.db")).expect("the file can be made");
        let mut writer = file::connect(&path).expect("the file opens");
        let reader = file::connect(&path).expect("the file opens");
        let mut log = Log::open(&path).expect("the log is there");
        log.full_at = 8;
        writer
            .execute_batch("create table numbers (number integer)")
            .expect("it is ours");
        reader
            .execute_batch("begin; select count(*) from numbers")
            .expect("it can be read");
        for _ in 0..log.full_at {
            log.has_room(&mut writer).expect("it has not come to its bound");
            writer
                .execute_batch("insert into numbers values (1)")
                .expect("it is ours");
            log.tend(&mut writer);
            if log.pages >= log.full_at {
                break;
            }
        }
        assert!(log.pages >= log.full_at, "each commit adds a page");
        let error = log.has_room(&mut writer).expect_err("it is full");
        assert_eq!(error.kind(), Kind::Unavailable);
        reader.execute_batch("commit").expect("it is ours");
        log.has_room(&mut writer).expect("it can begin anew");
    }
}
