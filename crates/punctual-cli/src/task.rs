//! What a job does and how it is tried: flags that commands have in common which add, change or plan jobs.

use clap::Args;
use punctual_http::wire::NewJob;
use serde_json::value::RawValue;

use crate::failure::Failure;

mod command;
mod http;
mod meaning;
pub(crate) mod payload;
mod target;
mod trying;

pub(crate) use command::CommandCall;
pub(crate) use http::HttpCall;
pub(crate) use target::{Said, Target, is_of_handler};
pub(crate) use trying::Trying;

/// What every job takes, be it added by itself or made by a schedule.
#[derive(Args)]
#[command(next_help_heading = "Options of every job")]
pub(crate) struct Usual {
    /// The queue; unset, `default`, or the one named after the target
    #[arg(long, value_name = "NAME")]
    queue: Option<String>,
    /// 0 (first) to 9
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..=9))]
    priority: Option<i64>,
    /// A tag to find it by; may be repeated
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    #[command(flatten)]
    trying: Trying,
}

/// How a job, or what it is made for, is printed.
#[derive(Args)]
pub(crate) struct Output {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What a handler is given.
#[derive(Args)]
pub(crate) struct JsonPayload {
    /// What the handler is given: JSON, or a file of it as @FILE, @- for the input
    #[arg(
        long,
        value_name = "JSON|@FILE",
        default_value = "null",
        hide_default_value = true
    )]
    payload: String,
}

impl Usual {
    /// A job of this kind, with this payload.
    pub(crate) fn job(&self, kind: &str, payload: Box<RawValue>) -> NewJob {
        NewJob {
            kind: Some(kind.to_owned()),
            payload: Some(payload),
            queue: self.queue.clone(),
            priority: self.priority,
            tags: self.tags.clone(),
            timeout: self.trying.timeout(),
            max_attempts: self.trying.max_attempts,
            backoff: self.trying.backoff.clone(),
            max_elapsed: self.trying.max_elapsed(),
            on_lost: self.trying.on_lost(),
            ..NewJob::default()
        }
    }
}

impl JsonPayload {
    /// The JSON.
    pub(crate) fn read(&self) -> Result<Box<RawValue>, Failure> {
        payload::json("--payload", &self.payload)
    }
}
