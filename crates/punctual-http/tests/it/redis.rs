//! Redis servers, as the tests of the library have them.

#[allow(dead_code, reason = "the library's tests use all of it")]
#[path = "../../../punctual/tests/it/redis/server.rs"]
pub(crate) mod server;
