//! `punctual job delete`.

use std::process::ExitCode;

use clap::Args;
use punctual_http::Client;
use punctual_http::wire::Verb;
use serde::Serialize;

use super::many::Which;
use crate::failure::Failure;
use crate::print;

/// `punctual job delete ID`
#[derive(Args)]
pub(super) struct DeleteArgs {
    #[command(flatten)]
    which: Which,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Deleted<'a> {
    id: &'a str,
    deleted: bool,
}

impl DeleteArgs {
    pub(super) async fn run(self, client: &Client) -> Result<ExitCode, Failure> {
        let Some(id) = self.which.one()? else {
            return self.which.all(client, Verb::Delete, None, self.json).await;
        };
        client.delete(id, None).await?;
        if self.json {
            print::json(&Deleted { id, deleted: true })?;
        } else {
            print::line(&format!("{} is deleted", print::plain(id)))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
