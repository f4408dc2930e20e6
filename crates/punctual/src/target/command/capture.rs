//! Capture: keeps the head and the tail of what a command writes, however much that is.

use crate::limits::{COMMAND_STREAM_BYTES, COMMAND_STREAM_JSON_BYTES};
use crate::run::HeadTail;
use crate::target::text::{head, json_bytes, tail};

/// What is kept of one stream.
#[derive(Default)]
pub(super) struct Capture(HeadTail<{ COMMAND_STREAM_BYTES / 2 }>);

impl Capture {
    /// Takes what was written next.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.0.push(bytes);
    }

    /// What is kept, as a text that fits a result, and whether anything is missing from it.
    pub(super) fn text(self) -> (String, bool) {
        const HALF: usize = COMMAND_STREAM_JSON_BYTES / 2;
        let HeadTail {
            head: mut bytes,
            tail: behind,
            left_out: dropped,
        } = self.0;
        let seam = bytes.len();
        bytes.extend(behind);
        if dropped == 0 {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if text.chars().map(json_bytes).sum::<usize>() <= COMMAND_STREAM_JSON_BYTES {
                return (text, false);
            }
        }
        let (first, last) = bytes.split_at(if dropped == 0 {
            seam.min(bytes.len() / 2)
        } else {
            seam
        });
        let (first, last) = (String::from_utf8_lossy(first), String::from_utf8_lossy(last));
        let (kept_first, kept_last) = (head(&first, HALF, json_bytes), tail(&last, HALF, json_bytes));
        let cut = first.len() - kept_first.len() + last.len() - kept_last.len();
        let left_out = dropped.saturating_add(cut);
        (
            format!("{kept_first}\n… {left_out} bytes left out …\n{kept_last}"),
            true,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::RESULT_BYTES;

    fn captured(written: &[u8], at_once: usize) -> (String, bool) {
        let mut capture = Capture::default();
        written.chunks(at_once).for_each(|chunk| capture.push(chunk));
        capture.text()
    }

    #[test]
    fn what_fits_is_kept_as_it_is() {
        let written = "line ñ\n".repeat(COMMAND_STREAM_BYTES / 16);
        for at_once in [1, 7, 8_192] {
            assert_eq!(captured(written.as_bytes(), at_once), (written.clone(), false));
        }
    }

    #[test]
    fn of_more_the_head_and_the_tail_are_kept_and_the_rest_is_counted() {
        let written = format!("first{}last", "x".repeat(1_000_000));
        let (text, truncated) = captured(written.as_bytes(), 8_192);
        assert!(truncated && text.starts_with("firstxxx") && text.ends_with("xxxlast"));
        let left_out = written.len() - COMMAND_STREAM_BYTES;
        assert!(
            text.contains(&format!("\n… {left_out} bytes left out …\n")),
            "{left_out}"
        );
    }

    #[test]
    fn the_worst_that_two_streams_keep_fits_a_result() {
        for worst in [b'\0', 0xff, b'\n', b'a'] {
            let (text, _) = captured(&vec![worst; 1_000_000], 8_192);
            let json = serde_json::to_vec(&text).expect("a text has a JSON form");
            assert!(
                2 * json.len() + 200 <= RESULT_BYTES,
                "{worst}: {} bytes",
                json.len()
            );
        }
    }
}
