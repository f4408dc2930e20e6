//! The integration tests of the library, one file a topic, in one binary.

mod flight;
mod tidy;
