//! `punctual schedule`: what runs by the clock, on a server or straight on a store.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use punctual_http::Client;
use punctual_http::wire::Schedule;

use crate::failure::Failure;
use crate::place::Place;
use crate::reason::Reason;
use crate::{completion, print};

mod apply;
mod backfill;
mod calendar;
mod delete;
mod file;
mod import;
mod list;
mod occurrences;
mod plan;
mod preview;
mod set;
mod show;
mod standing;
mod trigger;

pub(crate) use plan::is_of_plan;

/// `punctual schedule …`
#[derive(Args)]
pub(crate) struct ScheduleArgs {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: ScheduleCommand,
}

#[derive(Subcommand)]
enum ScheduleCommand {
    /// Make a schedule, or give one another plan; or those of a file
    Set(Box<set::Set>),
    /// Make schedules of the entries of a crontab
    Import(import::ImportArgs),
    /// List schedules: when each fires, next and last, and what holds it
    List(list::ListArgs),
    /// Show all there is to know of a schedule
    Show(OneArgs),
    /// Show the next instants of a schedule, or of one that is not made yet, and what changing clocks do to each
    Preview(Box<preview::PreviewArgs>),
    /// Hold a schedule: what comes due is skipped; what runs goes on
    Pause(PauseArgs),
    /// End a pause
    Resume(OneArgs),
    /// Make a job of a schedule's now, out of turn
    Trigger(trigger::TriggerArgs),
    /// Make jobs for instants that were skipped, or lie before the schedule was made
    Backfill(backfill::BackfillArgs),
    /// List what became of each instant of a schedule, the latest first
    Occurrences(occurrences::OccurrencesArgs),
    /// Delete a schedule with the record of its instants; the jobs that it has made stay
    Delete(delete::DeleteArgs),
    /// Say in words why a schedule fires, or does not
    Explain(OneArgs),
    /// Look at calendars, set and delete them: dates with a name, on which schedules rest
    Calendar(calendar::CalendarArgs),
}

/// `punctual schedule show NAME`, `resume NAME`, `explain NAME`
#[derive(Args)]
struct OneArgs {
    /// The schedule
    #[arg(add = completion::schedules())]
    name: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// `punctual schedule pause NAME`
#[derive(Args)]
struct PauseArgs {
    #[command(flatten)]
    one: OneArgs,
    #[command(flatten)]
    why: Reason,
}

impl ScheduleArgs {
    pub(crate) async fn run(self) -> Result<ExitCode, Failure> {
        let place = match &self.command {
            ScheduleCommand::Set(set) => self.place.unless(set.place()),
            _ => self.place,
        };
        let access = place.enter().await?;
        let done = self.command.run(&access.client).await;
        access.leave().await?;
        done
    }
}

impl ScheduleCommand {
    async fn run(self, client: &Client) -> Result<ExitCode, Failure> {
        let done = match self {
            ScheduleCommand::Trigger(trigger) => return trigger.run(client).await,
            ScheduleCommand::Set(set) => set.run(client).await,
            ScheduleCommand::Import(import) => import.run(client).await,
            ScheduleCommand::List(list) => list.run(client).await,
            ScheduleCommand::Show(one) => show::run(client, &one).await,
            ScheduleCommand::Preview(preview) => preview.run(client).await,
            ScheduleCommand::Pause(PauseArgs { one, why }) => {
                let schedule = client.pause_schedule(&one.name, &why.reason, None).await?;
                tell(&schedule, "is paused", one.json)
            }
            ScheduleCommand::Resume(one) => {
                let schedule = client.resume_schedule(&one.name, None).await?;
                let goes_on = format!("goes on: {}", standing::of(&schedule));
                tell(&schedule, &goes_on, one.json)
            }
            ScheduleCommand::Backfill(backfill) => backfill.run(client).await,
            ScheduleCommand::Occurrences(occurrences) => occurrences.run(client).await,
            ScheduleCommand::Delete(delete) => delete.run(client).await,
            ScheduleCommand::Explain(one) => explain(client, &one).await,
            ScheduleCommand::Calendar(calendar) => calendar.run(client).await,
        };
        done.map(|()| ExitCode::SUCCESS)
    }
}

/// Prints what a schedule does now that it was told to.
fn tell(schedule: &Schedule, does: &str, json: bool) -> Result<(), Failure> {
    match json {
        true => print::json(schedule),
        false => print::line(&format!("schedule {} {does}", print::plain(&schedule.head.name))),
    }
}

async fn explain(client: &Client, one: &OneArgs) -> Result<(), Failure> {
    let explanation = client.explain_schedule(&one.name).await?;
    match one.json {
        true => print::json(&explanation),
        false => explanation
            .sentences
            .iter()
            .try_for_each(|sentence| print::line(&print::plain(sentence))),
    }
}
