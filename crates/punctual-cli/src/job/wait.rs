//! `punctual job wait`, and waiting in general.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use punctual::clock::{Clock, SystemClock};
use punctual_http::Client;
use punctual_http::wire::Ending;

use super::ending;
use crate::failure::Failure;
use crate::print;
use crate::when;

/// `punctual job wait ID`
#[derive(Args)]
pub(super) struct Wait {
    /// The job's id
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
        let end = wait_for(client, &self.id, Bound::new(self.timeout)).await?;
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

/// How long somebody is willing to wait, counted from when they said so; unset, for ever.
pub(super) struct Bound {
    clock: SystemClock,
    until: Option<Duration>,
}

impl Bound {
    pub(super) fn new(length: Option<Duration>) -> Bound {
        let clock = SystemClock::new();
        let until = length.map(|length| clock.uptime().saturating_add(length));
        Bound { clock, until }
    }

    /// How long the next request waits; zero when the time is over.
    pub(super) fn next(&self) -> Duration {
        let left = self.until.map(|until| until.saturating_sub(self.clock.uptime()));
        left.unwrap_or(ONE_REQUEST).min(ONE_REQUEST)
    }
}

/// What the job came to, or that it is still pending when the time is over.
pub(super) async fn wait_for(client: &Client, id: &str, bound: Bound) -> Result<Ending, Failure> {
    loop {
        let wait = bound.next();
        let end = client.result(id, Some(wait)).await?;
        if !end.is_pending() || wait.is_zero() {
            return Ok(end);
        }
    }
}
