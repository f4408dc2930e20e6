//! What can go wrong with a Redis server, in words that say what to do about it.
//!
//! A script that met an error of the server's before its first write wrote nothing, and every error below is met there;
//! where the connection was lost after it was sent, nobody knows.

use std::time::Duration;

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::error::Error;
use crate::time::format_length;

/// Whether what was sent may have been written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// It only reads.
    Read,
    Write,
}

/// No connection, so that nothing was sent.
pub(super) fn unreachable(at: &str, error: &RedisError) -> Error {
    if error.kind() == ErrorKind::AuthenticationFailed || is(error, "WRONGPASS") || is(error, "NOAUTH") {
        return Error::unavailable(format!(
            "Redis at {at} does not accept the user or the password of the URL"
        ));
    }
    Error::unavailable(format!("Redis at {at} cannot be reached: {}", told(error))).caused_by(error.clone())
}

pub(super) fn too_slow_to_connect(at: &str, patience: Duration) -> Error {
    Error::unavailable(format!(
        "Redis at {at} cannot be reached: no connection within {}",
        format_length(patience)
    ))
}

/// The connection was lost, or gave no answer.
pub(super) fn lost(at: &str, why: &str, sent: Sent) -> Error {
    match sent {
        Sent::Read => Error::unavailable(format!("the connection to Redis at {at} was lost: {why}")),
        Sent::Write => Error::unknown(format!(
            "it is not known whether this was stored, since the connection to Redis at {at} was lost: {why}"
        )),
    }
}

/// The server answered that it did not.
pub(super) fn refused(at: &str, error: &RedisError) -> Error {
    let unavailable = |why: &str| Error::unavailable(format!("Redis at {at} {why}"));
    let code = error.code().unwrap_or_default();
    let told = match (error.kind(), code) {
        _ if told(error).contains("The user executing the script") => denied(&unavailable, error),
        (ErrorKind::Server(ServerErrorKind::BusyLoading), _) => {
            unavailable("is starting and still reads its data")
        }
        (ErrorKind::Server(ServerErrorKind::ReadOnly), _) => {
            unavailable("is a replica and takes no writes: name its primary")
        }
        (
            ErrorKind::Server(
                ServerErrorKind::ClusterDown
                | ServerErrorKind::TryAgain
                | ServerErrorKind::MasterDown
                | ServerErrorKind::Ask,
            ),
            _,
        ) => unavailable("says that its cluster is not ready for this namespace"),
        (ErrorKind::Server(ServerErrorKind::NoPerm), _) => denied(&unavailable, error),
        (_, "OOM") => unavailable("has no memory left (its setting maxmemory)"),
        (_, "MISCONF") => unavailable("cannot write its data to its disk"),
        (_, "NOREPLICAS") => {
            unavailable("has too few replicas that keep up (its setting min-replicas-to-write)")
        }
        (_, "BUSY") => unavailable("is busy with somebody's script"),
        _ => Error::internal(format!("a fault in the Redis store: {}", told(error))),
    };
    told.caused_by(error.clone())
}

fn denied(unavailable: &impl Fn(&str) -> Error, error: &RedisError) -> Error {
    let why = told(error);
    unavailable(&format!("does not let this user do what Punctual needs ({why})"))
}

/// A namespace that this version cannot use, to whoever opens it.
pub(super) fn newer(namespace: &str, schema: &str) -> Error {
    Error::invalid(newer_text(namespace, schema))
}

/// The same to whoever was there before it was made over: nothing is wrong with what they ask, and a newer process can do it.
pub(super) fn newer_meanwhile(namespace: &str, schema: &str) -> Error {
    Error::unavailable(newer_text(namespace, schema))
}

fn newer_text(namespace: &str, schema: &str) -> String {
    format!(
        "the namespace {namespace:?} has the layout {schema:?}, and this version of Punctual knows up to {}: a newer one \
         made it. Use that version, or another namespace",
        super::script::SCHEMA
    )
}

/// Whether the connection cannot be used any more.
pub(super) fn is_of_the_connection(error: &RedisError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Io | ErrorKind::Parse | ErrorKind::AuthenticationFailed
    ) || error.is_connection_dropped()
}

pub(super) fn is(error: &RedisError, code: &str) -> bool {
    error.code() == Some(code)
}

/// What the driver or the server says, without more than a line of it.
pub(super) fn told(error: &RedisError) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().to_owned()
}
