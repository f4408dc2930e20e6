//! The integration tests of the library, one file a topic, in one binary.

#![allow(
    clippy::disallowed_methods,
    reason = "tests bound their waits by the machine's own clock"
)]

#[cfg(feature = "testing")]
mod conformance;
mod flight;
#[cfg(feature = "testing")]
mod model;
mod rules;
mod tidy;
