//! `punctual queue list`.

use clap::Args;
use comfy_table::Cell;
use punctual_http::Client;
use punctual_http::wire::Queue;

use super::show;
use crate::failure::Failure;
use crate::print::{self, always, spare};
use crate::when;

/// `punctual queue list`
#[derive(Args)]
pub(super) struct ListArgs {
    /// Print JSON, one line a queue
    #[arg(long)]
    json: bool,
}

impl ListArgs {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        let mut queues = Vec::new();
        let mut cursor = None;
        loop {
            let page = client.queues(cursor.as_deref()).await?;
            if self.json {
                page.items.iter().try_for_each(print::json)?;
            } else {
                queues.extend(page.items);
            }
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        match self.json {
            true => Ok(()),
            false => print(&queues),
        }
    }
}

fn print(queues: &[Queue]) -> Result<(), Failure> {
    if queues.is_empty() {
        print::note("no queues");
        return Ok(());
    }
    let columns = [
        always("QUEUE"),
        always("WAITING"),
        always("RUNNING"),
        spare(4, "SUCCEEDED"),
        spare(2, "FAILED"),
        spare(5, "CANCELLED"),
        spare(3, "OLDEST READY"),
        spare(1, "LIMITS"),
    ];
    print::table(&columns, queues.iter().map(row).collect())
}

fn row(queue: &Queue) -> Vec<Cell> {
    let counts = &queue.counts;
    let oldest = queue.oldest_ready.map(|length| when::coarse(length.0));
    vec![
        print::cell(&queue.name),
        print::cell(counts.waiting),
        print::cell(counts.running),
        print::cell(counts.succeeded),
        print::cell(counts.failed),
        print::cell(counts.cancelled),
        print::cell(oldest.unwrap_or_default()),
        print::cell(limits(queue)),
    ]
}

/// What holds its jobs back, a few words each.
fn limits(queue: &Queue) -> String {
    let paused = queue.paused.as_ref().map(|_| "paused".to_owned());
    let at_once = queue.max_running.map(|most| format!("{most} at once"));
    let rate = queue.rate.as_ref().map(show::rate);
    let words: Vec<String> = [paused, at_once, rate].into_iter().flatten().collect();
    words.join(", ")
}
