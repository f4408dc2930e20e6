//! `punctual schedule trigger`.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use punctual::clock::{Clock, SystemClock};
use punctual_http::Client;
use punctual_http::client::ClientError;

use crate::failure::Failure;
use crate::job;
use crate::{completion, flags, print, when};

/// `punctual schedule trigger NAME`
#[derive(Args)]
pub(super) struct TriggerArgs {
    /// The schedule
    #[arg(add = completion::schedules())]
    name: String,
    /// The id of the job, a UUID: sending it again makes no second job
    #[arg(long, value_name = "UUID")]
    id: Option<String>,
    /// Wait until it has ended, at most this long, and print what it came to; exits as `job wait` does
    #[arg(long, value_name = "LENGTH", num_args = 0..=1, require_equals = true, value_parser = when::length)]
    wait: Option<Option<Duration>>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl TriggerArgs {
    pub(super) async fn run(self, client: &Client) -> Result<ExitCode, Failure> {
        let id = self.id.clone();
        let id = id.unwrap_or_else(|| SystemClock::new().fresh_id().to_string());
        // As with a job that is added: whether the first request arrived is not known, but the id makes both the same.
        let triggered = match client.trigger_schedule(&self.name, Some(&id)).await {
            Err(ClientError::Unreachable { .. }) => client.trigger_schedule(&self.name, Some(&id)).await,
            answered => answered,
        };
        let triggered = triggered.map_err(|error| flags::of_schedule(error, false))?;
        match self.wait {
            Some(length) => job::wait_for_end(client, &triggered.job, length, self.json).await,
            None => {
                match self.json {
                    true => print::json(&triggered)?,
                    false => print::line(&triggered.job)?,
                }
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}
