//! `punctual schedule set`: one schedule, or those of a file.

use clap::Args;
use punctual_http::Client;
use punctual_http::wire::{Upsert, Upserted};

use super::file::FileArgs;
use super::plan::PlanFlags;
use super::standing;
use crate::failure::Failure;
use crate::place::Place;
use crate::task::{Target, Usual, is_of_handler};
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
    target: Option<Target<Usual>>,
}

impl Set {
    /// Where to set it, as far as that stands behind the KIND of a handler.
    pub(super) fn place(&self) -> Place {
        self.target.as_ref().map(Target::place).unwrap_or_default()
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
        let said = target.read("punctual schedule set NAME")?;
        if self.plan.is_empty() {
            return Err(Failure::usage(
                "say when, with one of --cron, --every, --after and --at before what is to run; see --help",
            ));
        }
        self.plan.tell_what_was_assumed();
        let job = said.options.job(&said.kind, said.payload);
        let schedule = self.plan.schedule(Some(job));
        let set = client.set_schedule(&name, &schedule, self.if_rev).await;
        let set = set.map_err(|error| flags::of_schedule(error, is_of_handler(&said.kind)))?;
        report(&set, self.json || said.json)
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
