//! `punctual job edit`.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use punctual::time::format_length;
use punctual_http::Client;
use punctual_http::wire::JobEdit;
use serde_json::json;

use super::show;
use crate::failure::Failure;
use crate::task::Trying;
use crate::task::payload;
use crate::when::{self, When};
use crate::{completion, flags};

/// `punctual job edit ID`
#[derive(Args)]
pub(super) struct EditArgs {
    /// The job's id
    #[arg(add = completion::jobs())]
    id: String,
    #[command(flatten)]
    change: Change,
    /// Only if its row has this version, which is the `rev` of `job show --json`
    #[arg(long, value_name = "REV")]
    if_rev: Option<u64>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is to be otherwise.
#[derive(Args)]
struct Change {
    /// Not before this long from now, such as 5m
    #[arg(long = "in", value_name = "LENGTH", value_parser = when::length, conflicts_with = "at")]
    delay: Option<Duration>,
    /// Not before this instant; without a zone, local time
    #[arg(long, value_name = "TIME")]
    at: Option<When>,
    /// 0 (first) to 9
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..=9))]
    priority: Option<i64>,
    /// A whole payload in place of the old one: JSON, or a file of it as @FILE, @- for the input
    #[arg(long, value_name = "JSON|@FILE")]
    payload: Option<String>,
    /// A tag in place of the old ones; may be repeated
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    #[command(flatten)]
    trying: Trying,
    /// Not started by then, it fails: an instant, or a length from now
    #[arg(long, value_name = "TIME|LENGTH", value_parser = when::deadline)]
    start_deadline: Option<When>,
}

impl EditArgs {
    pub(super) async fn run(self, client: &Client) -> Result<ExitCode, Failure> {
        when::tell_what_was_assumed(&[
            ("--at", self.change.at),
            ("--start-deadline", self.change.start_deadline),
        ]);
        let edit = self.change.read()?;
        if says_nothing(&edit)? {
            return Err(Failure::usage(
                "say what is to be otherwise, such as --in 5m; see --help",
            ));
        }
        let job = client.edit(&self.id, &edit, self.if_rev).await;
        let job = job.map_err(flags::of_payload)?;
        show::report(&job, self.json)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Change {
    fn read(&self) -> Result<JobEdit, Failure> {
        let payload = self.payload.as_deref();
        Ok(JobEdit {
            run_at: self.at.map(|when| when.at.to_string()),
            delay: self.delay.map(format_length),
            priority: self.priority.map(Some),
            payload: payload.map(|text| payload::json("--payload", text)).transpose()?,
            tags: (!self.tags.is_empty()).then(|| Some(self.tags.clone())),
            timeout: self.trying.timeout().map(Some),
            max_attempts: self.trying.max_attempts.map(Some),
            backoff: self.trying.backoff.clone().map(Some),
            max_elapsed: self.trying.max_elapsed().map(Some),
            start_deadline: self.start_deadline.map(|when| Some(when.at.to_string())),
            on_lost: self.trying.on_lost().map(Some),
            ..JobEdit::default()
        })
    }
}

/// Whether the edit leaves everything as it is.
fn says_nothing(edit: &JobEdit) -> Result<bool, Failure> {
    let told = serde_json::to_value(edit).map_err(io::Error::from)?;
    Ok(told == json!({}))
}
