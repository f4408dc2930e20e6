//! Redis servers, as the tests of the library have them.

#[allow(dead_code, reason = "the library's tests use all of it")]
#[allow(
    clippy::disallowed_methods,
    reason = "no test depends on the name of its namespace"
)]
#[path = "../../../punctual/tests/it/redis/server.rs"]
pub(crate) mod server;
