//! `punctual schedule backfill`.

use clap::Args;
use punctual_http::Client;
use punctual_http::wire::Backfill;
use serde::Serialize;

use crate::failure::Failure;
use crate::when::{self, When};
use crate::{completion, flags, print};

/// `punctual schedule backfill NAME --from TIME --until TIME`
#[derive(Args)]
pub(super) struct BackfillArgs {
    /// The schedule
    #[arg(add = completion::schedules())]
    name: String,
    /// The first instant that is looked at, or a length of time ago, at most 30d; without an offset, local time
    #[arg(long, value_name = "TIME|LENGTH", value_parser = when::ago)]
    from: When,
    /// The last one, itself included, or a length of time ago
    #[arg(long, value_name = "TIME|LENGTH", value_parser = when::ago)]
    until: When,
    /// Only count, and make no job
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What it came to.
#[derive(Default, Serialize)]
struct Tally {
    dry_run: bool,
    made: u64,
    left: u64,
}

impl BackfillArgs {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        when::tell_what_was_assumed(&[("--from", Some(self.from)), ("--until", Some(self.until))]);
        let mut tally = Tally {
            dry_run: self.dry_run,
            ..Tally::default()
        };
        let mut from = self.from.at;
        // Piece by piece, as the server bounds them.
        loop {
            let order = Backfill {
                from: Some(from.to_string()),
                until: Some(self.until.at.to_string()),
                dry_run: self.dry_run,
            };
            let piece = client.backfill_schedule(&self.name, &order).await;
            let piece = piece.map_err(|error| flags::of_schedule(error, false))?;
            tally.made += piece.made;
            tally.left += piece.left;
            match piece.next {
                Some(next) => from = next.0,
                None => break,
            }
        }
        match self.json {
            true => print::json(&tally),
            false => print::line(&tally.told()),
        }
    }
}

impl Tally {
    fn told(&self) -> String {
        let jobs = print::count(self.made, "job");
        let told = match self.dry_run {
            true => format!("{jobs} would be made"),
            false => format!("{jobs} made"),
        };
        match self.left {
            0 => told,
            left => format!(
                "{told}; {} left, of which the plan or the ledger tells no more",
                print::count(left, "instant")
            ),
        }
    }
}
