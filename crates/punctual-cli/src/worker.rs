//! `punctual worker`: who runs jobs.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use comfy_table::Cell;
use punctual_http::wire::Worker;

use crate::failure::Failure;
use crate::place::Place;
use crate::print::{self, always, spare};
use crate::when;

/// `punctual worker …`
#[derive(Args)]
pub(crate) struct WorkerArgs {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: WorkerCommand,
}

#[derive(Subcommand)]
enum WorkerCommand {
    /// List the workers that have told of themselves lately
    List(ListArgs),
}

/// `punctual worker list`
#[derive(Args)]
struct ListArgs {
    /// Print JSON, one line a worker
    #[arg(long)]
    json: bool,
}

impl WorkerArgs {
    pub(crate) async fn run(self) -> Result<ExitCode, Failure> {
        let access = self.place.enter().await?;
        let workers = access.client.workers().await;
        access.leave().await?;
        let WorkerCommand::List(list) = self.command;
        list.print(&workers?.items)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl ListArgs {
    fn print(&self, workers: &[Worker]) -> Result<(), Failure> {
        if self.json {
            return workers.iter().try_for_each(print::json);
        }
        if workers.is_empty() {
            print::note("no workers");
            return Ok(());
        }
        let columns = [
            always("WORKER"),
            always("RUNNING"),
            spare(1, "STATE"),
            spare(2, "LAST BEAT"),
            spare(3, "QUEUES"),
            spare(4, "HOST"),
            spare(5, "PID"),
        ];
        print::table(&columns, workers.iter().map(row).collect())
    }
}

fn row(worker: &Worker) -> Vec<Cell> {
    let slots = worker.concurrency.map(|slots| format!(" of {slots}"));
    vec![
        print::cell(&worker.worker),
        print::cell(format!("{}{}", worker.running, slots.unwrap_or_default())),
        print::cell(&worker.state),
        print::cell(when::distance_from_now(worker.beat_at.0)),
        print::cell(worker.queues.join(", ")),
        print::cell(worker.host.as_deref().unwrap_or("")),
        print::cell(worker.pid.map(|pid| pid.to_string()).unwrap_or_default()),
    ]
}
