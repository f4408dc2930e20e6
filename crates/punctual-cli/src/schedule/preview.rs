//! `punctual schedule preview`.

use std::time::Duration;

use clap::Args;
use comfy_table::Cell;
use punctual::Timestamp;
use punctual_http::Client;
use punctual_http::wire::{NewPreview, NewSchedule, Preview, PreviewItem, Schedule, ScheduleHead};

use super::plan::PlanFlags;
use crate::failure::Failure;
use crate::print::{self, always, text};
use crate::when::{self, When};
use crate::{completion, flags};

/// `punctual schedule preview`
#[derive(Args)]
#[command(
    override_usage = "punctual schedule preview NAME [-n N] [--from TIME]
       punctual schedule preview WHEN [OPTIONS] [-n N] [--from TIME]",
    arg_required_else_help = true
)]
pub(super) struct PreviewArgs {
    /// The schedule; unset, one that is not made yet
    #[arg(add = completion::schedules())]
    name: Option<String>,
    /// So many instants
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(i64).range(1..=1000))]
    count: i64,
    /// Those later than this one; without an offset, local time [default: now, or where the schedule stands]
    #[arg(long, value_name = "TIME")]
    from: Option<When>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    plan: PlanFlags,
}

impl PreviewArgs {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        when::tell_what_was_assumed(&[("--from", self.from)]);
        let from = self.from.map(|when| when.at);
        let preview = match &self.name {
            Some(_) if !self.plan.is_unused() => {
                return Err(Failure::usage(
                    "preview a schedule by its name, or one that is not made yet by its flags, not both",
                ));
            }
            Some(name) => self.of_stored(client, client.schedule(name).await?, from).await?,
            None if self.plan.is_empty() => {
                return Err(Failure::usage(
                    "name a schedule, or say when with one of --cron, --every, --after and --at; see --help",
                ));
            }
            None => {
                self.plan.tell_what_was_assumed();
                self.of_plan(client, self.plan.schedule(None), from).await?
            }
        };
        match self.json {
            true => print::json(&preview),
            false => show(&preview),
        }
    }

    /// What a stored schedule comes to from where it stands.
    async fn of_stored(
        &self,
        client: &Client,
        stored: Schedule,
        from: Option<Timestamp>,
    ) -> Result<Preview, Failure> {
        let Schedule { head, plan } = stored;
        let fired = i64::try_from(head.fired).unwrap_or(i64::MAX);
        let left = plan.max_runs.map(|most| most.saturating_sub(fired));
        let waits = head.paused.is_none() && head.next_at.is_none();
        if left.is_some_and(|left| left <= 0) || (waits && from.is_none()) {
            return Ok(without_instants(head, &plan));
        }
        // What is overdue comes, too.
        let overdue = head.next_at.filter(|next| next.0 <= when::now());
        let stands = match plan.after {
            Some(_) => head.next_at.map(|next| next.0),
            None => overdue.map(|next| next.0 - Duration::from_micros(1)),
        };
        // What its jobs are does not matter to when they are due.
        let plan = NewSchedule {
            max_runs: left,
            job: None,
            ..plan
        };
        let mut preview = self.of_plan(client, plan, from.or(stands)).await?;
        if head.paused.is_some() {
            let paused = "it is paused: what comes due is skipped until it is resumed".to_owned();
            let notes: Vec<String> = [Some(paused), preview.note].into_iter().flatten().collect();
            preview.note = Some(notes.join("; "));
        }
        Ok(preview)
    }

    /// What a plan comes to.
    async fn of_plan(
        &self,
        client: &Client,
        schedule: NewSchedule,
        from: Option<Timestamp>,
    ) -> Result<Preview, Failure> {
        let order = NewPreview {
            schedule,
            from: from.map(|from| from.to_string()),
            count: Some(self.count),
        };
        let preview = client.preview(&order).await;
        preview.map_err(|error| flags::of_schedule(error, false))
    }
}

/// Of a schedule that has ended, or waits for the end of a run.
fn without_instants(head: ScheduleHead, plan: &NewSchedule) -> Preview {
    let awaited = plan.after.as_ref().filter(|_| !head.live.is_empty());
    let note =
        awaited.map(|after| format!("its next run comes {after} after the end of the one that is live"));
    Preview {
        description: head.description,
        zone: plan.zone.clone().unwrap_or_else(|| "UTC".to_owned()),
        items: Vec::new(),
        more: note.is_some(),
        note,
    }
}

fn show(preview: &Preview) -> Result<(), Failure> {
    print::line(&print::plain(&preview.description))?;
    if !preview.items.is_empty() {
        let columns = [always("UTC"), always("LOCAL"), always("OUTCOME"), text("NOTE")];
        print::table(&columns, preview.items.iter().map(row).collect())?;
    }
    if let Some(note) = &preview.note {
        print::note(&print::plain(note));
    }
    if !preview.more {
        print::note("it comes to no more");
    }
    Ok(())
}

fn row(item: &PreviewItem) -> Vec<Cell> {
    vec![
        print::cell(item.at.0),
        print::cell(&item.local),
        print::cell(&item.outcome),
        print::cell(item.note.as_deref().unwrap_or_default()),
    ]
}
