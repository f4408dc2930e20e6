//! `punctual store`: a store as a thing, beside what is in it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand, ValueHint};
use punctual::Engine;
use punctual::time::format_length;
use serde::Serialize;

use crate::config::{Asked, Settings};
use crate::failure::Failure;
use crate::{place, print, serve, when};

mod export;
mod import;
mod migrate;

use export::Export;
use import::Import;
use migrate::Migrate;

/// `punctual store …`
#[derive(Args)]
pub(crate) struct StoreArgs {
    /// The store; unset, the one that a server here would open [env: PUNCTUAL_STORE] [default: sqlite:punctual.db]
    #[arg(long, value_name = "URL", global = true)]
    store: Option<String>,
    #[command(subcommand)]
    command: StoreCommand,
}

#[derive(Subcommand)]
enum StoreCommand {
    /// Tell what the store is and what it promises, and read all of it to see that it is whole
    Check(Check),
    /// Copy a SQLite file while others use it, and check the copy
    Backup(Backup),
    /// Write all that a store keeps to a file, a line of JSON each, to be imported into any other store
    Export(Export),
    /// Add what an export holds to a store, which is made if it is not there; a second import adds nothing twice
    Import(Import),
    /// Bring the store's schema up to date, and make the store if it is not there; who opens a store does so, too
    Migrate(Migrate),
}

/// `punctual store check`
#[derive(Args)]
struct Check {
    /// What jobs in PostgreSQL are dispatched through, such as redis://HOST; unset, and without --store, what a server here would
    /// dispatch through [env: PUNCTUAL_DISPATCH]
    #[arg(long, value_name = "URL")]
    dispatch: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// `punctual store backup FILE`
#[derive(Args)]
struct Backup {
    /// Where to; it must not be there yet
    #[arg(value_hint = ValueHint::FilePath)]
    file: PathBuf,
    /// Replace the file if it is there
    #[arg(long)]
    force: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Checked {
    store: &'static str,
    version: String,
    schema: u32,
    durable: bool,
    notes: Vec<String>,
    clock_ahead: String,
    latency: String,
}

#[derive(Serialize)]
struct Copied {
    file: String,
    bytes: u64,
}

/// How much was moved, in words. Schedules are told where there are any.
fn counted(jobs: u64, records: u64, schedules: u64) -> String {
    let (jobs, records) = (print::count(jobs, "job"), print::count(records, "record"));
    match schedules {
        0 => format!("{jobs} and {records}"),
        _ => format!("{jobs}, {records} and {}", print::count(schedules, "schedule")),
    }
}

impl StoreArgs {
    pub(crate) async fn run(self) -> Result<ExitCode, Failure> {
        let (url, dispatch) = match self.store {
            Some(url) => (url, None),
            None => {
                let settings = Settings::load(&Asked::default())?;
                let dispatch = settings.given(&serve::store::DISPATCH);
                (settings.get(&serve::store::STORE), dispatch)
            }
        };
        match self.command {
            StoreCommand::Check(check) => check.run(&url, dispatch).await?,
            StoreCommand::Backup(backup) => backup.run(&url).await?,
            StoreCommand::Export(export) => export.run(&url).await?,
            StoreCommand::Import(import) => return import.run(&url).await,
            StoreCommand::Migrate(migrate) => migrate.run(&url).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Check {
    async fn run(self, url: &str, dispatch: Option<String>) -> Result<(), Failure> {
        let dispatch = self.dispatch.or(dispatch);
        let engine = place::open_dispatched(url, dispatch.as_deref()).await?;
        engine.check().await?;
        let report = engine.inspect().await.map_err(damaged)?;
        engine.close().await?;
        let ahead = Duration::from_micros(report.clock_ahead_micros.unsigned_abs());
        let sign = if report.clock_ahead_micros < 0 { "-" } else { "" };
        let checked = Checked {
            store: report.store,
            version: report.version,
            schema: report.schema,
            durable: report.durable,
            notes: report.notes,
            clock_ahead: format!("{sign}{}", format_length(ahead)),
            latency: format_length(report.latency),
        };
        if self.json {
            return print::json(&checked);
        }
        let durable = if checked.durable { "yes" } else { "no" };
        print::facts([
            ("store", format!("{} {}", checked.store, checked.version)),
            ("schema", checked.schema.to_string()),
            ("durable", durable.to_owned()),
            ("notes", checked.notes.join(" ")),
            ("clock ahead", checked.clock_ahead),
            ("latency", when::coarse(report.latency)),
        ])
    }
}

/// What is to be done about a store that is damaged.
fn damaged(error: punctual::Error) -> Failure {
    match error.kind() {
        punctual::Kind::Internal => {
            let message = format!("{error}, which is a file that `punctual store backup` made");
            Failure::of(error.kind(), message)
        }
        _ => error.into(),
    }
}

impl Backup {
    async fn run(self, url: &str) -> Result<(), Failure> {
        let copied = Engine::back_up(url, &self.file, self.force).await;
        let bytes = copied.map_err(|error| match error.kind() {
            punctual::Kind::Conflict if !self.force => {
                Failure::of(error.kind(), format!("{error}; --force replaces a file"))
            }
            _ => error.into(),
        })?;
        let file = self.file.display().to_string();
        if self.json {
            return print::json(&Copied { file, bytes });
        }
        print::line(&format!(
            "{} is a checked copy, {bytes} bytes long",
            print::plain(&file)
        ))
    }
}
