//! Targets: handlers that ship with the library, for jobs that need no code of one's own.
//!
//! | kind | feature | does |
//! |---|---|---|
//! | `http` | `target-http` | calls a URL: [`http`] |
//! | `command` | `target-command` | runs a program: [`command`] |
//!
//! A target is registered like any other handler, and its jobs are enqueued like any other task:
//!
//! ```no_run
//! # #[cfg(feature = "target-http")]
//! # async fn work(engine: punctual::Engine) -> Result<(), punctual::Error> {
//! use punctual::target::http::{HttpCall, HttpSettings, HttpTarget};
//! use punctual::worker::{Worker, shutdown_signal};
//!
//! engine.enqueue(HttpCall::post("https://example.com/hook")?.text("hello")).await?;
//!
//! Worker::new(&engine)
//!     .handle(HttpTarget::new(HttpSettings::default())?)
//!     .queues(["default", "http"])
//!     .run_until(shutdown_signal())
//!     .await
//! # }
//! ```
//!
//! # The contract
//!
//! With every call go the job's id, the attempt and the run, as headers (`punctual-job-id`, `punctual-attempt`,
//! `punctual-run`) or as variables (`PUNCTUAL_JOB_ID`, `PUNCTUAL_ATTEMPT`, `PUNCTUAL_RUN`). A job runs at least once: whoever is
//! called may be called again for the same job, and tells so by its id. Of two runs of one job the one with the greater
//! `run` is the later one; a receiver that remembers the greatest it has seen can refuse a stale run.
//!
//! What a job may reach is the operator's to say, not the job's: private addresses and programs are refused unless the
//! settings allow them, and such a refusal fails the job at once, since another attempt would end the same way.
//!
//! # How it fails
//!
//! * A payload that is no call fails the job at once and says where it is wrong. Whoever admits jobs may ask the same
//!   question before, by `parse`.
//! * What may pass (no connection, an overloaded server, a command's exit code) asks for another attempt; what will not (an
//!   answer 404, a program that is not there) fails at once.
//! * A run that is asked to stop ends its call at once: the connection is closed, the processes are asked to end and then
//!   killed. What was called may have done its work all the same.

use crate::error::Error;

#[cfg(feature = "target-command")]
pub mod command;
mod fields;
#[cfg(feature = "target-http")]
pub mod http;
#[cfg(feature = "target-http")]
mod secrets;
#[cfg(any(feature = "target-http", feature = "target-command"))]
mod shortage;
mod text;
mod verdict;

#[cfg(feature = "target-http")]
pub use self::secrets::{Secret, Secrets};
pub use self::verdict::Verdict;

/// Reads the payload of a job as the target of its kind will, so that a slip is told to whoever makes the job and not in the
/// error of a run. Other kinds, and targets that this build does without, take any payload.
///
/// # Errors
///
/// `Invalid` with all that is wrong, each with a JSON pointer under `/payload`.
pub fn check_payload(kind: &str, payload: &[u8]) -> Result<(), Error> {
    use crate::job::Task;

    match kind {
        #[cfg(feature = "target-http")]
        http::HttpCall::KIND => http::HttpCall::parse(payload).map(drop),
        #[cfg(feature = "target-command")]
        command::CommandCall::KIND => command::CommandCall::parse(payload).map(drop),
        _ => Ok(()),
    }
}
