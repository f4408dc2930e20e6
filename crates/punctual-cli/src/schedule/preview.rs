//! `punctual schedule preview`.

use clap::Args;
use comfy_table::Cell;
use punctual_http::Client;
use punctual_http::wire::{NewPreview, NewSchedule, PreviewItem};

use super::plan::PlanFlags;
use crate::failure::Failure;
use crate::print::{self, always, text};
use crate::when::{self, When};
use crate::{completion, flags};

/// `punctual schedule preview`
#[derive(Args)]
#[command(
    override_usage = "punctual schedule preview NAME [-n N] [--from TIME]
       punctual schedule preview WHEN [OPTIONS] [-n N] [--from TIME]",
    arg_required_else_help = true
)]
pub(super) struct PreviewArgs {
    /// The schedule; unset, one that is not made yet
    #[arg(add = completion::schedules())]
    name: Option<String>,
    /// So many instants
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(i64).range(1..=1000))]
    count: i64,
    /// Those later than this one; without an offset, local time [default: now]
    #[arg(long, value_name = "TIME")]
    from: Option<When>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    plan: PlanFlags,
}

impl PreviewArgs {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        when::tell_what_was_assumed(&[("--from", self.from)]);
        let schedule = match &self.name {
            Some(_) if !self.plan.is_unused() => {
                return Err(Failure::usage(
                    "preview a schedule by its name, or one that is not made yet by its flags, not both",
                ));
            }
            // What its jobs are does not matter to when they are due.
            Some(name) => NewSchedule {
                job: None,
                ..client.schedule(name).await?.plan
            },
            None if self.plan.is_empty() => {
                return Err(Failure::usage(
                    "name a schedule, or say when with one of --cron, --every, --after and --at; see --help",
                ));
            }
            None => {
                self.plan.tell_what_was_assumed();
                self.plan.schedule(None)
            }
        };
        let order = NewPreview {
            schedule,
            from: self.from.map(|when| when.at.to_string()),
            count: Some(self.count),
        };
        let preview = client.preview(&order).await;
        let preview = preview.map_err(|error| flags::of_schedule(error, false))?;
        if self.json {
            return print::json(&preview);
        }
        print::line(&print::plain(&preview.description))?;
        if !preview.items.is_empty() {
            let columns = [always("UTC"), always("LOCAL"), always("OUTCOME"), text("NOTE")];
            print::table(&columns, preview.items.iter().map(row).collect())?;
        }
        if let Some(note) = &preview.note {
            print::note(&print::plain(note));
        }
        match preview.more {
            true => Ok(()),
            false => {
                print::note("it comes to no more");
                Ok(())
            }
        }
    }
}

fn row(item: &PreviewItem) -> Vec<Cell> {
    vec![
        print::cell(item.at.0),
        print::cell(&item.local),
        print::cell(&item.outcome),
        print::cell(item.note.as_deref().unwrap_or_default()),
    ]
}
