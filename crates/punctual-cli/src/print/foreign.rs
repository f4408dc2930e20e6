//! What somebody else wrote, printed as it comes.

use std::io::{self, IsTerminal, Write};

use super::tame;
use crate::failure::Failure;

/// Prints pieces of what somebody else wrote: as they are for programs, as text that steers no terminal for people.
pub(crate) struct Foreign {
    for_people: bool,
    characters: Characters,
}

impl Foreign {
    pub(crate) fn new() -> Foreign {
        Foreign {
            for_people: io::stdout().is_terminal(),
            characters: Characters::default(),
        }
    }

    /// Prints the next piece.
    pub(crate) fn print(&mut self, piece: &[u8]) -> Result<(), Failure> {
        match self.for_people {
            true => {
                let whole = self.characters.whole(piece);
                foreign_to(io::stdout(), true, &whole)
            }
            false => foreign_to(io::stdout(), false, piece),
        }
    }

    /// Prints what a piece to come would have gone on with.
    pub(crate) fn finish(&mut self) -> Result<(), Failure> {
        foreign_to(io::stdout(), self.for_people, &self.characters.rest())
    }
}

/// Writes bytes that somebody else wrote to standard output: as they are for programs, as text that steers no terminal for
/// people.
pub(crate) fn foreign(wrote: &[u8]) -> Result<(), Failure> {
    foreign_to(io::stdout(), io::stdout().is_terminal(), wrote)
}

/// The same to standard error.
pub(crate) fn foreign_aside(wrote: &[u8]) -> Result<(), Failure> {
    foreign_to(io::stderr(), io::stderr().is_terminal(), wrote)
}

fn foreign_to(mut end: impl Write, for_people: bool, wrote: &[u8]) -> Result<(), Failure> {
    let written = match for_people {
        true => end.write_all(tame(&String::from_utf8_lossy(wrote)).as_bytes()),
        false => end.write_all(wrote),
    };
    written.and_then(|()| end.flush()).map_err(Failure::unwritten)
}

/// Cuts bytes that come in pieces between characters, and not within one.
#[derive(Default)]
pub(crate) struct Characters {
    /// The beginning of a character whose end is in the next piece.
    begun: Vec<u8>,
}

impl Characters {
    /// What has come, up to its last whole character.
    pub(crate) fn whole(&mut self, piece: &[u8]) -> Vec<u8> {
        self.begun.extend_from_slice(piece);
        let end = self.begun.len() - begun_character(&self.begun);
        let rest = self.begun.split_off(end);
        std::mem::replace(&mut self.begun, rest)
    }

    /// What is left at the end.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.begun)
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
    fn a_character_that_comes_in_two_pieces_is_given_whole() {
        let mut characters = Characters::default();
        for byte in "až€\n".bytes() {
            let whole = characters.whole(&[byte]);
            assert!(std::str::from_utf8(&whole).is_ok(), "{whole:?}");
        }
        assert_eq!(characters.whole(b"\xff\xe2"), b"\xff");
        assert_eq!(characters.whole(b"b\xe2"), b"\xe2b");
        assert_eq!(characters.rest(), b"\xe2");
    }
}
