//! How a run's output goes over the wire: its body is the output and nothing else, but for a line where something is missing.

use std::fmt::Write as _;

/// Which run it is about.
pub const OUTPUT_RUN: &str = "punctual-run";
/// Where it ends: what to ask for next.
pub const OUTPUT_NEXT: &str = "punctual-output-next";

const BEFORE: &str = "… ";
const BEHIND: &str = " bytes left out …";
/// The longest line that tells of a gap, in bytes: with as many digits as a number of bytes may have.
const GAP_BYTES: usize = BEFORE.len() + 20 + BEHIND.len();

/// The line that stands where so many bytes are missing. They count for the offset of what follows, and the line does not.
pub(crate) fn gap(missing: u64) -> String {
    let mut line = String::from("\n");
    write!(line, "{BEFORE}{missing}{BEHIND}").expect("a text takes all");
    line.push('\n');
    line
}

/// Where in a run's output its reader is, told by what has come so far.
///
/// A run that puts out the very line of a gap is taken for one; then a stream that broke off goes on too far behind.
#[derive(Debug)]
pub(crate) struct Place {
    offset: u64,
    /// The line that has begun, as long as it may be that of a gap; only one behind the end of another may be.
    line: Option<Vec<u8>>,
}

impl Place {
    /// At this offset, at which nothing has come yet.
    pub(crate) fn at(offset: u64) -> Place {
        Place { offset, line: None }
    }

    /// Passes a piece, and gives the offset behind it.
    pub(crate) fn pass(&mut self, piece: &[u8]) -> u64 {
        for byte in piece {
            self.offset += 1;
            match (byte, &mut self.line) {
                (b'\n', line) => {
                    let ended = line.replace(Vec::new());
                    if let Some((ended, missing)) = ended.and_then(|line| Some((line.len(), missing(&line)?)))
                    {
                        // Two ends of lines belong to it: its own, and the one before it.
                        self.offset = self
                            .offset
                            .saturating_sub(ended as u64 + 2)
                            .saturating_add(missing);
                        self.line = None;
                    }
                }
                (byte, Some(line)) if line.len() < GAP_BYTES => line.push(*byte),
                (_, line) => *line = None,
            }
        }
        self.offset
    }
}

fn missing(line: &[u8]) -> Option<u64> {
    let line = std::str::from_utf8(line).ok()?;
    line.strip_prefix(BEFORE)?.strip_suffix(BEHIND)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_counts_with_what_is_missing_and_not_with_the_line_that_tells_it() {
        for text in ["", "abc", "abc\n", "\n\n"] {
            let told = format!("{text}{}xyz\n", gap(1_000));
            let behind = text.len() as u64 + 1_000 + 4;
            assert_eq!(Place::at(7).pass(told.as_bytes()), 7 + behind, "{told:?}");
            // However it is cut into pieces.
            let mut place = Place::at(0);
            let each = told.as_bytes().chunks(1).map(|piece| place.pass(piece));
            assert_eq!(each.last(), Some(behind), "{told:?}");
        }
    }

    #[test]
    fn what_only_looks_like_a_gap_counts_as_it_stands() {
        for text in [
            "… 12 bytes left out …\n",
            "\nx… 12 bytes left out …\n",
            "\n… many bytes left out …\n",
        ] {
            assert_eq!(Place::at(0).pass(text.as_bytes()), text.len() as u64, "{text:?}");
        }
    }
}
