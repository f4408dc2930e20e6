//! `punctual job list`.

use std::collections::BTreeSet;
use std::process::ExitCode;

use clap::Args;
use comfy_table::Cell;
use punctual::Timestamp;
use punctual::limits::PAGE_ITEMS;
use punctual_http::Client;
use punctual_http::wire::{Head, ListQuery};

use super::filter::FilterArgs;
use crate::failure::Failure;
use crate::print::{self, always, clipped, spare};
use crate::{completion, flags, when};

/// `punctual job list`
#[derive(Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// Jobs that this schedule made, as far as its record of instants goes: those of the latest instants first
    #[arg(long, value_name = "NAME", add = completion::schedules())]
    schedule: Option<String>,
    /// At most so many [default: 50; with --json, all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Print JSON, one line a job; without --state and --schedule, all in the order of their ids
    #[arg(long)]
    json: bool,
}

/// Rows of a table whose length nobody named: what a person looks at. A program is given all there are, since it could not
/// tell a part from the whole; they go by a page at a time, so that no more of them is held than a page.
const ROWS: usize = 50;

/// Jobs of one view, in its order.
struct Found {
    jobs: Vec<Head>,
    /// Whether there are others.
    more: bool,
}

impl ListArgs {
    pub(super) async fn run(self, client: &Client) -> Result<ExitCode, Failure> {
        self.filter.tell_what_was_assumed();
        let state = self.filter.state.as_deref();
        if self.json {
            let print = |page: Vec<Head>| page.iter().try_for_each(print::json);
            if self.each_page(client, state, print).await? {
                tell_of_more(self.limit());
            }
        } else if state.is_some() || self.filter.key.is_some() || self.schedule.is_some() {
            self.print(&self.find(client, state).await?)?;
        } else {
            self.print(&self.survey(client).await?)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// What runs, what is due next, and what ended last: at least a third of the table for each, if there is so much of it.
    async fn survey(&self, client: &Client) -> Result<Found, Failure> {
        // In the order in which jobs move on: one that does so meanwhile is found twice, and not missed.
        let mut waiting = self.find(client, Some("waiting")).await?;
        let mut running = self.find(client, Some("running")).await?;
        let ended = self.find(client, Some("ended")).await?;
        waiting.drop_those_in(&running);
        waiting.drop_those_in(&ended);
        running.drop_those_in(&ended);

        let views = [running, waiting, ended];
        let limit = self.limit();
        let shares = shares(views.each_ref().map(|view| view.jobs.len()), limit);
        let more = views.iter().zip(shares);
        let more = more.fold(false, |more, (view, share)| {
            more || view.more || view.jobs.len() > share
        });
        let shown = views.into_iter().zip(shares);
        Ok(Found {
            jobs: shown
                .flat_map(|(view, share)| view.jobs.into_iter().take(share))
                .collect(),
            more,
        })
    }

    async fn find(&self, client: &Client, state: Option<&str>) -> Result<Found, Failure> {
        let mut jobs = Vec::new();
        let keep = |page| {
            jobs.extend(page);
            Ok(())
        };
        let more = self.each_page(client, state, keep).await?;
        Ok(Found { jobs, more })
    }

    /// Takes jobs page by page, up to the limit. Tells whether there are more.
    async fn each_page(
        &self,
        client: &Client,
        state: Option<&str>,
        mut take: impl FnMut(Vec<Head>) -> Result<(), Failure>,
    ) -> Result<bool, Failure> {
        let mut left = self.limit();
        let mut query = self.query(state);
        loop {
            query.limit = Some(left.min(PAGE_ITEMS).to_string());
            let page = client.list(&query).await.map_err(flags::of_filter)?;
            left = left.saturating_sub(page.items.len());
            take(page.items)?;
            query.cursor = page.next;
            if query.cursor.is_none() || left == 0 {
                return Ok(query.cursor.is_some());
            }
        }
    }

    fn limit(&self) -> usize {
        let all = if self.json { usize::MAX } else { ROWS };
        self.limit.map_or(all, |limit| limit as usize)
    }

    fn query(&self, state: Option<&str>) -> ListQuery {
        ListQuery {
            state: state.map(str::to_owned),
            schedule: self.schedule.clone(),
            ..self.filter.query()
        }
    }

    fn print(&self, found: &Found) -> Result<(), Failure> {
        let jobs = &found.jobs;
        if jobs.is_empty() {
            print::note("no jobs");
            return Ok(());
        }
        let columns = [
            always("ID"),
            clipped(2, "KIND"),
            spare(3, "QUEUE"),
            always("STATE"),
            spare(4, "ATTEMPT"),
            spare(1, "WHEN"),
            spare(5, "TIME"),
        ];
        print::table(&columns, jobs.iter().map(row).collect())?;
        if found.more {
            tell_of_more(jobs.len());
        }
        Ok(())
    }
}

fn tell_of_more(shown: usize) {
    let these = match shown {
        1 => "this one".to_owned(),
        _ => format!("these {shown}"),
    };
    print::note(&format!(
        "there are more than {these}; --limit and --state show others"
    ));
}

fn row(job: &Head) -> Vec<Cell> {
    let at = instant(job);
    vec![
        print::cell(&job.id),
        print::cell(&job.kind),
        print::cell(&job.queue),
        print::phase_cell(&job.phase),
        print::cell(job.attempt),
        print::cell(when::distance_from_now(at)),
        print::cell(when::local(at)),
    ]
}

/// The instant that matters most of a job: when it ended, or began to run, or is due.
fn instant(job: &Head) -> Timestamp {
    let started = job.started_at.filter(|_| job.state == "running");
    job.ended_at.or(started).unwrap_or(job.run_at).0
}

impl Found {
    fn drop_those_in(&mut self, later: &Found) {
        let later: BTreeSet<&str> = later.jobs.iter().map(|job| job.id.as_str()).collect();
        self.jobs.retain(|job| !later.contains(job.id.as_str()));
    }
}

/// How many of each view are shown, of so many found: a third of the limit each; what one leaves goes to the first that has more.
fn shares(found: [usize; 3], limit: usize) -> [usize; 3] {
    let mut shares = found.map(|found| found.min(limit / 3));
    let mut left = limit.saturating_sub(shares.iter().sum());
    for (share, found) in shares.iter_mut().zip(found) {
        let more = left.min(found - *share);
        *share += more;
        left -= more;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_view_hides_another() {
        assert_eq!(shares([100, 100, 100], 50), [18, 16, 16]);
        assert_eq!(shares([2, 100, 5], 50), [2, 43, 5]);
        assert_eq!(shares([0, 0, 100], 50), [0, 0, 50]);
        assert_eq!(shares([1, 1, 1], 50), [1, 1, 1]);
        assert_eq!(shares([0, 3, 3], 2), [0, 2, 0]);
    }
}
