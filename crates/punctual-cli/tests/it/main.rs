//! The built binary, as a process of its own.

#![allow(
    clippy::disallowed_methods,
    reason = "tests bound their waits by the machine's own clock"
)]

mod completion;
mod config;
mod dispatch;
mod docs;
mod guarantees;
mod help;
mod house;
mod import;
mod job;
mod list;
mod many;
mod moving;
mod output;
mod outside;
mod queue;
mod roles;
mod schedule;
mod serve;
mod slips;
mod store;
mod targets;
mod terminal;
mod verbs;
mod version;
