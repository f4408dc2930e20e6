//! How a life ends, and what is left of the job then.

use std::time::Duration;

use bytes::Bytes;

use crate::change::Change;
use crate::job::{Body, Failure, FailureReason, Job, Options, State, Status};
use crate::limits;
use crate::rules::Moment;
use crate::rules::row::{holds_key, rewrite};

/// The end of a life.
pub(super) enum End {
    /// Done, with this result.
    Succeeded(Bytes),
    /// Failed, for this reason and with this story.
    Failed(FailureReason, String),
    /// Cancelled, for this reason, which may be empty.
    Cancelled(String),
}

/// What a husk says in place of why it failed.
const NOT_KEPT: &str = "what went wrong was not kept";

/// Ends the life of `job`, whose status has come to `status`.
///
/// The unique key is given back unless its window still runs. Where nothing is kept of such jobs, the row goes at
/// once; if its window still runs, a husk stays that holds the key.
pub(super) fn end(job: &Job, mut status: Status, end: End, moment: &Moment<'_>) -> Change {
    status.ended_at = Some(moment.now);
    status.alarm = None;
    match end {
        End::Succeeded(result) => {
            status.state = State::Succeeded;
            status.result = Some(result);
        }
        End::Failed(reason, message) => {
            status.state = State::Failed;
            status.failure = Some(Failure {
                reason,
                message: clip(&message, limits::ERROR_BYTES),
            });
        }
        End::Cancelled(reason) => {
            status.state = State::Cancelled;
            status.cancel = Some(clip(&reason, limits::REASON_BYTES));
        }
    }
    let held = holds_key(&status, moment.now);
    if !held {
        status.unique_key = None;
        status.key_until = None;
    }
    match (moment.retention.of(status.state), held) {
        (Some(Duration::ZERO), true) => husk(job, status),
        (Some(Duration::ZERO), false) => Change::delete(job),
        _ => Change::to(job, status),
    }
}

/// `text` in a form that every store keeps: NUL replaced, and cut before the character that exceeds `bytes`.
pub(super) fn clip(text: &str, bytes: usize) -> String {
    let mut kept = String::with_capacity(text.len().min(bytes));
    for character in text.chars() {
        let character = if character == '\0' {
            char::REPLACEMENT_CHARACTER
        } else {
            character
        };
        if kept.len() + character.len_utf8() > bytes {
            break;
        }
        kept.push(character);
    }
    kept
}

/// An ended row without what its user and its handler said in it: its payload, tags, options, result, progress, history
/// and their reasons are gone. What stays is how it ended, where it stood, and what holds the key.
fn husk(job: &Job, mut status: Status) -> Change {
    status.result = None;
    status.progress = None;
    status.history = Vec::new();
    if let Some(failure) = &mut status.failure {
        failure.message = NOT_KEPT.to_owned();
    }
    if let Some(reason) = &mut status.cancel {
        reason.clear();
    }
    let body = Body {
        payload: Bytes::new(),
        tags: Vec::new(),
        options: Options::default(),
        unique_key: None,
        ..Body::clone(&job.body)
    };
    rewrite(job, body, status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clipped_text_ends_between_two_characters() {
        assert_eq!(clip("aé€", 6), "aé€");
        assert_eq!(clip("aé€", 5), "aé");
        assert_eq!(clip("aé€", 2), "a");
        assert_eq!(clip("", 0), "");
    }

    #[test]
    fn a_clipped_text_holds_no_nul() {
        assert_eq!(clip("a\0b", 8), "a\u{fffd}b");
    }
}
