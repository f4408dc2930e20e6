//! `punctual serve`, `api` and `runner`: the server and a runner in one process, or each in its own on a shared store.

use std::process::ExitCode;

use clap::Args;
use punctual::target::command::Supervisor;
use punctual::worker::Worker;
use punctual::{Engine, Error};
use punctual_http::{Client, Server};
use tokio::signal::unix::Signal;

use crate::config::key::Room;
use crate::config::{Asked, Flags, Role, Settings};
use crate::failure::Failure;
use crate::log::{self, Logs};
use crate::print;
use reload::Reload;
use stop::Stop;
use targets::Targets;

pub(crate) mod api;
mod current;
pub(crate) mod defaults;
mod files;
mod reload;
pub(crate) mod runner;
mod stop;
pub(crate) mod store;
pub(crate) mod targets;

/// `punctual serve`
#[derive(Args)]
pub(crate) struct Serve {
    /// For a laptop: jobs may run every program, and call loopback and private addresses. Whoever can log in to this machine
    /// can run commands as you
    #[arg(long)]
    dev: bool,
    #[command(flatten)]
    flags: Flags<Both>,
}

/// `punctual api`
#[derive(Args)]
pub(crate) struct Api {
    #[command(flatten)]
    flags: Flags<ServerAlone>,
}

/// `punctual runner`
#[derive(Args)]
pub(crate) struct Runner {
    /// Take jobs from the server at this address, over HTTP, and not from a store
    #[arg(long, value_name = "URL", conflicts_with_all = ["store", "dispatch"])]
    server: Option<String>,
    #[command(flatten)]
    flags: Flags<RunnerAlone>,
}

struct Both;
struct ServerAlone;
struct RunnerAlone;

impl Role for Both {
    const ROOMS: &'static [&'static Room] = &[
        &store::ROOM,
        &api::ROOM,
        &runner::ROOM,
        &targets::ROOM,
        &defaults::ROOM,
        &log::ROOM,
    ];
}

impl Role for ServerAlone {
    const ROOMS: &'static [&'static Room] = &[&store::ROOM, &api::ROOM, &defaults::ROOM, &log::ROOM];
}

impl Role for RunnerAlone {
    const ROOMS: &'static [&'static Room] = &[
        &store::ROOM,
        &runner::ROOM,
        &targets::ROOM,
        &defaults::ROOM,
        &log::ROOM,
    ];
}

impl Serve {
    /// Serves and runs jobs until it is told to stop.
    pub(crate) async fn run(self, supervisor: Supervisor) -> Result<ExitCode, Failure> {
        let process = Process::begin(self.flags.asked)?;
        let settings = &process.settings;
        let targets = match self.dev {
            true => {
                tell("--dev: whoever can log in to this machine can run commands as you")?;
                Targets::everything_here(settings, supervisor)?
            }
            false => Targets::allowed(settings, supervisor)?,
        };
        let listener = api::listen(settings).await?;
        let engine = store::open(settings).await?;
        let server = api::server(settings, listener, &engine);
        let worker = targets.handle(runner::worker(settings, &engine));
        tell(&format!(
            "listening on http://{}\nkeeping jobs in {}\n{}",
            server.address(),
            store::shown(settings),
            runner::about(settings),
        ))?;
        let work = Work {
            engine: Some(engine),
            server: Some(server),
            worker: Some(worker),
            targets: Some(targets),
        };
        process.run(work).await
    }
}

impl Api {
    /// Serves until it is told to stop.
    pub(crate) async fn run(self) -> Result<ExitCode, Failure> {
        let process = Process::begin(self.flags.asked)?;
        let settings = &process.settings;
        store::is_shared(settings)?;
        let listener = api::listen(settings).await?;
        let engine = store::open(settings).await?;
        let server = api::server(settings, listener, &engine);
        tell(&format!(
            "listening on http://{}\nkeeping jobs in {}\nrunning no jobs, which is for punctual runner",
            server.address(),
            store::shown(settings),
        ))?;
        let work = Work {
            engine: Some(engine),
            server: Some(server),
            ..Work::default()
        };
        process.run(work).await
    }
}

impl Runner {
    /// Runs jobs until it is told to stop.
    pub(crate) async fn run(self, supervisor: Supervisor) -> Result<ExitCode, Failure> {
        let process = Process::begin(self.flags.asked)?;
        let settings = &process.settings;
        let targets = Targets::allowed(settings, supervisor)?;
        let (engine, worker, from) = match self.server {
            Some(server) => {
                let client = Client::new(&server)?;
                (None, runner::worker(settings, client), server)
            }
            None => {
                store::is_shared(settings)?;
                let engine = store::open_existing(settings).await?;
                let worker = runner::worker(settings, &engine);
                (Some(engine), worker, store::shown(settings))
            }
        };
        files::raise();
        let worker = targets.handle(worker);
        tell(&format!("taking jobs from {from}\n{}", runner::about(settings)))?;
        let work = Work {
            engine,
            worker: Some(worker),
            targets: Some(targets),
            ..Work::default()
        };
        process.run(work).await
    }
}

/// A process that serves until it is told to stop.
struct Process {
    asked: Asked,
    settings: Settings,
    logs: Logs,
    stop: Stop,
    hangups: Signal,
}

/// What it does.
#[derive(Default)]
struct Work {
    engine: Option<Engine>,
    server: Option<Server>,
    worker: Option<Worker>,
    targets: Option<Targets>,
}

impl Process {
    /// Reads the settings, and hears signals and writes logs from now on.
    fn begin(asked: Asked) -> Result<Process, Failure> {
        let settings = Settings::load(&asked)?;
        let logs = Logs::begin(&settings);
        Ok(Process {
            asked,
            settings,
            logs,
            hangups: stop::hangups()?,
            stop: Stop::listen()?,
        })
    }

    async fn run(self, work: Work) -> Result<ExitCode, Failure> {
        let stop = self.stop;
        let reload = Reload::new(self.asked, self.settings, self.logs, work.targets);
        tokio::spawn(reload.at_each(self.hangups));
        let serving = async {
            let Some(server) = work.server else { return };
            tokio::select! {
                biased;
                () = server.run_until(stop.soft()) => {}
                () = stop.hard() => {}
            }
        };
        let working = async {
            let Some(worker) = work.worker else { return Ok(()) };
            let worked = worker.hard_stop(stop.hard()).run_until(stop.soft()).await;
            // A runner that ends by itself takes the server with it: half a service would look like a whole one.
            stop.now();
            worked
        };
        let ((), worked) = tokio::join!(serving, working);
        close(work.engine).await?;
        worked?;
        Ok(stop.code())
    }
}

async fn close(engine: Option<Engine>) -> Result<(), Error> {
    match engine {
        Some(engine) => engine.close().await,
        None => Ok(()),
    }
}

/// Tells whoever started it. With nobody to read that, it serves all the same.
fn tell(text: &str) -> Result<(), Failure> {
    print::if_read(print::line(text))
}
