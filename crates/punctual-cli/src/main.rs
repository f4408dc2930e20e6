//! The command `punctual`: the server and its runner, in one process or several, and a client to talk to it.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use punctual::target::command::Supervisor;

use crate::failure::Failure;

mod ask;
mod bar;
mod completion;
mod config;
mod failure;
mod flags;
mod input;
mod job;
mod lines;
mod log;
mod man;
mod patience;
mod place;
mod print;
mod queue;
mod reason;
mod schedule;
mod serve;
mod store;
mod task;
mod usage;
mod version;
mod when;
mod worker;

/// A durable job scheduler: jobs run when they are due, and whoever waits gets the result.
#[derive(Parser)]
#[command(name = "punctual", version, long_version = version::TEXT.as_str(), max_term_width = 100)]
struct Punctual {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
#[allow(clippy::large_enum_variant, reason = "there is one, and it is read once")]
enum Command {
    /// Run the server and a runner in one process, on a SQLite file in the current directory
    Serve(serve::Serve),
    /// Run the server alone, on a store that it shares with runners
    Api(serve::Api),
    /// Run jobs alone, of a store that it shares with others or of a far server
    Runner(serve::Runner),
    /// Add jobs, look at them, wait for them, cancel them
    Job(job::JobArgs),
    /// Run jobs by the clock: set schedules, preview them, look up what became of each instant
    Schedule(schedule::ScheduleArgs),
    /// Look at queues, pause, limit and empty them
    Queue(queue::QueueArgs),
    /// Look at who runs jobs
    Worker(worker::WorkerArgs),
    /// Show and check the settings
    Config(config::ConfigArgs),
    /// Check a store, back it up, move it to another
    #[command(name = "store")]
    Storage(store::StoreArgs),
    /// Print lines that teach a shell to complete commands, ids of jobs and queues
    Completion(completion::Completion),
    /// Print the manual page, or write the pages of all commands to a folder
    Man(man::Manual),
}

fn main() -> ExitCode {
    let supervisor = Supervisor::enter();
    match completion::answer::<Punctual>() {
        Ok(false) => {}
        Ok(true) => return ExitCode::SUCCESS,
        Err(failure) => return failure.tell(),
    }
    let done = match Punctual::try_parse() {
        Ok(punctual) => run(punctual, supervisor),
        Err(usage) => Err(usage.into()),
    };
    match done {
        Ok(code) => code,
        Err(failure) => failure.tell(),
    }
}

/// How long the end waits for threads that block, such as a look-up of a name that nobody answers. What is to be kept is
/// written by then; a runtime that is merely dropped would wait for them without bound.
const LAST_THREADS: Duration = Duration::from_secs(2);

fn run(punctual: Punctual, supervisor: Supervisor) -> Result<ExitCode, Failure> {
    let mut runtime = match punctual.command {
        Command::Serve(_) | Command::Api(_) | Command::Runner(_) => {
            tokio::runtime::Builder::new_multi_thread()
        }
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = runtime.enable_all().build()?;
    let done = match punctual.command {
        Command::Serve(serve) => runtime.block_on(serve.run(supervisor)),
        Command::Api(api) => runtime.block_on(api.run()),
        Command::Runner(runner) => runtime.block_on(runner.run(supervisor)),
        Command::Job(job) => runtime.block_on(job.run()),
        Command::Schedule(schedule) => runtime.block_on(schedule.run()),
        Command::Queue(queue) => runtime.block_on(queue.run()),
        Command::Worker(worker) => runtime.block_on(worker.run()),
        Command::Config(config) => config.run(),
        Command::Storage(store) => runtime.block_on(store.run()),
        Command::Completion(completion) => completion.run(),
        Command::Man(manual) => manual.run::<Punctual>(),
    };
    runtime.shutdown_timeout(LAST_THREADS);
    done
}
