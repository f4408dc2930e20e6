//! How the command ends when it does not succeed: one line for people, one code for scripts.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::error::ErrorKind;
use punctual::{Error, Kind};
use punctual_http::client::ClientError;

use crate::usage;

/// Exit codes as of `sysexits.h`, which scripts know.
pub(crate) mod code {
    /// The command line, or what was asked for, is wrong.
    pub(crate) const USAGE: u8 = 64;
    /// It clashes with what is there.
    pub(crate) const CONFLICT: u8 = 65;
    /// There is no such thing.
    pub(crate) const NOT_FOUND: u8 = 66;
    /// No server or store can be reached.
    pub(crate) const UNAVAILABLE: u8 = 69;
    /// A fault of ours.
    pub(crate) const INTERNAL: u8 = 70;
    /// The terminal or a file failed.
    pub(crate) const IO: u8 = 74;
    /// Not yet: the job is still pending.
    pub(crate) const PENDING: u8 = 75;
    /// It is not allowed.
    pub(crate) const DENIED: u8 = 77;
    /// Added to the number of the signal that stopped a server at once, as shells do for one that killed a command.
    pub(crate) const SIGNAL: u8 = 128;
}

/// Why the command ends early.
pub(crate) enum Failure {
    /// It says so in one line, with this code.
    Said(u8, String),
    /// `clap` says it: a wrong command line, or help that was asked for.
    Usage(Box<clap::Error>),
    /// Whoever read our output has gone, which is their right: `punctual job list | head -1`.
    NobodyReads,
}

impl Failure {
    /// What is printed cannot be written.
    pub(crate) fn unwritten(error: io::Error) -> Failure {
        match Failure::from(error) {
            Failure::Said(code, told) => Failure::Said(code, format!("the output cannot be written: {told}")),
            failure => failure,
        }
    }

    /// The command line is wrong.
    pub(crate) fn usage(message: impl Into<String>) -> Failure {
        Failure::Said(code::USAGE, message.into())
    }

    /// A file or the terminal failed.
    pub(crate) fn io(message: String) -> Failure {
        Failure::Said(code::IO, message)
    }

    /// An error of this kind, told so.
    pub(crate) fn of(kind: Kind, message: String) -> Failure {
        Failure::Said(code_of(kind), message)
    }

    /// Says it, and gives the code to end with.
    pub(crate) fn tell(self) -> ExitCode {
        match self {
            Failure::Said(code, message) => {
                // With nobody to read it, the code alone tells.
                let _ = writeln!(io::stderr(), "punctual: {}", message.trim_end());
                ExitCode::from(code)
            }
            Failure::Usage(asked) if is_help(&asked) => {
                let code = if asked.use_stderr() { code::USAGE } else { 0 };
                let _ = asked.print();
                ExitCode::from(code)
            }
            Failure::Usage(wrong) => Failure::usage(usage::line(&wrong)).tell(),
            Failure::NobodyReads => ExitCode::SUCCESS,
        }
    }
}

/// Whether help or the version was asked for; also by a command that names nothing to do.
fn is_help(usage: &clap::Error) -> bool {
    !usage.use_stderr() || usage.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
}

fn code_of(kind: Kind) -> u8 {
    match kind {
        Kind::NotFound => code::NOT_FOUND,
        Kind::Conflict => code::CONFLICT,
        Kind::Invalid => code::USAGE,
        Kind::Denied => code::DENIED,
        Kind::Unavailable => code::UNAVAILABLE,
        Kind::Internal => code::INTERNAL,
    }
}

impl From<clap::Error> for Failure {
    fn from(error: clap::Error) -> Failure {
        Failure::Usage(Box::new(error))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Said(code_of(error.kind()), error.to_string())
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Failure {
        let hint = match &error {
            ClientError::Unreachable { server, .. } if is_here(server) => {
                "; start one with `punctual serve --dev`, or name another with --server"
            }
            ClientError::Unreachable { .. } | ClientError::Silent { .. } => "; --server names another one",
            _ => "",
        };
        Failure::Said(code_of(error.kind()), format!("{error}{hint}"))
    }
}

/// Whether a server at this address would run on this machine.
fn is_here(server: &str) -> bool {
    ["http://127.", "http://localhost", "http://[::1]"]
        .iter()
        .any(|here| server.starts_with(here))
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::NobodyReads,
            _ => Failure::Said(code::IO, story(&error)),
        }
    }
}

/// What the system says of an error, without its number.
pub(crate) fn story(error: &io::Error) -> String {
    let said = error.to_string();
    let words = said.split(" (os error").next().unwrap_or(&said);
    words.to_lowercase()
}
