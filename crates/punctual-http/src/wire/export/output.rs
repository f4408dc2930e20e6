//! What a run has put out, in an export.

use bytes::Bytes;
use punctual::engine::Kept;
use serde::{Deserialize, Serialize};

use super::super::faults::Faults;
use super::super::json::{Blob, from_base64};

/// What is kept of one run's output.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptOutput {
    /// The run.
    pub run: u64,
    /// All of it, or how it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// In place of `head`: bytes that are no text, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_base64: Option<String>,
    /// How many bytes are missing behind it; unset, none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<u64>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tail: Option<String>,
    /// In place of `tail`: bytes that are no text, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tail_base64: Option<String>,
}

impl KeptOutput {
    pub(super) fn of(kept: &Kept) -> KeptOutput {
        let (head, head_base64) = text(&kept.head);
        let (tail, tail_base64) = text(&kept.tail);
        KeptOutput {
            run: kept.run,
            head,
            head_base64,
            left_out: (kept.left_out > 0).then_some(kept.left_out),
            tail,
            tail_base64,
        }
    }

    pub(super) fn read(self, faults: &mut Faults, pointer: &str) -> Kept {
        Kept {
            run: self.run,
            head: bytes(
                faults,
                &format!("{pointer}/head_base64"),
                self.head,
                self.head_base64,
            ),
            left_out: self.left_out.unwrap_or_default(),
            tail: bytes(
                faults,
                &format!("{pointer}/tail_base64"),
                self.tail,
                self.tail_base64,
            ),
        }
    }
}

/// Text as it is, unless base64 is as short: control characters take six times their room in JSON.
fn text(bytes: &[u8]) -> (Option<String>, Option<String>) {
    let odd = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    match std::str::from_utf8(bytes) {
        Ok("") => (None, None),
        Ok(text) if !text.contains(odd) => (Some(text.to_owned()), None),
        _ => (None, Blob::encoded(bytes).base64),
    }
}

fn bytes(faults: &mut Faults, pointer: &str, text: Option<String>, base64: Option<String>) -> Bytes {
    let read = match (text, base64) {
        (Some(_), Some(_)) => Err("it is there as text already".to_owned()),
        (text, None) => Ok(Bytes::from(text.unwrap_or_default())),
        (None, Some(base64)) => from_base64(&base64),
    };
    read.map_err(|message| faults.add(pointer, message))
        .unwrap_or_default()
}
