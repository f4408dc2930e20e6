//! What somebody else wrote, printed as it comes.

use std::io::{self, IsTerminal};

use super::{bytes, tame};
use crate::failure::Failure;

/// Prints pieces of what somebody else wrote: as they are for programs, as text that steers no terminal for people.
pub(crate) struct Foreign {
    for_people: bool,
    /// The beginning of a character whose end is in the next piece.
    begun: Vec<u8>,
}

impl Foreign {
    pub(crate) fn new() -> Foreign {
        Foreign {
            for_people: io::stdout().is_terminal(),
            begun: Vec::new(),
        }
    }

    /// Prints the next piece.
    pub(crate) fn print(&mut self, piece: &[u8]) -> Result<(), Failure> {
        match self.for_people {
            true => bytes(self.whole(piece).as_bytes()),
            false => bytes(piece),
        }
    }

    /// The text of the piece, up to its last whole character.
    fn whole(&mut self, piece: &[u8]) -> String {
        self.begun.extend_from_slice(piece);
        let end = self.begun.len() - begun_character(&self.begun);
        let rest = self.begun.split_off(end);
        let text = tame(&String::from_utf8_lossy(&self.begun));
        self.begun = rest;
        text
    }
}

/// How many bytes at the end only begin a character.
fn begun_character(text: &[u8]) -> usize {
    let tail = text.utf8_chunks().last().map_or(&[][..], |chunk| chunk.invalid());
    match std::str::from_utf8(tail) {
        Err(error) if error.error_len().is_none() => tail.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_that_comes_in_two_pieces_is_printed_whole() {
        let mut foreign = Foreign {
            for_people: true,
            begun: Vec::new(),
        };
        let text = "a\u{1b}[2Jž€\n".as_bytes();
        let printed: String = text.iter().map(|byte| foreign.whole(&[*byte])).collect();
        assert_eq!(printed, "a\u{fffd}[2Jž€\n");
        assert_eq!(foreign.whole(b"\xff\xe2"), "\u{fffd}");
        assert_eq!(foreign.whole(b"b"), "\u{fffd}b");
    }
}
