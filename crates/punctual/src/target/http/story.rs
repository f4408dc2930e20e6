//! What went wrong on the way to an answer.

use std::error::Error as StdError;

use super::connect::DialError;
use crate::limits::ERROR_SOURCES;
use crate::target::shortage::is_shortage;

/// What went wrong on the way, without the outermost error of the client, which only says that something did.
pub(super) fn story(error: &(dyn StdError + 'static)) -> String {
    let mut said: Vec<String> = Vec::new();
    for cause in causes(error.source().unwrap_or(error)) {
        let text = cause.to_string();
        if !said.iter().any(|earlier| earlier.contains(&text)) {
            said.push(text);
        }
    }
    said.join(": ")
}

/// Whether the reason is an address that may not be called.
pub(super) fn is_refused(error: &(dyn StdError + 'static)) -> bool {
    causes(error).any(|cause| matches!(cause.downcast_ref(), Some(DialError::Refused(..))))
}

/// Whether the reason is that this machine has nothing left to make a connection with.
pub(super) fn is_for_want(error: &(dyn StdError + 'static)) -> bool {
    causes(error).any(|cause| match cause.downcast_ref() {
        Some(DialError::Lookup(error) | DialError::Connect(_, error)) => is_shortage(error),
        _ => false,
    })
}

/// An error and what caused it, outermost first.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source()).take(ERROR_SOURCES)
}
