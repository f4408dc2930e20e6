//! `punctual job retry`.

use std::process::ExitCode;

use clap::Args;
use punctual_http::Client;
use punctual_http::wire::Verb;

use super::many::{self, Which};
use super::show;
use crate::failure::Failure;

/// `punctual job retry ID`
#[derive(Args)]
pub(super) struct RetryArgs {
    #[command(flatten)]
    which: Which,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl RetryArgs {
    pub(super) async fn run(self, client: &Client) -> Result<ExitCode, Failure> {
        match self.which.named()? {
            [] => self.which.all(client, Verb::Retry, None, self.json).await,
            ids => {
                many::to_each(ids, async |id| {
                    show::report(&client.retry(id, None).await?, self.json)
                })
                .await
            }
        }
    }
}
