//! What a job does, as the end of a command line says it: `http METHOD URL`, `command -- PROGRAM`, or the KIND of a handler.

use std::ffi::OsString;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use serde_json::value::RawValue;

use super::{CommandCall, HttpCall, JsonPayload, Output};
use crate::failure::Failure;
use crate::place::Place;

/// What a job does; `Options` are the other flags that stand there.
#[derive(Subcommand)]
pub(crate) enum Target<Options: Args> {
    /// Call a URL
    Http(Http<Options>),
    /// Run a program on the server's machine
    Command(Command<Options>),
    /// Any other KIND: for a handler of yours; `--help` behind it shows its options
    #[command(external_subcommand)]
    Handler(Vec<OsString>),
}

/// `http METHOD URL`
#[derive(Args)]
pub(crate) struct Http<Options: Args> {
    #[command(flatten)]
    call: HttpCall,
    /// Print JSON; --json is the body here
    #[arg(long)]
    print_json: bool,
    #[command(flatten)]
    options: Options,
}

/// `command -- PROGRAM ARGUMENTS`
#[derive(Args)]
pub(crate) struct Command<Options: Args> {
    #[command(flatten)]
    call: CommandCall,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    options: Options,
}

/// Jobs for a handler of yours.
#[derive(Parser)]
#[command(disable_version_flag = true)]
struct Handler<Options: Args> {
    /// The handler's kind
    kind: String,
    #[command(flatten)]
    payload: JsonPayload,
    /// Looked up before the words are read: see [`Target::place`].
    #[command(flatten)]
    _place: Place,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    options: Options,
}

/// What was said of a job.
pub(crate) struct Said<Options> {
    /// Its kind.
    pub(crate) kind: String,
    /// What its target or its handler is given.
    pub(crate) payload: Box<RawValue>,
    /// Whether JSON is to be printed.
    pub(crate) json: bool,
    /// The other flags.
    pub(crate) options: Options,
}

impl<Options: Args> Target<Options> {
    /// Where to send it, as far as that stands behind the KIND of a handler.
    pub(crate) fn place(&self) -> Place {
        match self {
            Target::Handler(words) => Place::of_words(words.iter().cloned().map(OsString::into_string)),
            Target::Http(_) | Target::Command(_) => Place::default(),
        }
    }

    /// Reads what was said behind these words of the command line. What is said of a handler may ask for help.
    pub(crate) fn read(self, before: &'static str) -> Result<Said<Options>, Failure> {
        match self {
            Target::Http(http) => Ok(Said {
                kind: "http".to_owned(),
                payload: http.call.payload()?,
                json: http.print_json,
                options: http.options,
            }),
            Target::Command(command) => Ok(Said {
                kind: "command".to_owned(),
                payload: command.call.payload()?,
                json: command.output.json,
                options: command.options,
            }),
            Target::Handler(words) => {
                let words = std::iter::once(OsString::from(before)).chain(words);
                let line = Handler::<Options>::command().name(before);
                let handler = Handler::<Options>::from_arg_matches(&line.try_get_matches_from(words)?)?;
                Ok(Said {
                    payload: handler.payload.read()?,
                    kind: handler.kind,
                    json: handler.output.json,
                    options: handler.options,
                })
            }
        }
    }
}

/// Whether jobs of this kind are for a handler: what they are given was said as JSON, and by no flags of a target.
pub(crate) fn is_of_handler(kind: &str) -> bool {
    !matches!(kind, "http" | "command")
}
