//! `punctual schedule occurrences`.

use clap::Args;
use comfy_table::Cell;
use punctual::limits::PAGE_ITEMS;
use punctual_http::Client;
use punctual_http::wire::{LedgerQuery, Occurrence};

use crate::failure::Failure;
use crate::print::{self, always, spare};
use crate::when::{self, When};
use crate::{completion, flags};

/// Rows of a table whose length nobody named: what a person looks at.
const ROWS: usize = 20;

/// `punctual schedule occurrences NAME`
#[derive(Args)]
pub(super) struct OccurrencesArgs {
    /// The schedule
    #[arg(add = completion::schedules())]
    name: String,
    /// At most so many [default: 20; with --json, all]
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Those of instants at this one or later, or a length of time ago
    #[arg(long, value_name = "TIME|LENGTH", value_parser = when::ago)]
    from: Option<When>,
    /// Those of instants at this one or earlier, or a length of time ago
    #[arg(long, value_name = "TIME|LENGTH", value_parser = when::ago)]
    until: Option<When>,
    /// Only those that were fired, or that were not
    #[arg(long, value_name = "WHAT", value_parser = ["fired", "skipped"])]
    outcome: Option<String>,
    /// Print JSON, one line an entry
    #[arg(long)]
    json: bool,
}

impl OccurrencesArgs {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        when::tell_what_was_assumed(&[("--from", self.from), ("--until", self.until)]);
        if self.json {
            let more = self
                .each_page(client, |page| page.iter().try_for_each(print::json))
                .await?;
            return tell_of_more(more);
        }
        let mut rows = Vec::new();
        let more = self
            .each_page(client, |page| {
                rows.extend(page.iter().map(row));
                Ok(())
            })
            .await?;
        if rows.is_empty() {
            print::note("no instant has had its turn");
            return Ok(());
        }
        let columns = [
            always("INSTANT"),
            spare(4, "UNTIL"),
            spare(2, "COUNT"),
            always("OUTCOME"),
            always("REASON"),
            spare(5, "CAUSE"),
            spare(1, "JOB"),
            spare(3, "STANDS FOR"),
        ];
        print::table(&columns, rows)?;
        tell_of_more(more)
    }

    /// Takes entries page by page, up to the limit. Tells whether there are more.
    async fn each_page(
        &self,
        client: &Client,
        mut take: impl FnMut(&[Occurrence]) -> Result<(), Failure>,
    ) -> Result<bool, Failure> {
        let all = if self.json { usize::MAX } else { ROWS };
        let mut left = self.limit.map_or(all, |limit| limit as usize);
        let mut query = self.query();
        loop {
            let page = client.occurrences(&self.name, &query).await;
            let page = page.map_err(flags::of_filter)?;
            let shown = page.items.len().min(left);
            take(&page.items[..shown])?;
            left -= shown;
            query.cursor = page.next;
            if query.cursor.is_none() || left == 0 {
                return Ok(query.cursor.is_some() || shown < page.items.len());
            }
        }
    }

    fn query(&self) -> LedgerQuery {
        LedgerQuery {
            from: self.from.map(|when| when.at.to_string()),
            until: self.until.map(|when| when.at.to_string()),
            outcome: self.outcome.clone(),
            limit: Some(PAGE_ITEMS.to_string()),
            cursor: None,
        }
    }
}

fn tell_of_more(more: bool) -> Result<(), Failure> {
    if more {
        print::note("there are more; -n, --from and --until show others");
    }
    Ok(())
}

fn row(entry: &Occurrence) -> Vec<Cell> {
    let until = entry.until.map(|until| when::local(until.0));
    let stands = match entry.missed {
        0 => String::new(),
        missed => format!("{} missed, too", missed),
    };
    vec![
        print::cell(when::local(entry.nominal_at.0)),
        print::cell(until.unwrap_or_default()),
        print::cell(entry.count),
        print::cell(&entry.outcome),
        print::cell(entry.reason.as_deref().unwrap_or_default()),
        print::cell(&entry.cause),
        print::cell(entry.job.as_deref().unwrap_or_default()),
        print::cell(stands),
    ]
}
