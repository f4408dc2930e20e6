//! `punctual schedule set -f FILE`: all schedules of a file, made so.

use std::io;
use std::path::Path;

use clap::{Args, ValueHint};
use punctual_http::Client;
use punctual_http::limits::SCHEDULES_BYTES;
use punctual_http::schedules::File;

use super::apply::{Apply, Wanted, refused};
use super::list;
use crate::failure::Failure;
use crate::input;

/// What a file of schedules takes.
#[derive(Args)]
#[command(next_help_heading = "A file of schedules")]
pub(super) struct FileArgs {
    /// Make the schedules those of this file, TOML with a table for each; - is the input. A second run changes nothing
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) file: Option<String>,
    /// Show what differs, and change nothing
    #[arg(long, requires = "file")]
    dry_run: bool,
    /// Delete schedules that the file does not have
    #[arg(long, requires = "file")]
    prune: bool,
    /// Delete without asking
    #[arg(long, short, requires = "prune")]
    yes: bool,
}

impl FileArgs {
    /// Makes the schedules those of this file.
    pub(super) async fn run(&self, client: &Client, name: &str, json: bool) -> Result<(), Failure> {
        let called = called(name);
        let text = text(name)?;
        let file = File::read(&text).map_err(|faults| {
            let places = faults.iter().map(|fault| format!("{called}:{fault}"));
            refused(called, &places.collect::<Vec<_>>())
        })?;
        let stored = list::all(client).await?;
        let wanted = Wanted {
            file: called,
            schedules: file.schedules(),
            place: &|schedule, pointer, story| format!("{called}:{}", file.fault(schedule, pointer, story)),
        };
        let apply = Apply {
            dry_run: self.dry_run,
            prune: self.prune,
            yes: self.yes,
            json,
        };
        apply.run(client, &wanted, &stored).await
    }
}

/// What messages call a file.
pub(super) fn called(file: &str) -> &str {
    if file == "-" { "the input" } else { file }
}

/// What stands in a file, or comes from the input, within bounds.
pub(super) fn text(file: &str) -> Result<String, Failure> {
    let most = SCHEDULES_BYTES as u64;
    let read = match file {
        "-" => input::within(io::stdin(), most),
        file => input::file(Path::new(file), most),
    };
    let text = read.and_then(|bytes| {
        String::from_utf8(bytes).map_err(|error| {
            let line = error.as_bytes()[..error.utf8_error().valid_up_to()]
                .iter()
                .filter(|byte| **byte == b'\n')
                .count();
            format!("line {} is not UTF-8 text", line + 1)
        })
    });
    text.map_err(|why| Failure::usage(format!("{}: {why}", called(file))))
}
