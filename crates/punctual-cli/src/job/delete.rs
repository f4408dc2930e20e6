//! `punctual job delete`.

use std::process::ExitCode;

use clap::Args;
use punctual_http::Client;
use punctual_http::wire::Verb;
use serde::Serialize;

use super::many::{self, Which};
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
        match self.which.named()? {
            [] => self.which.all(client, Verb::Delete, None, self.json).await,
            ids => {
                many::to_each(ids, async |id| {
                    client.delete(id, None).await?;
                    match self.json {
                        true => print::json(&Deleted { id, deleted: true }),
                        false => print::line(&format!("{} is deleted", print::plain(id))),
                    }
                })
                .await
            }
        }
    }
}
