//! The integration tests of the library, one file a topic, in one binary.

#![allow(
    clippy::disallowed_methods,
    reason = "tests bound their waits by the machine's own clock"
)]

#[cfg(feature = "testing")]
mod conformance;
mod engine;
mod flight;
mod lane;
#[cfg(feature = "testing")]
mod model;
mod results;
mod rules;
mod stage;
#[cfg(any(feature = "target-http", feature = "target-command"))]
#[cfg(feature = "sqlite")]
#[cfg(feature = "target-command")]
#[cfg(feature = "target-http")]
mod sqlite;
mod target_command;
mod target_house;
mod target_http;
mod tidy;
mod worker;
