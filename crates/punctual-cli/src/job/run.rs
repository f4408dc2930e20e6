//! `punctual job run`.

use std::process::ExitCode;

use clap::Args;
use punctual_http::Client;

use super::{many, show};
use crate::completion;
use crate::failure::Failure;

/// `punctual job run ID`
#[derive(Args)]
pub(super) struct RunArgs {
    /// The job's id, or those of several
    #[arg(required = true, value_name = "ID", add = completion::jobs())]
    ids: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl RunArgs {
    pub(super) async fn run(self, client: &Client) -> Result<ExitCode, Failure> {
        many::to_each(&self.ids, async |id| {
            show::report(&client.run_now(id, None).await?, self.json)
        })
        .await
    }
}
