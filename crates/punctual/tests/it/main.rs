//! The integration tests of the library, one file a topic, in one binary.

#![allow(
    clippy::disallowed_methods,
    reason = "tests bound their waits by the machine's own clock"
)]

mod conformance;
mod engine;
mod flight;
mod lane;
mod model;
#[cfg(feature = "target-http")]
mod nginx;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "redis")]
mod redis;
mod results;
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "redis"))]
#[cfg_attr(
    not(all(feature = "sqlite", feature = "postgres", feature = "redis")),
    allow(dead_code, reason = "no store alone uses all of it")
)]
mod rows;
mod rules;
#[cfg(feature = "sqlite")]
mod sqlite;
mod stage;
mod stepping;
#[cfg(feature = "target-command")]
mod target_command;
#[cfg(any(feature = "target-http", feature = "target-command"))]
mod target_house;
#[cfg(feature = "target-http")]
mod target_http;
mod tidy;
mod worker;
