//! `punctual job run`.

use std::process::ExitCode;

use clap::Args;
use punctual_http::Client;

use super::show;
use crate::completion;
use crate::failure::Failure;

/// `punctual job run ID`
#[derive(Args)]
pub(super) struct RunArgs {
    /// The job's id
    #[arg(add = completion::jobs())]
    id: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl RunArgs {
    pub(super) async fn run(self, client: &Client) -> Result<ExitCode, Failure> {
        show::report(&client.run_now(&self.id, None).await?, self.json)
    }
}
