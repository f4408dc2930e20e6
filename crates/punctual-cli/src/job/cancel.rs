//! `punctual job cancel`.

use std::process::ExitCode;

use clap::Args;
use punctual_http::Client;
use punctual_http::wire::{Job, Verb};

use super::many::{self, Which};
use crate::failure::Failure;
use crate::print;
use crate::reason::Reason;

/// `punctual job cancel ID`
#[derive(Args)]
pub(super) struct CancelArgs {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    why: Reason,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl CancelArgs {
    pub(super) async fn run(self, client: &Client) -> Result<ExitCode, Failure> {
        match self.which.named()? {
            [] => {
                let reason = Some(self.why.reason);
                self.which.all(client, Verb::Cancel, reason, self.json).await
            }
            ids => {
                many::to_each(ids, async |id| {
                    let job = client.cancel(id, &self.why.reason, None).await?;
                    report(&job, self.json)
                })
                .await
            }
        }
    }
}

fn report(job: &Job, json: bool) -> Result<(), Failure> {
    if json {
        return print::json(job);
    }
    let ends = match job.head.phase.as_str() {
        "cancelling" => ", and ends when its run has stopped",
        _ => "",
    };
    print::line(&format!("{} is {}{ends}", job.head.id, job.head.phase))
}
