//! Completion in a shell: of commands and options, and of what there is where the command would go.
//!
//! `punctual completion SHELL` prints a few lines for the shell. They call this program whenever somebody asks for a
//! completion, with [`VARIABLE`] set, and it answers from the same description of its commands that it reads them by.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, CommandFactory, ValueEnum};
use clap_complete::engine::{ArgValueCandidates, ArgValueCompleter, CompletionCandidate};
use clap_complete::env::{CompleteEnv, EnvCompleter, Fish, Shells, Zsh};
use punctual::Timestamp;
use punctual::engine::{Cursor, View};
use punctual::job::{JobId, Phase};
use punctual_http::Client;
use punctual_http::wire::{CalendarHead, Head, ListQuery, Queue, Schedule, write_cursor};

use self::bash::Bash;
use crate::failure::Failure;
use crate::place::Place;
use crate::print;

mod bash;

/// Set by the lines in the shell. The name is not that of a setting, which a server would refuse.
const VARIABLE: &str = "_PUNCTUAL_COMPLETE";
/// Somebody has pressed a key and waits: a server that takes longer has nothing to offer.
const PATIENCE: Duration = Duration::from_secs(1);
/// Jobs of each state that are offered: more than a screen holds.
const OFFERED: &str = "50";

/// `punctual completion SHELL`
#[derive(Args)]
pub(crate) struct Completion {
    /// The shell to print lines for
    shell: Shell,
}

#[derive(Clone, Copy, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl Completion {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let shell: &dyn EnvCompleter = match self.shell {
            Shell::Bash => &Bash,
            Shell::Zsh => &Zsh,
            Shell::Fish => &Fish,
        };
        let mut lines = Vec::new();
        shell.write_registration(VARIABLE, "punctual", "punctual", "punctual", &mut lines)?;
        print::bytes(&lines)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Answers a shell that asks for a completion. Tells whether one did.
pub(crate) fn answer<C: CommandFactory>() -> Result<bool, Failure> {
    let here = env::current_dir().ok();
    let complete = CompleteEnv::with_factory(C::command)
        .var(VARIABLE)
        .shells(Shells(&[&Bash, &Zsh, &Fish]));
    Ok(complete.try_complete(env::args_os(), here.as_deref())?)
}

/// Offers the ids of jobs: those that run, those due next, those that ended last; once it has begun, those that begin so.
pub(crate) fn jobs() -> ArgValueCompleter {
    ArgValueCompleter::new(|begun: &OsStr| {
        let begun = begun.to_string_lossy();
        let offer = |job: Head| {
            let told = format!("{} {}", print::plain(&job.kind), job.phase);
            CompletionCandidate::new(job.id).help(Some(told.into()))
        };
        let jobs = match begun.is_empty() {
            true => found(heads),
            false => found(async |client: &Client| heads_that_begin(client, &begun).await),
        };
        jobs.into_iter().map(offer).collect()
    })
}

/// Offers the states that jobs can be looked for by.
pub(crate) fn states() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let phases = Phase::ALL.iter().map(|phase| phase.as_str());
        let states = ["waiting", "ended"].into_iter().chain(phases);
        states.map(CompletionCandidate::new).collect()
    })
}

/// Offers the names of queues, as many as one page has.
pub(crate) fn queues() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let offer = |queue: Queue| CompletionCandidate::new(queue.name);
        found(page_of_queues).into_iter().map(offer).collect()
    })
}

/// Offers the names of schedules, as many as one page has.
pub(crate) fn schedules() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let offer = |schedule: Schedule| {
            let told = print::plain(&schedule.head.description);
            CompletionCandidate::new(schedule.head.name).help(Some(told.into()))
        };
        let page = async |client: &Client| Ok(client.schedules(None).await?.items);
        found(page).into_iter().map(offer).collect()
    })
}

/// Offers the names of calendars, as many as one page has.
pub(crate) fn calendars() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let offer = |calendar: CalendarHead| CompletionCandidate::new(calendar.name);
        let page = async |client: &Client| Ok(client.calendars(None).await?.items);
        found(page).into_iter().map(offer).collect()
    })
}

/// What can be offered; nothing where there is no server, since a prompt is no place for an error.
fn found<T>(ask: impl AsyncFnOnce(&Client) -> Result<Vec<T>, Failure>) -> Vec<T> {
    let asked = || -> io::Result<Vec<T>> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let found = runtime.block_on(async { tokio::time::timeout(PATIENCE, look(ask)).await });
        Ok(found.ok().and_then(Result::ok).unwrap_or_default())
    };
    asked().unwrap_or_default()
}

async fn look<T>(ask: impl AsyncFnOnce(&Client) -> Result<Vec<T>, Failure>) -> Result<Vec<T>, Failure> {
    let access = Place::of_words(env::args_os().map(OsString::into_string))
        .enter()
        .await?;
    let found = ask(&access.client).await;
    access.leave().await?;
    found
}

/// Jobs whose ids begin so. All jobs are listed in the order of their ids, and a list goes on behind any id, there or not.
async fn heads_that_begin(client: &Client, begun: &str) -> Result<Vec<Head>, Failure> {
    let Some(first) = first_id(begun) else {
        return Ok(Vec::new());
    };
    let query = ListQuery {
        limit: Some(OFFERED.to_owned()),
        cursor: before(first).map(|cursor| write_cursor(cursor, View::All)),
        ..ListQuery::default()
    };
    let mut heads = client.list(&query).await?.items;
    heads.retain(|head| head.id.starts_with(begun));
    Ok(heads)
}

/// The lowest id that begins so, as a number; none if no id does.
fn first_id(begun: &str) -> Option<u128> {
    let mut id = String::from("00000000-0000-0000-0000-000000000000");
    if begun.len() > id.len() || !begun.is_ascii() {
        return None;
    }
    id.replace_range(..begun.len(), begun);
    let id: JobId = id.parse().ok()?;
    Some(id.0.as_u128())
}

/// The place in the list of all jobs before this id.
fn before(id: u128) -> Option<Cursor> {
    let id: JobId = format!("{:032x}", id.checked_sub(1)?).parse().ok()?;
    let at = Timestamp::EPOCH;
    Some(Cursor { at, id })
}

async fn page_of_queues(client: &Client) -> Result<Vec<Queue>, Failure> {
    Ok(client.queues(None).await?.items)
}

async fn heads(client: &Client) -> Result<Vec<Head>, Failure> {
    let mut found = Vec::new();
    for state in ["running", "waiting", "ended"] {
        let query = ListQuery {
            state: Some(state.to_owned()),
            limit: Some(OFFERED.to_owned()),
            ..ListQuery::default()
        };
        found.extend(client.list(&query).await?.items);
    }
    Ok(found)
}
