//! `punctual job list`.

use std::process::ExitCode;

use clap::Args;
use punctual::limits::PAGE_ITEMS;
use punctual_http::Client;
use punctual_http::wire::{Head, ListQuery};

use crate::failure::Failure;
use crate::print;
use crate::when;

/// `punctual job list`
#[derive(Args)]
pub(super) struct ListArgs {
    /// Jobs in this state: waiting, running, succeeded, failed, cancelled; also scheduled, ready, retrying, cancelling
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    /// Jobs of this queue
    #[arg(long, value_name = "NAME")]
    queue: Option<String>,
    /// Jobs of this kind
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Jobs with this tag
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// The job that holds this unique key
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", default_value = "50", value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Print JSON, one line a job
    #[arg(long)]
    json: bool,
}

impl ListArgs {
    pub(super) async fn run(self, client: &Client) -> Result<ExitCode, Failure> {
        let mut shown = Vec::new();
        let mut left = self.limit as usize;
        let mut query = self.query();
        loop {
            query.limit = Some(left.min(PAGE_ITEMS).to_string());
            let page = client.list(&query).await?;
            left = left.saturating_sub(page.items.len());
            if self.json {
                page.items.iter().try_for_each(print::json)?;
            } else {
                shown.extend(page.items);
            }
            query.cursor = page.next;
            if query.cursor.is_none() || left == 0 {
                break;
            }
        }
        if !self.json {
            self.print(&shown, query.cursor.is_some())?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn query(&self) -> ListQuery {
        ListQuery {
            state: self.state.clone(),
            queue: self.queue.clone(),
            kind: self.kind.clone(),
            tag: self.tag.clone(),
            key: self.key.clone(),
            ..ListQuery::default()
        }
    }

    fn print(&self, jobs: &[Head], more: bool) -> Result<(), Failure> {
        if jobs.is_empty() {
            print::note("no jobs");
            return Ok(());
        }
        let row = |job: &Head| {
            vec![
                print::cell(&job.id),
                print::cell(&job.kind),
                print::cell(&job.queue),
                print::phase_cell(&job.phase),
                print::cell(job.attempt),
                print::cell(when::local(job.ended_at.unwrap_or(job.run_at).0)),
            ]
        };
        print::table(
            &["ID", "KIND", "QUEUE", "STATE", "ATTEMPT", "DUE OR ENDED"],
            jobs.iter().map(row).collect(),
        )?;
        if more {
            print::note(&format!("these are the first {}; --limit shows more", jobs.len()));
        }
        Ok(())
    }
}
