//! `punctual schedule set`: one schedule, or those of a file.

use std::ffi::OsString;

use clap::{Args, Parser, Subcommand};
use punctual_http::Client;
use punctual_http::wire::{NewJob, Upsert, Upserted};

use super::file::FileArgs;
use super::plan::PlanFlags;
use super::standing;
use crate::failure::Failure;
use crate::place::Place;
use crate::task::{CommandCall, HttpCall, JsonPayload, Output, Usual};
use crate::{completion, flags, print};

/// `punctual schedule set …`
#[derive(Args)]
#[command(
    override_usage = "punctual schedule set NAME WHEN [OPTIONS] http METHOD URL [OPTIONS]
       punctual schedule set NAME WHEN [OPTIONS] command [OPTIONS] -- PROGRAM [ARGUMENTS]...
       punctual schedule set NAME WHEN [OPTIONS] KIND [--payload JSON|@FILE] [OPTIONS]
       punctual schedule set -f FILE [--dry-run] [--prune]",
    arg_required_else_help = true
)]
pub(super) struct Set {
    /// What people call it; one of this name is given this plan
    #[arg(add = completion::schedules())]
    name: Option<String>,
    /// Only if its row has this version, which is the `rev` of `schedule show --json`; 0: only if there is none
    #[arg(long, value_name = "REV", conflicts_with = "file")]
    if_rev: Option<u64>,
    /// Print JSON; of a file, one line a schedule
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    plan: PlanFlags,
    #[command(flatten)]
    file: FileArgs,
    #[command(subcommand)]
    target: Option<Target>,
}

#[derive(Subcommand)]
enum Target {
    /// Call a URL
    Http(Http),
    /// Run a program on the server's machine
    Command(Command),
    /// Any other KIND: jobs for a handler of yours; `punctual schedule set NAME KIND --help` shows its options
    #[command(external_subcommand)]
    Handler(Vec<OsString>),
}

/// `punctual schedule set NAME … http METHOD URL`
#[derive(Args)]
struct Http {
    #[command(flatten)]
    call: HttpCall,
    /// Print JSON; --json is the body here
    #[arg(long)]
    print_json: bool,
    #[command(flatten)]
    usual: Usual,
}

/// `punctual schedule set NAME … command -- PROGRAM ARGUMENTS`
#[derive(Args)]
struct Command {
    #[command(flatten)]
    call: CommandCall,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    usual: Usual,
}

/// Jobs for a handler.
#[derive(Parser)]
#[command(name = "punctual schedule set NAME", disable_version_flag = true)]
struct Handler {
    /// The handler's kind
    kind: String,
    #[command(flatten)]
    payload: JsonPayload,
    /// Looked up before the words are read: see [`Set::place`].
    #[command(flatten)]
    _place: Place,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    usual: Usual,
}

impl Set {
    /// Where to set it, as far as that stands behind the KIND of a handler.
    pub(super) fn place(&self) -> Place {
        match &self.target {
            Some(Target::Handler(words)) => Place::of_words(words.iter().cloned().map(OsString::into_string)),
            _ => Place::default(),
        }
    }

    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        let (name, target) = match (self.name, self.target, &self.file.file) {
            (None, None, Some(file)) if self.plan.is_unused() => {
                return self.file.run(client, file, self.json).await;
            }
            (_, _, Some(_)) => {
                return Err(Failure::usage(
                    "set one schedule, or those of a file with -f, not both",
                ));
            }
            (None, ..) => return Err(Failure::usage("name the schedule before all else; see --help")),
            (_, None, _) => {
                return Err(Failure::usage(
                    "say what is to run, last: http, command or the KIND of a handler; see --help",
                ));
            }
            (Some(name), Some(target), None) => (name, target),
        };
        // First, since the words of a handler may ask for help.
        let (job, json) = target.job()?;
        if self.plan.is_empty() {
            return Err(Failure::usage(
                "say when, with one of --cron, --every, --after and --at before what is to run; see --help",
            ));
        }
        self.plan.tell_what_was_assumed();
        let is_of_handler = !matches!(job.kind.as_deref(), Some("http" | "command"));
        let schedule = self.plan.schedule(Some(job));
        let set = client.set_schedule(&name, &schedule, self.if_rev).await;
        let set = set.map_err(|error| flags::of_schedule(error, is_of_handler))?;
        report(&set, self.json || json)
    }
}

impl Target {
    /// The job, and whether JSON is to be printed.
    fn job(self) -> Result<(NewJob, bool), Failure> {
        match self {
            Target::Http(http) => Ok((http.usual.job("http", http.call.payload()?), http.print_json)),
            Target::Command(command) => {
                let job = command.usual.job("command", command.call.payload()?);
                Ok((job, command.output.json))
            }
            Target::Handler(words) => {
                let name = OsString::from("punctual schedule set NAME");
                let handler = Handler::try_parse_from(std::iter::once(name).chain(words))?;
                let job = handler.usual.job(&handler.kind, handler.payload.read()?);
                Ok((job, handler.output.json))
            }
        }
    }
}

fn report(set: &Upserted, json: bool) -> Result<(), Failure> {
    if json {
        return print::json(set);
    }
    let became = match set.upsert {
        Upsert::Created => "is set",
        Upsert::Changed => "is changed",
        Upsert::Unchanged => "is unchanged",
    };
    let head = &set.schedule.head;
    let (name, when) = (print::plain(&head.name), print::plain(&head.description));
    let next = standing::of(&set.schedule);
    print::line(&format!("schedule {name} {became}: {when}; {next}"))
}
