//! `punctual schedule list`.

use clap::Args;
use comfy_table::Cell;
use punctual_http::Client;
use punctual_http::wire::{At, Schedule, ScheduleList};

use super::standing;
use crate::failure::Failure;
use crate::print::{self, always, clipped, spare};
use crate::when;

/// `punctual schedule list`
#[derive(Args)]
pub(super) struct ListArgs {
    /// Print JSON, one line a schedule
    #[arg(long)]
    json: bool,
}

impl ListArgs {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        if self.json {
            return each_page(client, |page| page.items.iter().try_for_each(print::json)).await;
        }
        let schedules = all(client).await?;
        if schedules.is_empty() {
            print::note("no schedules");
            return Ok(());
        }
        let columns = [
            always("NAME"),
            clipped(2, "WHEN"),
            always("STATE"),
            spare(1, "NEXT"),
            spare(4, "AT"),
            spare(3, "LAST"),
        ];
        print::table(&columns, schedules.iter().map(row).collect())
    }
}

/// All schedules that can be read.
pub(super) async fn all(client: &Client) -> Result<Vec<Schedule>, Failure> {
    let mut schedules = Vec::new();
    each_page(client, |page| {
        schedules.extend(page.items);
        Ok(())
    })
    .await?;
    Ok(schedules)
}

/// Takes all schedules page by page. Those that cannot be read are told of.
async fn each_page(
    client: &Client,
    mut take: impl FnMut(ScheduleList) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut cursor = None;
    loop {
        let page = client.schedules(cursor.as_deref()).await?;
        for unreadable in &page.unreadable {
            let (name, why) = (print::plain(&unreadable.name), print::plain(&unreadable.detail));
            print::note(&format!(
                "schedule {name} cannot be read here, and is left out: {why}"
            ));
        }
        cursor.clone_from(&page.next);
        take(page)?;
        if cursor.is_none() {
            return Ok(());
        }
    }
}

fn row(schedule: &Schedule) -> Vec<Cell> {
    let head = &schedule.head;
    let distance = |at: Option<At>| at.map(|at| when::distance_from_now(at.0)).unwrap_or_default();
    let local = head.next_at.map(|at| standing::local(schedule, at.0));
    vec![
        print::cell(&head.name),
        print::cell(&head.description),
        print::cell(standing::word(schedule)),
        print::cell(distance(head.next_at)),
        print::cell(local.unwrap_or_default()),
        print::cell(distance(head.last_fired_at)),
    ]
}
