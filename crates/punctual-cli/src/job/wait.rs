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
        let end = wait_for(client, &self.id, Bound::new(self.timeout), Tale::of_the_last()).await?;
        let printed = if self.json {
            print::json(&end)
        } else {
            let kind = client.job(&self.id).await?.head.kind;
            ending::print(&kind, &end)
        };
        print::if_read(printed)?;
        Ok(ending::code(&end))
    }
}

/// One request waits at most this long: a connection that fails unseen is noticed by then.
const ONE_REQUEST: Duration = Duration::from_secs(30);
/// Or this long where a person sits at a terminal, and is told of each attempt.
const ONE_LOOK: Duration = Duration::from_secs(1);

/// How long somebody is willing to wait, counted from when they said so; unset, for ever.
pub(super) struct Bound {
    clock: SystemClock,
    until: Option<Duration>,
    is_watched: bool,
}

impl Bound {
    pub(super) fn new(length: Option<Duration>) -> Bound {
        let clock = SystemClock::new();
        let until = length.map(|length| clock.uptime().saturating_add(length));
        Bound {
            clock,
            until,
            is_watched: io::stderr().is_terminal(),
        }
    }

    /// How long the next request waits; zero when the time is over.
    pub(super) fn next(&self) -> Duration {
        let longest = if self.is_watched { ONE_LOOK } else { ONE_REQUEST };
        let left = self.until.map(|until| until.saturating_sub(self.clock.uptime()));
        left.unwrap_or(longest).min(longest)
    }
}

/// What the job came to, or that it is still pending when the time is over. Where somebody watches, tells of each attempt
/// that did not end it.
pub(super) async fn wait_for(
    client: &Client,
    id: &str,
    bound: Bound,
    mut tale: Tale,
) -> Result<Ending, Failure> {
    loop {
        let wait = bound.next();
        let end = client.result(id, Some(wait)).await?;
        // A job that is gone by now has no tale, but its end is known.
        if bound.is_watched
            && let (Ok(job), Ok(attempts)) = (client.job(id).await, client.attempts(id).await)
        {
            tale.go_on(&job, &attempts.items);
        }
        if !end.is_pending() || wait.is_zero() {
            return Ok(end);
        }
    }
}
