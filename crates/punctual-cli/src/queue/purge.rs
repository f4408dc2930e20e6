//! `punctual queue purge`.

use clap::Args;
use punctual_http::Client;
use punctual_http::wire::Purge;
use serde::Serialize;

use crate::bar::Bar;
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
        let found = self.each_piece(client, None).await?.matched;
        if found > 0 && !self.yes {
            let jobs = print::count(found, &format!("{} job", self.state));
            let question = format!("delete {jobs} of queue {}?", print::plain(&self.name));
            if !ask::agrees(&question)? {
                return Ok(());
            }
        }
        let done = match found {
            0 => Tally::default(),
            _ => self.each_piece(client, Some(found)).await?,
        };
        match self.json {
            true => print::json(&done),
            false => print::line(&format!("{} deleted", print::count(done.changed, "job"))),
        }
    }

    /// Piece by piece, as the server bounds them: deletes so many jobs, or, as long as nobody knows how many, counts them.
    async fn each_piece(&self, client: &Client, jobs: Option<u64>) -> Result<Tally, Failure> {
        let bar = Bar::new(jobs);
        let mut tally = Tally::default();
        let mut purge = Purge {
            state: Some(self.state.clone()),
            dry_run: jobs.is_none(),
            cursor: None,
        };
        loop {
            let piece = client.purge_queue(&self.name, &purge).await?;
            tally.matched += piece.matched;
            tally.changed += piece.changed;
            bar.at(tally.matched, tally.matched);
            if piece.next.is_none() {
                return Ok(tally);
            }
            purge.cursor = piece.next;
        }
    }
}
