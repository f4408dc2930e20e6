//! The watch: hears what other processes, and the caller's own transactions, commit to the file.
//!
//! Every commit is appended to the log, which wakes an inotify(7) watch. Our own commits do so as well; the writer's
//! connection can tell them apart, since `PRAGMA data_version` changes on it only by what others commit
//! (<https://www.sqlite.org/pragma.html#pragma_data_version>). The log is written shortly before its
//! commit is seen, so one look is not enough: it is repeated with growing pauses.

use std::io::{ErrorKind, PipeReader, PipeWriter};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use inotify::{Inotify, WatchMask};
use rusqlite::Connection;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::fault::Fault;
use super::file;
use super::writer::{Handle, no_thread};
use crate::error::Error;
use crate::limits;
use crate::signals::{LocalSignals, Signal, Signals};

/// The thread that watches. Dropped, it ends.
pub(super) struct Watch {
    stop: Option<PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Begins to watch for commits after the one that `seen` tells of.
    pub(super) fn start(
        path: &Path,
        writer: Handle,
        seen: i64,
        signals: Arc<LocalSignals>,
    ) -> Result<Watch, Error> {
        let no_pipe = |error| Error::unavailable("the machine gives no further pipe").caused_by(error);
        // The log lives as long as any connection, and the store has some.
        let path = file::log_of(path);
        let (stopped, stop) = std::io::pipe().map_err(no_pipe)?;
        let watcher = Watcher {
            log: watch(&path).inspect_err(report_unwatched).ok(),
            path,
            looks: 0,
            stopped,
            writer,
            seen,
            signals,
        };
        let thread = thread::Builder::new()
            .name("punctual-watch".to_owned())
            .spawn(move || watcher.serve())
            .map_err(no_thread)?;
        Ok(Watch {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A panic in it was reported when it happened.
            let _ = thread.join();
        }
    }
}

/// A number that changes with each commit of another connection.
pub(super) fn data_version(connection: &Connection) -> Result<i64, Fault> {
    let mut statement = connection.prepare_cached("pragma data_version")?;
    Ok(statement.query_row([], |row| row.get(0))?)
}

struct Watcher {
    /// Nothing where the machine has no watch left for us: then we look now and then.
    log: Option<Inotify>,
    /// Where the log is.
    path: PathBuf,
    /// How often we looked without a watch since one was last asked for.
    looks: u32,
    stopped: PipeReader,
    writer: Handle,
    seen: i64,
    signals: Arc<LocalSignals>,
}

impl Watcher {
    fn serve(mut self) {
        // What was committed before the watch began is looked for at once.
        let mut pause = limits::FILE_LOOK_FIRST;
        let mut failing = false;
        loop {
            let look = self.writer.look_now(data_version);
            if let Err(error) = &look
                && self.writer.has_ended()
            {
                tracing::error!(%error, "other processes' work on the database is no longer heard of at once");
                return;
            }
            if let Err(error) = &look
                && !failing
            {
                tracing::warn!(%error, "a look for other processes' work on the database failed; the next one follows soon");
            }
            failing = look.is_err();
            if failing {
                // What was written meanwhile is found by the look that succeeds.
                match self.wait(Some(limits::FILE_LOOK_LAST), false) {
                    true => return,
                    false => continue,
                }
            }
            if let Ok(version) = look
                && version != self.seen
            {
                self.seen = version;
                self.signals.send(&[Signal::Anything]);
            }
            pause = match self.rest(pause) {
                Rested::Stopped => return,
                Rested::News => limits::FILE_LOOK_FIRST,
                Rested::Nothing => pause * 2,
            };
        }
    }

    /// Waits for so long, or, once nothing was written for long enough, until something is. In a pause nothing wakes us,
    /// so that a busy log is looked at a bounded number of times a second.
    fn rest(&mut self, pause: Duration) -> Rested {
        if self.log.is_none() {
            let stopped = self.wait(Some(limits::FILE_LOOK_UNWATCHED), false);
            self.watch_again();
            return if stopped { Rested::Stopped } else { Rested::News };
        }
        let settled = pause > limits::FILE_LOOK_LAST;
        if self.wait((!settled).then_some(pause), settled) {
            return Rested::Stopped;
        }
        if self.drain() || settled {
            Rested::News
        } else {
            Rested::Nothing
        }
    }

    /// Asks for a watch again, now and then: the machine may have one by now.
    fn watch_again(&mut self) {
        self.looks += 1;
        if self.looks < limits::FILE_LOOKS_UNWATCHED {
            return;
        }
        self.looks = 0;
        self.log = watch(&self.path).ok();
        if self.log.is_some() {
            tracing::info!("the database's log is watched again");
        }
    }

    /// Waits, and answers whether it is time to end.
    fn wait(&self, pause: Option<Duration>, for_news: bool) -> bool {
        let mut events = vec![PollFd::from_borrowed_fd(self.stopped.as_fd(), PollFlags::IN)];
        if let Some(log) = self.log.as_ref().filter(|_| for_news) {
            events.push(PollFd::from_borrowed_fd(log.as_fd(), PollFlags::IN));
        }
        let timeout = pause.map(|pause| Timespec {
            tv_sec: i64::try_from(pause.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: pause.subsec_nanos().into(),
        });
        // Interrupted by a signal, it was a short wait; otherwise it cannot fail on descriptors that are open.
        let _ = poll(&mut events, timeout.as_ref());
        !events[0].revents().is_empty()
    }

    /// Whether the log was written to since the last time.
    fn drain(&mut self) -> bool {
        let mut written = false;
        let mut buffer = [0; 1024];
        while let Some(log) = &mut self.log {
            match log.read_events(&mut buffer) {
                Ok(mut events) => written |= events.next().is_some(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    report_unwatched(&error);
                    self.log = None;
                }
            }
        }
        written
    }
}

enum Rested {
    Stopped,
    News,
    Nothing,
}

fn watch(log: &Path) -> std::io::Result<Inotify> {
    let inotify = Inotify::init()?;
    inotify.watches().add(log, WatchMask::MODIFY)?;
    Ok(inotify)
}

fn report_unwatched(error: &std::io::Error) {
    tracing::warn!(%error, "the database's log cannot be watched; it will be looked at now and then");
}
