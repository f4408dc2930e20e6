//! One job by its id, or all that a filter matches: `cancel`, `retry` and `delete`. Many are counted first, and touched only when
//! somebody has agreed to the number.

use std::process::ExitCode;

use clap::Args;
use punctual_http::Client;
use punctual_http::wire::{Bulk, Bulked, Verb};
use serde::Serialize;

use super::filter::FilterArgs;
use crate::failure::{Failure, code};
use crate::{ask, completion, print};

/// Which job, or jobs.
#[derive(Args)]
pub(super) struct Which {
    /// The job's id
    #[arg(add = completion::jobs())]
    id: Option<String>,
    #[command(flatten)]
    filter: FilterArgs,
    /// Every job
    #[arg(long)]
    all: bool,
    /// Do it to many jobs without asking
    #[arg(long, short)]
    yes: bool,
}

/// What became of many jobs.
#[derive(Default, Serialize)]
struct Tally {
    matched: usize,
    changed: usize,
    refused: usize,
}

impl Which {
    /// The one job, if it is one.
    pub(super) fn one(&self) -> Result<Option<&str>, Failure> {
        match (&self.id, self.all || !self.filter.is_empty()) {
            (Some(id), false) => Ok(Some(id)),
            (None, true) => Ok(None),
            (Some(_), true) => Err(Failure::usage(
                "name one job by its id, or many by what they have in common, not both",
            )),
            (None, false) => Err(Failure::usage(
                "name a job by its id, or say which jobs: --state, --queue, --kind, --tag, --key, or --all; see --help",
            )),
        }
    }

    /// Does it to all that match, once somebody has agreed to their number.
    pub(super) async fn all(
        &self,
        client: &Client,
        verb: Verb,
        reason: Option<String>,
        json: bool,
    ) -> Result<ExitCode, Failure> {
        let mut bulk = Bulk {
            filter: Some(self.filter.query()),
            dry_run: true,
            reason,
            ..Bulk::default()
        };
        let found = each_piece(client, verb, bulk.clone()).await?.matched;
        if found > 0 && !self.yes {
            let question = format!("{} {}?", verb.as_str(), print::count(found, "job"));
            if !ask::agrees(&question)? {
                return Ok(ExitCode::SUCCESS);
            }
        }
        bulk.dry_run = false;
        let done = match found {
            0 => Tally::default(),
            _ => each_piece(client, verb, bulk).await?,
        };
        print::if_read(match json {
            true => print::json(&done),
            false => print::line(&done.told(verb)),
        })?;
        Ok(match done.refused {
            0 => ExitCode::SUCCESS,
            _ => ExitCode::from(code::CONFLICT),
        })
    }
}

/// Piece by piece, as the server bounds them. Why jobs were refused is told on the way.
async fn each_piece(client: &Client, verb: Verb, mut bulk: Bulk) -> Result<Tally, Failure> {
    let mut tally = Tally::default();
    loop {
        let piece = client.bulk(verb, &bulk).await?;
        tally.add(&piece);
        for refusal in &piece.refusals {
            print::note(&format!("{}: {}", refusal.id, print::plain(&refusal.detail)));
        }
        if piece.next.is_none() {
            return Ok(tally);
        }
        bulk.cursor = piece.next;
    }
}

impl Tally {
    fn add(&mut self, piece: &Bulked) {
        self.matched += piece.matched;
        self.changed += piece.changed;
        self.refused += piece.refused;
    }

    fn told(&self, verb: Verb) -> String {
        let done = match verb {
            Verb::Cancel => "cancelled",
            Verb::Retry => "to be run again",
            Verb::Delete => "deleted",
        };
        let changed = format!("{} {done}", print::count(self.changed, "job"));
        match self.refused {
            0 => changed,
            refused => format!("{changed}; {} could not be", print::count(refused, "job")),
        }
    }
}
