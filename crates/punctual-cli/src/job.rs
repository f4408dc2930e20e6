//! `punctual job`: everything about jobs, on a server or straight on a store.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::failure::Failure;
use crate::place::Place;

mod add;
mod attempts;
mod cancel;
mod delete;
mod edit;
mod ending;
mod filter;
mod list;
mod many;
mod output;
mod retry;
mod run;
mod show;
mod tale;
mod wait;

pub(crate) use wait::wait_for_end;

/// `punctual job …`
#[derive(Args)]
pub(crate) struct JobArgs {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: JobCommand,
}

#[derive(Subcommand)]
enum JobCommand {
    /// Add a job
    Add(Box<add::Add>),
    /// List jobs: what runs, what is due next, what ended last
    List(list::ListArgs),
    /// Show all there is to know of a job
    Show(show::Show),
    /// Wait until a job has ended: exits 0 if it succeeded, 1 failed, 2 cancelled, 75 still pending
    Wait(wait::Wait),
    /// Change a job that has not started
    Edit(edit::EditArgs),
    /// Cancel a job, or many: at once if they wait, as soon as they have stopped if they run
    Cancel(cancel::CancelArgs),
    /// Begin a job, or many, anew that have ended: due now, their attempts allowed once more
    Retry(retry::RetryArgs),
    /// Make a waiting job, or several, due now
    Run(run::RunArgs),
    /// Delete a job, or many, that do not run
    Delete(delete::DeleteArgs),
    /// Show every execution of a job
    Attempts(attempts::AttemptsArgs),
    /// Print what a run of a job has put out, also while it runs
    Output(output::OutputArgs),
}

impl JobArgs {
    pub(crate) async fn run(self) -> Result<ExitCode, Failure> {
        let place = match &self.command {
            JobCommand::Add(add) => self.place.unless(add.place()),
            _ => self.place,
        };
        let access = place.enter().await?;
        let client = &access.client;
        let done = match self.command {
            JobCommand::Add(add) => add.run(client).await,
            JobCommand::List(list) => list.run(client).await,
            JobCommand::Show(show) => show.run(client).await,
            JobCommand::Wait(wait) => wait.run(client).await,
            JobCommand::Edit(edit) => edit.run(client).await,
            JobCommand::Cancel(cancel) => cancel.run(client).await,
            JobCommand::Retry(retry) => retry.run(client).await,
            JobCommand::Run(run) => run.run(client).await,
            JobCommand::Delete(delete) => delete.run(client).await,
            JobCommand::Attempts(attempts) => attempts.run(client).await,
            JobCommand::Output(output) => output.run(client).await,
        };
        access.leave().await?;
        done
    }
}
