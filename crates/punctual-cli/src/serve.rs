//! `punctual serve`: the server and a runner on one engine, in one process.

use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use punctual::job::Defaults;
use punctual::limits::LEASE_MIN;
use punctual::queue::Retention;
use punctual::target::command::Supervisor;
use punctual::worker::Worker;
use punctual::{Engine, limits};
use punctual_http::Server;
use punctual_http::server::ServerSettings;
use tracing_subscriber::EnvFilter;

use crate::failure::Failure;
use crate::print;
use crate::when;
use stop::Stop;
use targets::Allowed;

mod files;
mod stop;
mod targets;
mod variables;

/// `punctual serve`
#[derive(Args)]
pub(crate) struct Serve {
    /// For a laptop: jobs may run every program, and call loopback and private addresses. Whoever can log in to this machine
    /// can run commands as you
    #[arg(long)]
    dev: bool,
    /// Where jobs are kept: sqlite:FILE, or memory: to forget them at the end
    #[arg(
        long,
        env = "PUNCTUAL_STORE",
        hide_env_values = true,
        default_value = "sqlite:punctual.db",
        value_name = "URL"
    )]
    store: String,
    /// Where to listen; loopback only, since there are no keys yet
    #[arg(long, env = "PUNCTUAL_BIND", hide_env_values = true, default_value = "127.0.0.1:7373", value_name = "ADDRESS", value_parser = bind)]
    bind: SocketAddr,
    /// How many jobs run at once
    #[arg(
        long,
        env = "PUNCTUAL_RUNNER__CONCURRENCY", hide_env_values = true,
        default_value = "64",
        value_name = "N",
        value_parser = clap::value_parser!(u16).range(1..=limits::CONCURRENCY_MAX as i64)
    )]
    concurrency: u16,
    /// How many jobs may be reserved ahead
    #[arg(
        long,
        env = "PUNCTUAL_RUNNER__PREFETCH", hide_env_values = true,
        default_value = "0",
        value_name = "N",
        value_parser = clap::value_parser!(u16).range(0..=limits::CONCURRENCY_MAX as i64)
    )]
    prefetch: u16,
    /// How long a job is leased: should this process be killed, its jobs run again so much later
    #[arg(long, env = "PUNCTUAL_RUNNER__LEASE", hide_env_values = true, default_value = "30s", value_name = "LENGTH", value_parser = lease)]
    lease: Duration,
    /// The queues to run jobs of
    #[arg(
        long,
        env = "PUNCTUAL_RUNNER__QUEUES",
        hide_env_values = true,
        default_value = "http,command",
        value_name = "NAMES",
        value_delimiter = ','
    )]
    queues: Vec<String>,
    /// A program that jobs may run, by its name or path; may be repeated
    #[arg(
        long = "allow-command",
        env = "PUNCTUAL_TARGETS__COMMAND__ALLOW",
        hide_env_values = true,
        value_name = "PROGRAM",
        value_delimiter = ',',
        conflicts_with = "dev"
    )]
    commands: Vec<String>,
    /// Addresses that jobs may call though they are private, as CIDR; may be repeated
    #[arg(
        long = "allow-net",
        env = "PUNCTUAL_TARGETS__HTTP__ALLOW",
        hide_env_values = true,
        value_name = "CIDR",
        value_delimiter = ',',
        conflicts_with = "dev"
    )]
    nets: Vec<String>,
    #[command(flatten)]
    defaults: DefaultArgs,
}

/// What holds for jobs that do not say.
#[derive(Args)]
#[command(next_help_heading = "Defaults of jobs")]
struct DefaultArgs {
    /// The longest that one attempt may take [default: 30s for http, 1h for others]
    #[arg(long, env = "PUNCTUAL_DEFAULTS__TIMEOUT", hide_env_values = true, value_name = "LENGTH", value_parser = when::length)]
    default_timeout: Option<Duration>,
    /// Attempts before a job fails
    #[arg(
        long,
        env = "PUNCTUAL_DEFAULTS__MAX_ATTEMPTS", hide_env_values = true,
        default_value_t = limits::ATTEMPTS,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..=i64::from(limits::ATTEMPTS_MAX))
    )]
    default_max_attempts: u32,
    /// How long succeeded jobs are kept; 0 deletes them at once
    #[arg(
        long,
        env = "PUNCTUAL_RETENTION__SUCCEEDED", hide_env_values = true,
        default_value = "1d",
        value_name = "LENGTH",
        value_parser = when::length
    )]
    keep_succeeded: Duration,
    /// How long failed jobs are kept
    #[arg(
        long,
        env = "PUNCTUAL_RETENTION__FAILED", hide_env_values = true,
        default_value = "7d",
        value_name = "LENGTH",
        value_parser = when::length
    )]
    keep_failed: Duration,
    /// How long cancelled jobs are kept
    #[arg(
        long,
        env = "PUNCTUAL_RETENTION__CANCELLED", hide_env_values = true,
        default_value = "7d",
        value_name = "LENGTH",
        value_parser = when::length
    )]
    keep_cancelled: Duration,
}

impl Serve {
    /// Serves until it is told to stop.
    pub(crate) async fn run(self, supervisor: Supervisor) -> Result<ExitCode, Failure> {
        variables::check(std::env::vars_os().map(|(name, _)| name))?;
        write_logs()?;
        if self.dev {
            tell("--dev: whoever can log in to this machine can run commands as you")?;
        }
        let engine = Engine::builder()
            .defaults(self.defaults.read())
            .open(&self.store)
            .await?;
        let store = engine.check().await?;
        if !store.durable {
            tell(&format!(
                "what is acknowledged may be lost: {}",
                store.notes.join(" ")
            ))?;
        }
        let server = Server::bind(engine.clone(), self.bind)
            .await?
            .settings(ServerSettings {
                connections: files::connections(),
                ..ServerSettings::default()
            });
        let stop = Stop::listen()?;
        let worker = self
            .allowed()
            .handle(self.worker(&engine), supervisor)?
            .hard_stop(stop.hard());
        worker.check()?;
        self.announce(server.address())?;

        let serving = async {
            tokio::select! {
                biased;
                () = server.run_until(stop.soft()) => {}
                () = stop.hard() => {}
            }
        };
        let working = async {
            let worked = worker.run_until(stop.soft()).await;
            // A runner that ends by itself takes the server with it: half a service would look like a whole one.
            stop.now();
            worked
        };
        let ((), worked) = tokio::join!(serving, working);
        engine.close().await?;
        worked?;
        Ok(stop.code())
    }

    fn worker(&self, engine: &Engine) -> Worker {
        Worker::new(engine)
            .concurrency(usize::from(self.concurrency))
            .prefetch(usize::from(self.prefetch))
            .lease(self.lease)
            .queues(self.queues.iter().map(String::as_str))
            .defaults(engine.defaults().clone())
    }

    /// Says where it listens and what it does.
    fn announce(&self, address: SocketAddr) -> Result<(), Failure> {
        let (store, slots, queues) = (&self.store, self.concurrency, self.queues.join(", "));
        tell(&format!(
            "listening on http://{address}\nkeeping jobs in {store}\n\
             running up to {slots} jobs at once, of the queues {queues}"
        ))
    }

    fn allowed(&self) -> Allowed {
        match self.dev {
            true => Allowed::everything_here(),
            false => Allowed::only(&self.commands, &self.nets),
        }
    }
}

impl DefaultArgs {
    fn read(&self) -> Defaults {
        Defaults {
            timeout: self.default_timeout,
            max_attempts: self.default_max_attempts,
            retention: Retention {
                succeeded: self.keep_succeeded,
                failed: self.keep_failed,
                cancelled: self.keep_cancelled,
            },
            ..Defaults::default()
        }
    }
}

/// Tells whoever started it. With nobody to read that, it serves all the same.
fn tell(text: &str) -> Result<(), Failure> {
    print::if_read(print::line(text))
}

/// Logs go to standard error: what happens from `info` on, or as `PUNCTUAL_LOG` says.
fn write_logs() -> Result<(), Failure> {
    let filter = match std::env::var("PUNCTUAL_LOG") {
        Ok(text) => EnvFilter::try_new(&text).map_err(|error| {
            Failure::usage(format!("PUNCTUAL_LOG={text}: {error}; write one such as info"))
        })?,
        Err(_) => EnvFilter::new("info"),
    };
    let colours = io::stderr().is_terminal() && print::colours_wanted();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(colours)
        // It would say so on the same standard error, and panic: a terminal that is gone takes neither.
        .log_internal_errors(false)
        .init();
    Ok(())
}

/// An address and a port; `localhost` is the IPv4 one.
fn bind(text: &str) -> Result<SocketAddr, String> {
    let address = text.replacen("localhost:", "127.0.0.1:", 1);
    address
        .parse()
        .map_err(|_| "write an address and a port, such as 127.0.0.1:7373".to_owned())
}

fn lease(text: &str) -> Result<Duration, String> {
    match when::length(text)? {
        length if length < LEASE_MIN => Err("the shortest lease is 1s".to_owned()),
        length => Ok(length),
    }
}
