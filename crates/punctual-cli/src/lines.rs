//! Reads a file line by line, in pieces, ahead of who takes them: on a thread of its own, since a pipe may block.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::thread;

use punctual_http::limits::BATCH_JOBS;
use tokio::sync::mpsc;

use crate::failure::Failure;
use crate::input;

mod fault;
mod left;

pub(crate) use fault::Fault;
pub(crate) use left::Left;

/// Lines in a piece, at most: it is sent as one batch.
const CHUNK_LINES: usize = BATCH_JOBS;
/// Bytes in a piece, at most, but for its last line: with the pieces that wait, this bounds the memory of an import.
const CHUNK_BYTES: usize = 4 * 1024 * 1024;
/// Pieces that wait to be sent.
const CHUNKS: usize = 2;
/// Bytes read at once.
const BUFFER_BYTES: usize = 256 * 1024;

/// A piece of a file.
pub(crate) struct Chunk {
    /// Its lines, in order.
    pub(crate) lines: Vec<Line>,
    /// The byte behind it.
    pub(crate) end: u64,
}

/// A line.
pub(crate) struct Line {
    /// Counted from 1.
    pub(crate) number: u64,
    /// What stands in it, without the white space around.
    pub(crate) text: Result<String, Fault>,
}

/// The lines of a file.
pub(crate) struct Lines {
    chunks: mpsc::Receiver<io::Result<Chunk>>,
    length: Option<u64>,
}

impl Lines {
    /// Begins to read this file, whose lines have at most so many bytes; `-` is the input.
    pub(crate) fn open(file: &str, longest: usize) -> Result<Lines, Failure> {
        let mut length = None;
        let from: Box<dyn Read + Send> = match file {
            "-" => Box::new(io::stdin()),
            name => {
                let opened = File::open(name).map_err(|error| cannot_read(name, &error))?;
                let about = opened.metadata().map_err(|error| cannot_read(name, &error))?;
                length = about.is_file().then_some(about.len());
                Box::new(opened)
            }
        };
        let (sender, chunks) = mpsc::channel(CHUNKS);
        let reader = BufReader::with_capacity(BUFFER_BYTES, from);
        thread::Builder::new()
            .name("lines".to_owned())
            .spawn(move || read(reader, longest, &sender))?;
        Ok(Lines { chunks, length })
    }

    /// How long the file is, in bytes, where that is known.
    pub(crate) fn length(&self) -> Option<u64> {
        self.length
    }

    /// The next piece; nothing at the end.
    pub(crate) async fn next(&mut self) -> Option<io::Result<Chunk>> {
        self.chunks.recv().await
    }
}

fn read(mut reader: BufReader<impl Read>, longest: usize, sender: &mpsc::Sender<io::Result<Chunk>>) {
    let (mut number, mut end) = (0, 0);
    loop {
        let chunk = chunk(&mut reader, longest, &mut number, &mut end);
        let goes_on = match &chunk {
            Ok(chunk) if chunk.lines.is_empty() => return,
            chunk => chunk.is_ok(),
        };
        // Nobody takes it any more once the import has ended.
        if sender.blocking_send(chunk).is_err() || !goes_on {
            return;
        }
    }
}

/// The next piece, without lines at the end. It ends early where the next line may have to be waited for.
fn chunk(
    reader: &mut BufReader<impl Read>,
    longest: usize,
    number: &mut u64,
    end: &mut u64,
) -> io::Result<Chunk> {
    let mut lines = Vec::new();
    let mut bytes = 0;
    while lines.len() < CHUNK_LINES && bytes < CHUNK_BYTES {
        let mut line = Vec::new();
        let taken = (&mut *reader)
            .take(longest as u64 + 1)
            .read_until(b'\n', &mut line)?;
        if taken == 0 {
            break;
        }
        let rest = match line.ends_with(b"\n") || taken <= longest {
            true => 0,
            false => reader.skip_until(b'\n')?,
        };
        *number += 1;
        *end += (taken + rest) as u64;
        bytes += taken;
        lines.push(Line {
            number: *number,
            text: text(line, longest, *number == 1),
        });
        if reader.buffer().is_empty() {
            break;
        }
    }
    Ok(Chunk { lines, end: *end })
}

fn text(line: Vec<u8>, longest: usize, is_first: bool) -> Result<String, Fault> {
    if line.len() > longest && !line.ends_with(b"\n") {
        return Err(Fault::whole(format!("the line has more than {longest} bytes")));
    }
    let text = String::from_utf8(line).map_err(|error| {
        let before = String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()]);
        Fault {
            column: Some(before.chars().count() + 1),
            story: "this is not UTF-8 text".to_owned(),
        }
    })?;
    // Some editors begin a file with a mark of its byte order.
    let text = if is_first {
        text.trim_start_matches('\u{feff}')
    } else {
        &text
    };
    Ok(text.trim_end().to_owned())
}

/// A file cannot be read.
pub(crate) fn cannot_read(file: &str, error: &io::Error) -> Failure {
    let file = if file == "-" { "the input" } else { file };
    Failure::usage(format!("{file}: {}", input::why(error)))
}
