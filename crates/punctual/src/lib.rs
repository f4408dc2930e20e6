//! A durable job scheduler: jobs run when they are due, once per attempt, on any number of machines, and whoever
//! waits gets the result.
//!
//! It starts as a single SQLite file, needs no other service, and forgets nothing that it has acknowledged.
//!
//! ```
//! use punctual::{Engine, Stop, Task, Worker};
//! use serde::{Deserialize, Serialize};
//!
//! // What is to be done, and what comes of it.
//! #[derive(Serialize, Deserialize)]
//! struct Welcome {
//!     user: u64,
//! }
//!
//! impl Task for Welcome {
//!     const KIND: &'static str = "mail.welcome";
//!     type Output = String;
//! }
//!
//! async fn welcome(task: Welcome) -> Result<String, Stop> {
//!     Ok(format!("welcomed {}", task.user))
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let engine = Engine::open("memory:").await?; // or sqlite:jobs.db, postgres://…, redis://…
//!
//!     // When this returns, the job is stored.
//!     let job = engine.enqueue(Welcome { user: 7 }).await?;
//!
//!     // Usually in another process, and until `punctual::shutdown_signal()`.
//!     let result = async move { assert_eq!(job.result().await.unwrap(), "welcomed 7") };
//!     Worker::new(&engine).handle(welcome).run_until(result).await?;
//!     Ok(())
//! }
//! ```
//!
//! # Where to go
//!
//! * [`Engine`]: put jobs in, look at them, cancel them, wait for their results.
//! * [`NewJob`] and [`Task`]: what a job can say about itself: when, how often, how long, how unique.
//! * [`Worker`]: run jobs with handlers of your own.
//! * [`target`]: handlers that ship with the library: HTTP calls and commands.
//! * [`flight::Flight`]: single flight in one process, without any store.
//! * [`testing`]: hold your own store against the conformance suite.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `postgres` | the PostgreSQL store |
//! | `redis` | the Redis store |
//! | `sqlite` | the SQLite store (bundles SQLite) |
//! | `target-http` | the `http` target |
//! | `target-command` | the `command` target |
//! | `testing` | the conformance suite and the model test for stores |
//!
//! None is on by default; the memory store is always there.
//!
//! # Glossary
//!
//! A name means one thing, here and in every page of the book.
//!
//! | name | meaning |
//! |---|---|
//! | **job** | one unit of work: a row that changes place |
//! | **kind** | what sort of work it is: `http`, `command`, or the name of a handler |
//! | **payload** | what the handler is given |
//! | **queue** | a named line of jobs, with its own pause, limits and retention |
//! | **due** | the instant before which a job does not start |
//! | **worker** | a process, or a task in one, that claims and runs jobs |
//! | **claim** | to take due jobs under a lease |
//! | **lease** | a worker's right to a run until an instant; heartbeats prolong it |
//! | **run** | one claim of a job, named for ever by (job, `run`) |
//! | **attempt** | a run that counts against `max_attempts` |
//! | **settle** | to tell what became of a run |
//! | **stale** | too late: the row has moved on, and nothing is changed |
//! | **life** | from a job's admission, or an operator's retry, to its one terminal outcome |
//! | **rev** | the version of a row: every write raises it, every decided write compares it |
//! | **rule** | a pure function that decides what a row becomes |
//! | **store** | where rows live: it compares and writes, and decides nothing |
//! | **engine** | the one room where rules and a store meet |
//! | **lane** | where callers gather while a flush is under way, so that they share the next one |
//! | **signal** | a hint between processes; a lost one costs time, never work |
//! | **target** | a handler that ships with Punctual |
//! | **handler** | your own function for a kind of job |

pub mod change;
pub mod clock;
pub mod engine;
pub mod error;
pub mod flight;
pub mod job;
pub mod limits;
pub mod queue;
pub mod rules;
pub mod run;
pub mod schedule;
pub mod signals;
pub mod source;
pub mod store;
#[cfg(any(feature = "target-http", feature = "target-command"))]
pub mod target;
#[cfg(feature = "testing")]
pub mod testing;
pub mod time;
pub mod worker;

#[doc(inline)]
pub use crate::{
    engine::Engine,
    error::{Error, Kind},
    job::{JobId, NewJob, Task},
    time::{Timestamp, days, hours, milliseconds, minutes, seconds},
    worker::{Run, State, Stop, Worker, shutdown_signal},
};

/// The features that this build has, in the order of their names.
pub fn features() -> Vec<&'static str> {
    let all = [
        ("postgres", cfg!(feature = "postgres")),
        ("redis", cfg!(feature = "redis")),
        ("sqlite", cfg!(feature = "sqlite")),
        ("target-command", cfg!(feature = "target-command")),
        ("target-http", cfg!(feature = "target-http")),
        ("testing", cfg!(feature = "testing")),
    ];
    all.into_iter()
        .filter(|(_, on)| *on)
        .map(|(name, _)| name)
        .collect()
}

/// The Rust snippets of the README and the book, compiled and run with the documentation's own.
#[cfg(doctest)]
mod book {
    #[doc = include_str!("../../../README.md")]
    mod readme {}
    #[doc = include_str!("../../../docs/jobs.md")]
    mod jobs {}
    #[cfg(feature = "target-http")]
    #[doc = include_str!("../../../docs/http-target.md")]
    mod http_target {}
    #[cfg(feature = "postgres")]
    #[doc = include_str!("../../../docs/stores.md")]
    mod stores {}
    #[cfg(feature = "sqlite")]
    #[doc = include_str!("../../../docs/transactions.md")]
    mod transactions {}
    #[doc = include_str!("../../../docs/unique.md")]
    mod unique {}
    #[doc = include_str!("../../../docs/workers.md")]
    mod workers {}
}
