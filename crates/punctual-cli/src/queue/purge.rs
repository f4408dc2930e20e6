//! `punctual queue purge`.

use clap::Args;
use punctual_http::Client;
use punctual_http::wire::Purge;
use serde::Serialize;

use crate::failure::Failure;
use crate::{ask, completion, print};

/// `punctual queue purge NAME`
#[derive(Args)]
pub(super) struct PurgeArgs {
    /// The queue
    #[arg(add = completion::queues())]
    name: String,
    /// Jobs in this state
    #[arg(long, value_name = "STATE", default_value = "waiting",
          value_parser = ["waiting", "succeeded", "failed", "cancelled"])]
    state: String,
    /// Delete without asking
    #[arg(long, short)]
    yes: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What a purge came to.
#[derive(Default, Serialize)]
struct Tally {
    matched: u64,
    changed: u64,
}

impl PurgeArgs {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        let found = self.each_piece(client, true).await?.matched;
        if found > 0 && !self.yes {
            let jobs = print::count(found, &format!("{} job", self.state));
            let question = format!("delete {jobs} of queue {}?", print::plain(&self.name));
            if !ask::agrees(&question)? {
                return Ok(());
            }
        }
        let done = match found {
            0 => Tally::default(),
            _ => self.each_piece(client, false).await?,
        };
        match self.json {
            true => print::json(&done),
            false => print::line(&format!("{} deleted", print::count(done.changed, "job"))),
        }
    }

    /// Piece by piece, as the server bounds them.
    async fn each_piece(&self, client: &Client, dry_run: bool) -> Result<Tally, Failure> {
        let mut tally = Tally::default();
        let mut purge = Purge {
            state: Some(self.state.clone()),
            dry_run,
            cursor: None,
        };
        loop {
            let piece = client.purge_queue(&self.name, &purge).await?;
            tally.matched += piece.matched;
            tally.changed += piece.changed;
            if piece.next.is_none() {
                return Ok(tally);
            }
            purge.cursor = piece.next;
        }
    }
}
