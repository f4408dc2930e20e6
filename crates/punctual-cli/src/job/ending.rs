//! What a job came to: for people on the screen, for scripts as exit code.

use std::process::ExitCode;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use punctual::limits::HTTP_ANSWER_BYTES;
use punctual_http::wire::Ending;
use serde_json::Value;

use crate::failure::{Failure, code};
use crate::print;

/// 0, 1, 2 for succeeded, failed, cancelled; 75 for still pending.
pub(super) fn code(end: &Ending) -> ExitCode {
    match end.state.as_str() {
        "succeeded" => ExitCode::SUCCESS,
        "failed" => ExitCode::from(1),
        "cancelled" => ExitCode::from(2),
        _ => ExitCode::from(code::PENDING),
    }
}

/// Prints a result as its reader wants it: a command's output as if it had run here, a call's body, bytes as
/// they are, other results as JSON.
/// What is no result goes beside the output.
pub(super) fn print(kind: &str, end: &Ending) -> Result<(), Failure> {
    let id = &end.id;
    match (&end.failure, end.state.as_str()) {
        (_, "succeeded") => return result(kind, end),
        (Some(failure), _) => print::note(&format!(
            "{id} failed ({}): {}",
            failure.reason,
            lines(&failure.message)
        )),
        (None, "cancelled") => print::note(&format!("{id} was cancelled{}", reason(end))),
        _ => print::note(&format!(
            "{id} is still {}; `punctual job wait` with this id waits on",
            end.phase
        )),
    }
    Ok(())
}

fn reason(end: &Ending) -> String {
    match end.cancel.as_deref() {
        None | Some("") => String::new(),
        Some(reason) => format!(": {}", print::plain(reason)),
    }
}

/// A story of several lines, each without control characters.
fn lines(text: &str) -> String {
    text.lines().map(print::plain).collect::<Vec<_>>().join("\n")
}

/// Tells whoever reads a body if it was longer than these bytes of it that were kept.
fn tell_of_a_cut(answer: &Value, kept: usize) {
    if answer.get("truncated") == Some(&Value::Bool(true)) {
        print::note(&format!(
            "the body was longer, and was cut to {kept} bytes; --keep-body says how much is kept, at most {HTTP_ANSWER_BYTES}"
        ));
    }
}

fn result(kind: &str, end: &Ending) -> Result<(), Failure> {
    if let Some(bytes) = end.result_bytes() {
        return print::foreign_whole(&bytes?);
    }
    let json = end.result.as_ref().map_or("null", |json| json.get());
    let value: Value = serde_json::from_str(json).unwrap_or_default();
    let text = |field: &str| value.get(field).and_then(Value::as_str);
    let line = |text: &str| print::foreign(format!("{text}\n").as_bytes());
    match kind {
        "command" if text("stdout").is_some() || text("stderr").is_some() => {
            print::foreign(text("stdout").unwrap_or("").as_bytes())?;
            print::foreign_aside(text("stderr").unwrap_or("").as_bytes())
        }
        "http" if text("body").is_some() => {
            let body = text("body").unwrap_or("");
            line(body)?;
            tell_of_a_cut(&value, body.len());
            Ok(())
        }
        "http" if text("base64").is_some() => match BASE64_STANDARD.decode(text("base64").unwrap_or("")) {
            Ok(bytes) => {
                print::foreign_whole(&bytes)?;
                tell_of_a_cut(&value, bytes.len());
                Ok(())
            }
            Err(_) => line(json),
        },
        _ if value.is_null() => Ok(()),
        _ => line(json),
    }
}
