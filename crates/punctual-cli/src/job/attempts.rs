//! `punctual job attempts`.

use std::process::ExitCode;

use clap::Args;
use comfy_table::Cell;
use punctual_http::Client;
use punctual_http::wire::Attempt;

use crate::completion;
use crate::failure::Failure;
use crate::print::{self, always, spare, text};
use crate::when;

/// `punctual job attempts ID`
#[derive(Args)]
pub(super) struct AttemptsArgs {
    /// The job's id
    #[arg(add = completion::jobs())]
    id: String,
    /// Print JSON, one line an attempt
    #[arg(long)]
    json: bool,
}

impl AttemptsArgs {
    pub(super) async fn run(self, client: &Client) -> Result<ExitCode, Failure> {
        let attempts = client.attempts(&self.id).await?.items;
        if self.json {
            attempts.iter().try_for_each(print::json)?;
        } else if attempts.is_empty() {
            print::note("it has not begun");
        } else {
            print(&attempts)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Prints attempts as a table.
pub(super) fn print(attempts: &[Attempt]) -> Result<(), Failure> {
    let columns = [
        always("ATTEMPT"),
        spare(3, "RUN"),
        spare(2, "STARTED"),
        spare(1, "TOOK"),
        always("OUTCOME"),
        text("ERROR"),
    ];
    print::table(&columns, attempts.iter().map(row).collect())
}

fn row(attempt: &Attempt) -> Vec<Cell> {
    let took = attempt
        .ended_at
        .map(|ended| when::coarse(ended.0.since(attempt.started_at.0)));
    vec![
        print::cell(attempt.number),
        print::cell(attempt.run),
        print::cell(when::local(attempt.started_at.0)),
        print::cell(took.unwrap_or_default()),
        print::cell(attempt.outcome.as_deref().unwrap_or("running")),
        print::cell(attempt.error.as_deref().unwrap_or("")),
    ]
}
