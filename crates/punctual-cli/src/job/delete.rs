//! `punctual job delete`.

use std::process::ExitCode;

use clap::Args;
use punctual_http::Client;

use crate::completion;
use crate::failure::Failure;
use crate::print;

/// `punctual job delete ID`
#[derive(Args)]
pub(super) struct DeleteArgs {
    /// The job's id
    #[arg(add = completion::jobs())]
    id: String,
}

impl DeleteArgs {
    pub(super) async fn run(self, client: &Client) -> Result<ExitCode, Failure> {
        client.delete(&self.id).await?;
        print::line(&format!("{} is deleted", print::plain(&self.id)))?;
        Ok(ExitCode::SUCCESS)
    }
}
