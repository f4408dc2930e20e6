//! Jobs by their ids, or all that a filter matches: `cancel`, `retry` and `delete`. What a filter matches is counted first, and
//! touched only when somebody has agreed to the number.

use std::process::ExitCode;

use clap::Args;
use punctual_http::Client;
use punctual_http::wire::{Bulk, Bulked, Verb};
use serde::Serialize;

use super::filter::FilterArgs;
use crate::bar::Bar;
use crate::failure::{Failure, code};
use crate::{ask, completion, flags, print};

/// Which jobs.
#[derive(Args)]
pub(super) struct Which {
    /// The job's id, or those of several
    #[arg(value_name = "ID", add = completion::jobs())]
    ids: Vec<String>,
    #[command(flatten)]
    filter: FilterArgs,
    /// Every job; for a retry, with the --state that they ended in
    #[arg(long)]
    all: bool,
    /// Do it to all that match without asking
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
    /// The jobs that are named; none if they are said by what they have in common.
    pub(super) fn named(&self) -> Result<&[String], Failure> {
        match (self.ids.is_empty(), self.all || !self.filter.is_empty()) {
            (false, false) | (true, true) => Ok(&self.ids),
            (false, true) => Err(Failure::usage(
                "name jobs by their ids, or by what they have in common, not both",
            )),
            (true, false) => Err(Failure::usage(
                "name a job by its id, or say which jobs: --state, --queue, --kind, --tag or another filter, or --all; see --help",
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
        self.filter.tell_what_was_assumed();
        let mut bulk = Bulk {
            filter: Some(self.filter.query()),
            dry_run: true,
            reason,
            ..Bulk::default()
        };
        let found = each_piece(client, verb, bulk.clone(), None).await?.matched;
        if found > 0 && !self.yes {
            let question = format!("{} {}?", verb.as_str(), print::count(found, "job"));
            if !ask::agrees(&question)? {
                return Ok(ExitCode::SUCCESS);
            }
        }
        bulk.dry_run = false;
        let done = match found {
            0 => Tally::default(),
            _ => each_piece(client, verb, bulk, Some(found)).await?,
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

/// Does it to each of these jobs. Where it cannot be done to one of several, that is told, and the others are not left alone.
pub(super) async fn to_each(
    ids: &[String],
    verb: impl AsyncFn(&str) -> Result<(), Failure>,
) -> Result<ExitCode, Failure> {
    let mut code = ExitCode::SUCCESS;
    for id in ids {
        match print::if_read(verb(id).await) {
            Err(Failure::Said(failed, told)) if ids.len() > 1 => {
                print::note(&format!("{}: {told}", print::plain(id)));
                code = ExitCode::from(failed);
            }
            done => done?,
        }
    }
    Ok(code)
}

/// Piece by piece, as the server bounds them; of so many jobs, if that is known. Why jobs were refused is told on the way.
async fn each_piece(
    client: &Client,
    verb: Verb,
    mut bulk: Bulk,
    jobs: Option<usize>,
) -> Result<Tally, Failure> {
    let bar = Bar::new(jobs.map(|jobs| jobs as u64));
    let mut tally = Tally::default();
    loop {
        let piece = client.bulk(verb, &bulk).await.map_err(flags::of_filter)?;
        tally.add(&piece);
        bar.at(tally.matched as u64, tally.matched as u64);
        for refusal in &piece.refusals {
            let told = format!("{}: {}", refusal.id, print::plain(&refusal.detail));
            bar.aside(|| print::note(&told));
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
