//! Punctual over HTTP: the wire types, the server and the client.
//!
//! The edge parses, calls the engine, and answers. It holds no rules and no statements, and what crosses it is
//! written down in [`wire`] and nowhere else.
//!
//! ```text
//!  bytes ─▶ server/accept ─▶ server/guard ─▶ wire::read ─▶ Engine ─▶ wire::Job ─▶ bytes
//!           deadlines, cap    Host, Origin    pointers                or Problem
//! ```
//!
//! [`Server`] listens on loopback only: there are no keys yet, and whoever reaches it may run jobs.
//! [`Client`] is what the command line talks through, and what far workers get their jobs from.

pub mod client;
mod document;
pub mod limits;
pub mod problem;
pub mod schedules;
pub mod server;
pub mod wire;

#[doc(inline)]
pub use crate::{client::Client, problem::Problem, server::Server};

/// The Rust snippets of the book that need this crate.
#[cfg(doctest)]
mod book {
    #[doc = include_str!("../../../docs/workers-in-other-languages.md")]
    mod workers_in_other_languages {}
}
