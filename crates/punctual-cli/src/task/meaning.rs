//! What a status or an exit code is to mean: `404=done`, `75=retry:30s`.

use punctual::time::format_length;
use serde_json::{Value, json};

use crate::when;

const FORM: &str = "write it as 3=done, 3=fail, 3=retry, 3=retry:30s or 3=snooze:5m";

/// A code, or several, and what they mean. Which codes there are, the target knows.
pub(super) fn meaning(text: &str) -> Result<(String, Value), String> {
    let (codes, means) = text.split_once('=').ok_or(FORM)?;
    let means = match means.split_once(':') {
        None if ["done", "fail", "retry"].contains(&means) => json!(means),
        Some((means @ ("retry" | "snooze"), length)) => {
            json!({ means: format_length(when::length(length)?) })
        }
        _ => return Err(FORM.to_owned()),
    };
    Ok((codes.to_owned(), means))
}
