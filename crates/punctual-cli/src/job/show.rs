//! `punctual job show`.

use std::process::ExitCode;

use clap::Args;
use punctual::time::format_length;
use punctual_http::Client;
use punctual_http::wire::{At, Head, Job};

use super::attempts;
use crate::completion;
use crate::failure::Failure;
use crate::print;
use crate::when;

/// `punctual job show ID`
#[derive(Args)]
pub(super) struct Show {
    /// The job's id
    #[arg(add = completion::jobs())]
    id: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(super) async fn run(self, client: &Client) -> Result<ExitCode, Failure> {
        let job = client.job(&self.id).await?;
        if self.json {
            print::json(&job)?;
            return Ok(ExitCode::SUCCESS);
        }
        print::facts(facts(&job))?;
        let attempts = client.attempts(&self.id).await?.items;
        if !attempts.is_empty() {
            print::line("")?;
            attempts::print(&attempts)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Prints where a job stands now that it was changed.
pub(super) fn report(job: &Job, json: bool) -> Result<(), Failure> {
    match json {
        true => print::json(job),
        false => print::line(&format!("{} is {}", job.head.id, standing(&job.head))),
    }
}

/// Where a job stands, in a few words: `scheduled in queue http for 2026-12-01 09:00:00 CET (in 5m)`.
pub(super) fn standing(head: &Head) -> String {
    let place = format!("{} in queue {}", head.phase, print::plain(&head.queue));
    match head.phase.as_str() {
        "scheduled" | "retrying" => format!("{place} for {}", when::local_and_distance(head.run_at.0)),
        _ => place,
    }
}

fn facts(job: &Job) -> Vec<(&'static str, String)> {
    let head = &job.head;
    let at = |instant: At| when::local_and_distance(instant.0);
    let mut facts = vec![
        ("id", head.id.clone()),
        ("kind", head.kind.clone()),
        ("queue", format!("{}, priority {}", head.queue, head.priority)),
        ("state", head.phase.clone()),
        (
            "attempt",
            format!(
                "{} of {}, each up to {}",
                head.attempt,
                job.max_attempts,
                format_length(job.timeout.0)
            ),
        ),
        ("created", at(head.created_at)),
        ("due", at(head.run_at)),
    ];
    let mut add = |name, value: Option<String>| facts.extend(value.map(|value| (name, value)));
    add("started", head.started_at.map(at));
    add("ended", head.ended_at.map(at));
    add("leased to", head.lease_until.map(at));
    add("worker", head.worker.clone());
    add("tags", (!head.tags.is_empty()).then(|| head.tags.join(", ")));
    add(
        "unique key",
        head.unique.as_ref().map(|unique| unique.key.clone()),
    );
    add(
        "held until",
        head.unique.as_ref().and_then(|unique| unique.until).map(at),
    );
    add("expires", job.start_deadline.map(at));
    add(
        "cancel",
        job.cancel.clone().map(|reason| {
            if reason.is_empty() {
                "asked for".to_owned()
            } else {
                reason
            }
        }),
    );
    add(
        "failure",
        head.failure
            .as_ref()
            .map(|failure| format!("{}: {}", failure.reason, failure.message)),
    );
    add(
        "payload",
        job.payload
            .as_ref()
            .map(ToString::to_string)
            .or(job.payload_base64.clone()),
    );
    add("progress", job.progress.as_ref().map(ToString::to_string));
    add(
        "result",
        job.result
            .as_ref()
            .map(ToString::to_string)
            .or(job.result_base64.clone()),
    );
    facts
}
