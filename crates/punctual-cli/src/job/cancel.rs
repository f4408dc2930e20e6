//! `punctual job cancel`.

use std::process::ExitCode;

use clap::Args;
use punctual_http::Client;
use punctual_http::wire::Verb;

use super::many::Which;
use crate::failure::Failure;
use crate::print;

/// `punctual job cancel ID`
#[derive(Args)]
pub(super) struct CancelArgs {
    #[command(flatten)]
    which: Which,
    /// Why, for people
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl CancelArgs {
    pub(super) async fn run(self, client: &Client) -> Result<ExitCode, Failure> {
        let Some(id) = self.which.one()? else {
            let reason = Some(self.reason);
            return self.which.all(client, Verb::Cancel, reason, self.json).await;
        };
        let job = client.cancel(id, &self.reason, None).await?;
        if self.json {
            print::json(&job)?;
        } else {
            let ends = if job.head.phase == "cancelling" {
                ", and ends when its run has stopped"
            } else {
                ""
            };
            print::line(&format!("{} is {}{ends}", job.head.id, job.head.phase))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
