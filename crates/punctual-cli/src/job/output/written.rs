//! How output is written: as it is, or as JSON.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use punctual_http::client::Output;
use serde::Serialize;

use crate::failure::Failure;
use crate::print::{self, Characters, Foreign};

/// Where pieces of output are written to.
pub(super) enum Written {
    AsItIs(Foreign),
    Json(Lines),
}

/// A line for each piece.
pub(super) struct Lines {
    /// A character that two pieces share stands in the second one.
    characters: Characters,
    run: Option<u64>,
    next: u64,
}

/// A piece. It is text unless bytes are in it that are none.
#[derive(Serialize)]
struct Line<'a> {
    run: Option<u64>,
    /// Where the piece ends: what to ask the server for next.
    next: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_base64: Option<String>,
}

impl Written {
    pub(super) fn new(json: bool) -> Written {
        match json {
            true => Written::Json(Lines {
                characters: Characters::default(),
                run: None,
                next: 0,
            }),
            false => Written::AsItIs(Foreign::new()),
        }
    }

    pub(super) fn print(&mut self, piece: &Output) -> Result<(), Failure> {
        match self {
            Written::AsItIs(foreign) => foreign.print(&piece.bytes),
            Written::Json(lines) => lines.print(piece),
        }
    }

    /// Writes what a piece to come would have gone on with.
    pub(super) fn finish(&mut self) -> Result<(), Failure> {
        match self {
            Written::AsItIs(foreign) => foreign.finish(),
            Written::Json(lines) => match lines.characters.rest() {
                rest if rest.is_empty() => Ok(()),
                rest => lines.line(&rest),
            },
        }
    }
}

impl Lines {
    fn print(&mut self, piece: &Output) -> Result<(), Failure> {
        (self.run, self.next) = (piece.run, piece.next);
        let bytes = self.characters.whole(&piece.bytes);
        self.line(&bytes)
    }

    fn line(&self, bytes: &[u8]) -> Result<(), Failure> {
        let text = std::str::from_utf8(bytes).ok();
        print::json(&Line {
            run: self.run,
            next: self.next,
            output: text,
            output_base64: text.is_none().then(|| BASE64_STANDARD.encode(bytes)),
        })
    }
}
