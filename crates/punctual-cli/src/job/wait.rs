//! `punctual job wait`, and waiting in general.

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use punctual::clock::{Clock, SystemClock};
use punctual_http::Client;
use punctual_http::wire::Ending;

use super::ending;
use super::tale::Tale;
use crate::completion;
use crate::failure::Failure;
use crate::patience::Patience;
use crate::print;
use crate::when;

/// `punctual job wait ID`
#[derive(Args)]
pub(super) struct Wait {
    /// The job's id
    #[arg(add = completion::jobs())]
    id: String,
    /// Wait at most this long, and exit 75 if the job is still pending
    #[arg(long, value_name = "LENGTH", value_parser = when::length)]
    timeout: Option<Duration>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Wait {
    pub(super) async fn run(self, client: &Client) -> Result<ExitCode, Failure> {
        wait_for_end(client, &self.id, self.timeout, self.json).await
    }
}

/// Waits for the end of a job, at most this long, and prints what it came to.
pub(crate) async fn wait_for_end(
    client: &Client,
    id: &str,
    timeout: Option<Duration>,
    json: bool,
) -> Result<ExitCode, Failure> {
    let bound = Bound::new(timeout, json);
    // Asked for before the wait: once it is over, nothing may stand between the job's end and whoever waits for it.
    let kind = client.job(id).await?.head.kind;
    let end = wait_for(client, id, bound, Tale::of_the_last()).await?;
    let printed = match json {
        true => print::json(&end),
        false => ending::print(&kind, &end),
    };
    print::if_read(printed)?;
    Ok(ending::code(&end))
}

/// One request waits at most this long: a connection that fails unseen is noticed by then.
const ONE_REQUEST: Duration = Duration::from_secs(30);
/// Or this long where a person sits at a terminal, and is told of each attempt.
const ONE_LOOK: Duration = Duration::from_secs(1);
/// Or this long where nobody sits there, but a log is told of each attempt.
const ONE_LOGGED_LOOK: Duration = Duration::from_secs(5);

/// How long somebody is willing to wait, counted from when they said so; unset, for ever.
pub(super) struct Bound {
    clock: SystemClock,
    until: Option<Duration>,
    /// The longest that one request waits.
    longest: Duration,
    /// Whether each attempt is told of.
    is_told: bool,
}

impl Bound {
    /// Attempts are told of to people, and into logs unless it is JSON that is wanted.
    pub(super) fn new(length: Option<Duration>, json: bool) -> Bound {
        let clock = SystemClock::new();
        let until = length.map(|length| clock.uptime().saturating_add(length));
        let (longest, is_told) = match (io::stderr().is_terminal(), json) {
            (true, _) => (ONE_LOOK, true),
            (false, false) => (ONE_LOGGED_LOOK, true),
            (false, true) => (ONE_REQUEST, false),
        };
        Bound {
            clock,
            until,
            longest,
            is_told,
        }
    }

    /// How long the next request waits; zero when the time is over.
    fn next(&self) -> Duration {
        let left = self.until.map(|until| until.saturating_sub(self.clock.uptime()));
        left.unwrap_or(self.longest).min(self.longest)
    }
}

/// What the job came to, or that it is still pending when the time is over. A server that starts anew meanwhile is waited
/// for, too. Tells of each attempt that did not end the job, where somebody is to hear of them.
pub(super) async fn wait_for(
    client: &Client,
    id: &str,
    bound: Bound,
    mut tale: Tale,
) -> Result<Ending, Failure> {
    let mut patience = Patience::until(bound.until);
    loop {
        let mut wait = Duration::ZERO;
        let ask = async || {
            wait = bound.next();
            client.result(id, Some(wait)).await
        };
        let end = patience.ask(ask, print::note).await?;
        // A job that is gone by now has no tale, but its end is known.
        if bound.is_told
            && let (Ok(job), Ok(attempts)) = (client.job(id).await, client.attempts(id).await)
        {
            tale.go_on(&job, &attempts.items);
        }
        if !end.is_pending() || wait.is_zero() {
            return Ok(end);
        }
    }
}
