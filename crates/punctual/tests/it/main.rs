//! The integration tests of the library, one file a topic, in one binary.

#![allow(
    clippy::disallowed_methods,
    reason = "tests bound their waits by the machine's own clock"
)]

mod check;
mod conformance;
#[cfg(all(feature = "postgres", feature = "redis"))]
mod dispatch;
mod engine;
mod flight;
mod lane;
mod model;
#[cfg(feature = "target-http")]
mod nginx;
mod polling;
mod postgres;
mod redis;
mod results;
mod rows;
mod rules;
mod schedule;
mod sqlite;
mod stage;
mod stepping;
mod stores;
#[cfg(feature = "target-command")]
mod target_command;
#[cfg(any(feature = "target-http", feature = "target-command"))]
mod target_house;
#[cfg(feature = "target-http")]
mod target_http;
mod tidy;
mod worker;
