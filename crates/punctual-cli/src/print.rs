//! What people see: columns that fit the terminal, colours only where they are wanted, local times. And what scripts see: JSON.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use comfy_table::{Cell, Color};
use serde::Serialize;

use crate::failure::Failure;

mod foreign;
mod table;

pub(crate) use foreign::{Characters, Foreign, foreign, foreign_aside};
pub(crate) use table::{always, clipped, spare, table, text};

/// Writes one JSON document on one line.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(value).map_err(io::Error::from)?;
    line(&text)
}

/// Writes one line.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    writeln!(io::stdout(), "{text}").map_err(Failure::unwritten)
}

/// So many of them: `1 job`, `2 jobs`.
pub(crate) fn count<N: Display + PartialEq + From<u8>>(number: N, thing: &str) -> String {
    let plural = if number == N::from(1) { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

/// Writes what there is to know of one thing, a line each: its name, and what it is. What has several lines goes on below.
pub(crate) fn facts(facts: impl IntoIterator<Item = (&'static str, String)>) -> Result<(), Failure> {
    facts.into_iter().try_for_each(|(name, value)| {
        let names = std::iter::once(name).chain(std::iter::repeat(""));
        let mut lines = names.zip(value.lines());
        lines.try_for_each(|(name, value)| {
            let text = format!("{name:<12}{}", plain(value));
            line(text.trim_end())
        })
    })
}

/// Writes bytes as they are.
pub(crate) fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout();
    let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
    written.map_err(Failure::unwritten)
}

/// As [`foreign`], and a terminal's line is ended.
pub(crate) fn foreign_whole(wrote: &[u8]) -> Result<(), Failure> {
    foreign(wrote)?;
    match io::stdout().is_terminal() {
        true => line(""),
        false => Ok(()),
    }
}

/// Writes one line beside the output, for people. With nobody to read it, the command goes on all the same.
pub(crate) fn note(text: &str) {
    let _ = writeln!(io::stderr(), "punctual: {text}");
}

/// What was printed, where it is no failure that nobody reads it: something else goes on, or the exit code tells as much.
pub(crate) fn if_read(printed: Result<(), Failure>) -> Result<(), Failure> {
    match printed {
        Err(Failure::NobodyReads) => Ok(()),
        printed => printed,
    }
}

/// A cell with this text.
pub(crate) fn cell(text: impl ToString) -> Cell {
    Cell::new(plain(&text.to_string()))
}

/// A cell with a job's phase, in its colour.
pub(crate) fn phase_cell(phase: &str) -> Cell {
    let cell = cell(phase);
    match phase {
        _ if !(colours_wanted() && io::stdout().is_terminal()) => cell,
        "succeeded" => cell.fg(Color::Green),
        "failed" => cell.fg(Color::Red),
        "running" | "cancelling" => cell.fg(Color::Cyan),
        "retrying" => cell.fg(Color::Yellow),
        _ => cell,
    }
}

/// The text on one line and without control characters: what others wrote must not steer the reader's terminal.
pub(crate) fn plain(text: &str) -> String {
    tame(text).replace(['\n', '\t'], " ")
}

/// The text without control characters but for those of its own lines and columns.
fn tame(text: &str) -> String {
    let steers = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    text.chars()
        .map(|c| if steers(c) { '\u{fffd}' } else { c })
        .collect()
}

/// Whether colours are wanted where there is a terminal: unless `NO_COLOR` is set to something (no-color.org), or the terminal
/// says of itself that it has none.
pub(crate) fn colours_wanted() -> bool {
    let set = |name: &str| std::env::var_os(name).unwrap_or_default();
    set("NO_COLOR").is_empty() && set("TERM") != "dumb"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_keeps_its_lines_and_steers_no_terminal() {
        assert_eq!(
            tame("a\tb\n\u{1b}[2Jc\r\u{9b}d\u{7f}"),
            "a\tb\n\u{fffd}[2Jc\u{fffd}\u{fffd}d\u{fffd}"
        );
    }
}
