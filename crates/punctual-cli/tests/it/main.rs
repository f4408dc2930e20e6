//! The built binary, as a process of its own.

#![allow(
    clippy::disallowed_methods,
    reason = "tests bound their waits by the machine's own clock"
)]

mod docs;
mod guarantees;
mod help;
mod house;
mod job;
mod outside;
mod serve;
mod version;
mod terminal;
