//! `punctual queue`: what queues are set to, and how many jobs they have.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use punctual_http::Client;
use punctual_http::wire::Queue;

use crate::failure::Failure;
use crate::place::Place;
use crate::reason::Reason;
use crate::{completion, print};

mod limit;
mod list;
mod purge;
mod show;

/// `punctual queue …`
#[derive(Args)]
pub(crate) struct QueueArgs {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: QueueCommand,
}

#[derive(Subcommand)]
enum QueueCommand {
    /// List queues: their jobs by state, how long the oldest ready one has waited, pauses and limits
    List(list::ListArgs),
    /// Show a queue: its jobs by state, and all that it is set to
    Show(OneArgs),
    /// Begin no more runs of a queue's jobs; those that run go on
    Pause(PauseArgs),
    /// End a pause
    Resume(OneArgs),
    /// Limit how many jobs run at once, how many begin in a time, and how long ended ones are kept
    Limit(limit::LimitArgs),
    /// Delete the waiting jobs of a queue, or those of another state
    Purge(purge::PurgeArgs),
}

/// `punctual queue show NAME`, `resume NAME`
#[derive(Args)]
struct OneArgs {
    /// The queue
    #[arg(add = completion::queues())]
    name: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// `punctual queue pause NAME`
#[derive(Args)]
struct PauseArgs {
    #[command(flatten)]
    one: OneArgs,
    #[command(flatten)]
    why: Reason,
}

impl QueueArgs {
    pub(crate) async fn run(self) -> Result<ExitCode, Failure> {
        let access = self.place.enter().await?;
        let done = self.command.run(&access.client).await;
        access.leave().await?;
        done.map(|()| ExitCode::SUCCESS)
    }
}

impl QueueCommand {
    async fn run(self, client: &Client) -> Result<(), Failure> {
        match self {
            QueueCommand::List(list) => list.run(client).await,
            QueueCommand::Show(one) => show::run(client, &one).await,
            QueueCommand::Pause(PauseArgs { one, why }) => {
                let queue = client.pause_queue(&one.name, &why.reason).await?;
                tell(&queue, "is paused", one.json)
            }
            QueueCommand::Resume(one) => {
                let queue = client.resume_queue(&one.name).await?;
                tell(&queue, "goes on", one.json)
            }
            QueueCommand::Limit(limit) => limit.run(client).await,
            QueueCommand::Purge(purge) => purge.run(client).await,
        }
    }
}

/// Prints what a queue does now that it was told to.
fn tell(queue: &Queue, does: &str, json: bool) -> Result<(), Failure> {
    match json {
        true => print::json(queue),
        false => print::line(&format!("queue {} {does}", print::plain(&queue.name))),
    }
}
