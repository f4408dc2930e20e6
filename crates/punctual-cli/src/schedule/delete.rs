//! `punctual schedule delete`.

use clap::Args;
use punctual_http::Client;
use serde::Serialize;

use crate::failure::Failure;
use crate::{ask, completion, print};

/// `punctual schedule delete NAME`
#[derive(Args)]
pub(super) struct DeleteArgs {
    /// The schedule
    #[arg(add = completion::schedules())]
    name: String,
    /// Only if its row has this version, which is the `rev` of `schedule show --json`
    #[arg(long, value_name = "REV")]
    if_rev: Option<u64>,
    /// Delete without asking
    #[arg(long, short)]
    yes: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What was deleted.
#[derive(Serialize)]
pub(super) struct Deleted<'a> {
    pub(super) name: &'a str,
    pub(super) deleted: bool,
}

impl DeleteArgs {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        let name = print::plain(&self.name);
        if !self.yes {
            // Nobody is asked about what is not there.
            client.schedule(&self.name).await?;
            if !ask::agrees(&format!(
                "delete schedule {name} with the record of its instants?"
            ))? {
                return Ok(());
            }
        }
        client.delete_schedule(&self.name, self.if_rev).await?;
        match self.json {
            true => print::json(&Deleted {
                name: &self.name,
                deleted: true,
            }),
            false => print::line(&format!("schedule {name} is deleted")),
        }
    }
}
