//! The seam between the measurements and a job system.

use std::{future::Future, sync::Arc};

use crate::{Error, Job, Request, Schedule};

/// Called by a worker's handler, first thing, with the number of the job it was given.
pub type OnStart = Arc<dyn Fn(u64) + Send + Sync>;

/// A job system under test, on one store. `open` creates what is missing.
pub trait System: Send + Sync + Sized + 'static {
    /// Why this system cannot do what is asked, if it cannot: `None` means that it can.
    fn unsupported(request: &Request) -> Option<String>;

    /// Opens the store by the system's own documented options: SQLite with WAL and `synchronous=FULL`, a server's store
    /// with whatever the server has set.
    fn open(request: &Request) -> impl Future<Output = Result<Self, Error>> + Send;

    /// Whether what it acknowledges is as durable as it is meant to be, read from a connection that the system itself writes
    /// with: `synchronous=FULL` in SQLite, `fsync` and `synchronous_commit` in PostgreSQL, the append-only file in Redis.
    fn is_durable(&self) -> impl Future<Output = Result<bool, Error>> + Send;

    /// Stores one job; returns when it is durable.
    fn enqueue(&self, job: Job) -> impl Future<Output = Result<(), Error>> + Send;

    /// Stores many jobs in one call; returns when all are durable.
    fn enqueue_all(&self, jobs: Vec<Job>) -> impl Future<Output = Result<(), Error>> + Send;

    /// Runs one worker that does nothing but call `on_start`; goes on until the process ends.
    fn work(&self, on_start: OnStart) -> impl Future<Output = Result<(), Error>> + Send;

    /// Whether the store says that no due job waits or runs. Jobs of tomorrow do not count.
    fn is_drained(&self) -> impl Future<Output = Result<bool, Error>> + Send;

    /// Claims up to `most` due jobs and leaves them claimed; `None` where the library has no such call.
    fn claim(&self, most: usize) -> impl Future<Output = Result<Option<usize>, Error>> + Send {
        let _ = most;
        async { Ok(None) }
    }

    /// Stores one schedule, which makes its jobs of itself as long as a worker of this system works; returns when it is durable.
    fn schedule(&self, schedule: Schedule) -> impl Future<Output = Result<(), Error>> + Send {
        let _ = schedule;
        async { Err("it keeps no schedules".into()) }
    }

    /// Leaves the store as a clean end of the process would: a file, all of it in the main one.
    fn close(&self) -> impl Future<Output = Result<(), Error>> + Send;
}
