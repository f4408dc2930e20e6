//! Waiting for results: many waiters, one listener.
//!
//! Whoever waits subscribes first, then reads, then waits, so that no ending falls in between. All reads go through
//! one scan at a time: ids that are asked for meanwhile join the next, so that ten thousand waiters cost a few dozen reads
//! and one listener. A lost signal costs no more than [`RESCAN`](crate::limits::RESCAN), since the listener then asks
//! for everybody again. A waiter that leaves cancels nothing and leaves nothing behind.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::error::Error;
use crate::job::{Job, JobId};
use crate::limits::{RESULT_ROWS, WAITERS};
use crate::store::Store;

use super::look::{Fetched, fetch_each};

/// All waiters of one engine.
#[derive(Clone)]
pub(super) struct Results(Arc<Inner>);

struct Inner {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    tasks: TaskTracker,
    awaited: Mutex<Awaited>,
}

#[derive(Default)]
struct Awaited {
    jobs: BTreeMap<JobId, Seat>,
    waiters: usize,
    /// Jobs to be read, each once, first come first served.
    asked: VecDeque<JobId>,
    /// Scans begun so far.
    scans: u64,
    scanning: bool,
}

struct Seat {
    seen: watch::Sender<Seen>,
    waiters: usize,
    asked: bool,
}

/// What a scan saw of a job.
#[derive(Clone)]
struct Seen {
    scan: u64,
    row: Fetched,
}

impl Results {
    pub(super) fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, tasks: TaskTracker) -> Results {
        Results(Arc::new(Inner {
            store,
            clock,
            tasks,
            awaited: Mutex::default(),
        }))
    }

    /// Begins to wait for this job.
    ///
    /// # Errors
    ///
    /// `Unavailable` when [`WAITERS`] wait already.
    pub(super) fn join(&self, id: JobId) -> Result<Waiter, Error> {
        let mut awaited = self.0.awaited();
        if awaited.waiters >= WAITERS || awaited.asked.len() >= WAITERS {
            return Err(Error::unavailable(format!(
                "{WAITERS} results are waited for already; ask for the job instead of waiting for it"
            )));
        }
        awaited.waiters += 1;
        let after = awaited.scans;
        let seat = awaited.jobs.entry(id).or_insert_with(|| Seat {
            seen: watch::Sender::new(Seen {
                scan: 0,
                row: Ok(None),
            }),
            waiters: 0,
            asked: false,
        });
        seat.waiters += 1;
        let seen = seat.seen.subscribe();
        awaited.ask(id);
        drop(awaited);
        self.scan_soon();
        Ok(Waiter {
            results: self.clone(),
            id,
            seen,
            after,
        })
    }

    /// This job may have ended.
    pub(super) fn look_at(&self, id: JobId) {
        self.0.awaited().ask(id);
        self.scan_soon();
    }

    /// Any of the jobs that are waited for may have ended. Answers how many they are.
    pub(super) fn look_at_all(&self) -> usize {
        let mut awaited = self.0.awaited();
        let ids: Vec<JobId> = awaited.jobs.keys().copied().collect();
        ids.iter().for_each(|id| awaited.ask(*id));
        drop(awaited);
        self.scan_soon();
        ids.len()
    }

    fn scan_soon(&self) {
        let mut awaited = self.0.awaited();
        if !awaited.scanning && !awaited.asked.is_empty() {
            awaited.scanning = true;
            self.0.tasks.spawn(Arc::clone(&self.0).scan());
        }
    }
}

impl Awaited {
    fn ask(&mut self, id: JobId) {
        if let Some(seat) = self.jobs.get_mut(&id)
            && !seat.asked
        {
            seat.asked = true;
            self.asked.push_back(id);
        }
    }
}

impl Inner {
    fn awaited(&self) -> MutexGuard<'_, Awaited> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what is asked for until nothing is.
    async fn scan(self: Arc<Self>) {
        let mut scanner = Scanner {
            results: self,
            done: false,
        };
        while let Some((scan, ids)) = scanner.results.next_scan() {
            let rows = fetch_each(scanner.results.store.as_ref(), &ids).await;
            scanner.results.show(scan, &ids, rows);
        }
        scanner.done = true;
    }

    fn next_scan(&self) -> Option<(u64, Vec<JobId>)> {
        let mut awaited = self.awaited();
        let mut ids = Vec::new();
        while ids.len() < RESULT_ROWS
            && let Some(id) = awaited.asked.pop_front()
        {
            // Whoever asked may have left.
            if let Some(seat) = awaited.jobs.get_mut(&id)
                && std::mem::take(&mut seat.asked)
            {
                ids.push(id);
            }
        }
        awaited.scanning = !ids.is_empty();
        if ids.is_empty() {
            return None;
        }
        awaited.scans += 1;
        Some((awaited.scans, ids))
    }

    fn show(&self, scan: u64, ids: &[JobId], rows: Result<Vec<Fetched>, Error>) {
        let rows = rows.unwrap_or_else(|error| vec![Err(error); ids.len()]);
        let awaited = self.awaited();
        for (id, row) in ids.iter().zip(rows) {
            if let Some(seat) = awaited.jobs.get(id) {
                seat.seen.send_replace(Seen { scan, row });
            }
        }
    }
}

/// The right to scan; when it ends before its time, the next one who asks begins anew.
struct Scanner {
    results: Arc<Inner>,
    done: bool,
}

impl Drop for Scanner {
    fn drop(&mut self) {
        if !self.done {
            self.results.awaited().scanning = false;
        }
    }
}

/// One caller that waits for one job.
pub(super) struct Waiter {
    results: Results,
    id: JobId,
    seen: watch::Receiver<Seen>,
    /// The last scan that began before it came, and may have read too early.
    after: u64,
}

impl Waiter {
    /// The job as it is now.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such job; otherwise why the store could not be read.
    pub(super) async fn read(&mut self) -> Result<Job, Error> {
        self.next()
            .await
            .and_then(|row| row.ok_or_else(|| unknown(self.id)))
    }

    /// The job when it has ended, or as it was last seen when `wait` is over.
    ///
    /// # Errors
    ///
    /// `NotFound` if it was deleted meanwhile.
    pub(super) async fn ended(&mut self, mut last: Job, wait: Duration) -> Result<Job, Error> {
        let mut over = self.results.0.clock.sleep(wait);
        while !last.status.state.is_ended() {
            let row = tokio::select! {
                biased;
                row = self.next() => row,
                () = &mut over => break,
            };
            match row {
                Ok(row) => last = row.ok_or_else(|| unknown(self.id))?,
                Err(error) => {
                    tracing::debug!(%error, job = %self.id, "a result could not be read; it is read again soon");
                }
            }
        }
        Ok(last)
    }

    async fn next(&mut self) -> Result<Option<Job>, Error> {
        loop {
            // The sender lives in the seat, which this waiter keeps.
            if self.seen.changed().await.is_err() {
                return Err(Error::internal("a waiter lost its seat"));
            }
            let seen = self.seen.borrow_and_update().clone();
            if seen.scan > self.after {
                return seen.row;
            }
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut awaited = self.results.0.awaited();
        awaited.waiters -= 1;
        if let Some(seat) = awaited.jobs.get_mut(&self.id) {
            seat.waiters -= 1;
            if seat.waiters == 0 {
                awaited.jobs.remove(&self.id);
            }
        }
    }
}

pub(super) fn unknown(id: JobId) -> Error {
    Error::not_found(format!("there is no job {id}"))
}
