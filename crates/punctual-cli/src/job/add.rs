//! `punctual job add`: one job, of a target's kind or of a handler's.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use punctual::clock::{Clock, SystemClock};
use punctual::time::format_length;
use punctual_http::Client;
use punctual_http::client::ClientError;
use punctual_http::wire::{NewJob, OnConflict, Posted, Unique, UniqueKey};
use serde_json::value::RawValue;

use super::tale::Tale;
use super::wait::{Bound, wait_for};
use super::{ending, show};
use crate::failure::Failure;
use crate::place::Place;
use crate::task::{Said, Target, Usual, is_of_handler};
use crate::when::{self, When};
use crate::{flags, print};

mod file;

/// `punctual job add …`
#[derive(Args)]
#[command(
    override_usage = "punctual job add http METHOD URL [OPTIONS]
       punctual job add command [OPTIONS] -- PROGRAM [ARGUMENTS]...
       punctual job add command --shell SCRIPT [OPTIONS] [-- ARGUMENTS...]
       punctual job add KIND [--payload JSON|@FILE] [OPTIONS]
       punctual job add -f FILE [--keep-going]",
    arg_required_else_help = true
)]
pub(crate) struct Add {
    #[command(flatten)]
    file: file::FileArgs,
    #[command(subcommand)]
    target: Option<Target<JobOptions>>,
}

/// What a job takes that is added by itself.
#[derive(Args)]
#[command(next_help_heading = "Options of every job")]
struct JobOptions {
    #[command(flatten)]
    usual: Usual,
    /// The id, a UUID: sending it again is the same job
    #[arg(long, value_name = "UUID")]
    id: Option<String>,
    /// Not before this long from now, such as 5m
    #[arg(long = "in", value_name = "LENGTH", value_parser = when::length, conflicts_with = "at")]
    delay: Option<Duration>,
    /// Not before this instant; without a zone, local time
    #[arg(long, value_name = "TIME")]
    at: Option<When>,
    /// Not started by then, it fails: an instant, or a length from now
    #[arg(long, value_name = "TIME|LENGTH", value_parser = when::deadline)]
    start_deadline: Option<When>,
    /// At most one live job holds this key; a second one answers the first
    #[arg(long, value_name = "KEY")]
    unique_key: Option<String>,
    /// Hold the key for this long, whatever becomes of the job
    #[arg(long, value_name = "LENGTH", value_parser = when::length, requires = "unique_key")]
    unique_window: Option<Duration>,
    /// When another job holds the key: answer it, fail, or give it the new payload and time, or the new time
    #[arg(long, value_name = "WHAT", requires = "unique_key")]
    on_conflict: Option<Conflict>,
    /// Wait until it has ended, at most this long, and print what it came to; exits as `job wait` does
    #[arg(long, value_name = "LENGTH", num_args = 0..=1, require_equals = true, value_parser = when::length)]
    wait: Option<Option<Duration>>,
}

// No docs on the values: they would stretch the help over three pages.
#[derive(Clone, Copy, ValueEnum)]
enum Conflict {
    Existing,
    Reject,
    Replace,
    Debounce,
}

impl Add {
    /// Where to add it, as far as that stands behind the KIND of a handler.
    pub(super) fn place(&self) -> Place {
        self.target.as_ref().map(Target::place).unwrap_or_default()
    }

    pub(super) async fn run(self, client: &Client) -> Result<ExitCode, Failure> {
        let target = match (self.target, self.file.file.clone()) {
            (None, Some(file)) => return self.file.run(client, &file).await,
            (Some(target), None) => target,
            (Some(_), Some(_)) => {
                return Err(Failure::usage(
                    "add one job, or those of a file with -f, not both",
                ));
            }
            (None, None) => {
                return Err(Failure::usage(
                    "name what to add: http, command, the KIND of a handler, or a file with -f; see --help",
                ));
            }
        };
        add(client, target.read("punctual job add")?).await
    }
}

async fn add(client: &Client, said: Said<JobOptions>) -> Result<ExitCode, Failure> {
    let Said {
        kind,
        payload,
        json,
        options,
    } = said;
    when::tell_what_was_assumed(&[("--at", options.at), ("--start-deadline", options.start_deadline)]);
    let wait = options.wait.map(|length| Bound::new(length, json));
    let posted = enqueue(client, &options.job(&kind, payload), wait.is_some()).await;
    let posted = posted.map_err(match is_of_handler(&kind) {
        true => flags::of_payload,
        false => flags::of_job,
    })?;
    match wait {
        None => report(&posted, options.on_conflict, json).map(|()| ExitCode::SUCCESS),
        Some(bound) => {
            let head = &posted.job.head;
            let tale = Tale::after(head, !posted.deduplicated);
            let id = &head.id;
            let end = wait_for(client, id, bound, tale).await?;
            let printed = match json {
                // How it ended is known, whether or not there is anybody left to tell the rest.
                true => match client.job(id).await {
                    Ok(job) => print::json(&job),
                    Err(_) => print::json(&end),
                },
                false => ending::print(&head.kind, &end),
            };
            print::if_read(printed)?;
            Ok(ending::code(&end))
        }
    }
}

/// Asks twice if the connection breaks off: whether the first request arrived is not known, but the id that it named makes
/// both the same job. One that is to be waited for is refused where nothing will be left of its end; the wait itself comes
/// after, since from the answer on the job is known to be there.
async fn enqueue(client: &Client, job: &NewJob, is_awaited: bool) -> Result<Posted, ClientError> {
    let wait = is_awaited.then_some(Duration::ZERO);
    match client.enqueue(job, wait).await {
        Err(ClientError::Unreachable { .. }) => client.enqueue(job, wait).await,
        answered => answered,
    }
}

fn report(posted: &Posted, on_conflict: Option<Conflict>, json: bool) -> Result<(), Failure> {
    let head = &posted.job.head;
    if json {
        return print::json(posted);
    }
    let standing = format!("{} is {}", head.id, show::standing(head));
    if !posted.deduplicated {
        return print::line(&standing);
    }
    // A holder that waits is changed; one that has begun is answered as it is.
    let taken = match on_conflict.filter(|_| head.state == "waiting") {
        Some(Conflict::Replace) => "it held this key, and has taken the new payload and time",
        Some(Conflict::Debounce) => "it held this key, and has taken the new time",
        Some(Conflict::Existing | Conflict::Reject) | None => "it holds this key; nothing was added",
    };
    print::line(&format!("{standing}; {taken}"))
}

impl JobOptions {
    fn job(&self, kind: &str, payload: Box<RawValue>) -> NewJob {
        NewJob {
            id: Some(
                self.id
                    .clone()
                    .unwrap_or_else(|| SystemClock::new().fresh_id().to_string()),
            ),
            run_at: self.at.map(|when| when.at.to_string()),
            delay: self.delay.map(format_length),
            start_deadline: self.start_deadline.map(|when| when.at.to_string()),
            unique: self.unique_key.clone().map(|key| {
                Unique::ByKey(UniqueKey {
                    key: Some(key),
                    window: self.unique_window.map(format_length),
                    on_conflict: self.on_conflict.map(OnConflict::from),
                })
            }),
            ..self.usual.job(kind, payload)
        }
    }
}

impl From<Conflict> for OnConflict {
    fn from(word: Conflict) -> OnConflict {
        match word {
            Conflict::Existing => OnConflict::Existing,
            Conflict::Reject => OnConflict::Reject,
            Conflict::Replace => OnConflict::Replace,
            Conflict::Debounce => OnConflict::Debounce,
        }
    }
}
