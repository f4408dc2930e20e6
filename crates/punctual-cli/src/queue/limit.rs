//! `punctual queue limit`.

use clap::Args;
use punctual::time::{format_length, parse_length};
use punctual_http::Client;
use punctual_http::wire::{self, NewRate, NewRetention, Queue, QueueLimits};

use super::show::report;
use crate::completion;
use crate::failure::Failure;

/// `punctual queue limit NAME`
#[derive(Args)]
pub(super) struct LimitArgs {
    /// The queue
    #[arg(add = completion::queues())]
    name: String,
    #[command(flatten)]
    limits: Limits,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is to be otherwise; what is not said stays as it is.
#[derive(Args)]
#[group(required = true, multiple = true)]
struct Limits {
    /// How many jobs may run at once, on all workers together; 0: none begins
    #[arg(long, value_name = "N|unlimited", allow_negative_numbers = true, value_parser = or_unlimited(most))]
    max_running: Option<Unless<i64>>,
    /// How many jobs may begin in a length of time, such as 10/1s; with 10/1s/50, up to 50 that were saved up
    #[arg(long, value_name = "RATE|unlimited", value_parser = or_unlimited(rate))]
    rate: Option<Unless<NewRate>>,
    /// How long jobs are kept that succeeded
    #[arg(long, value_name = "LENGTH|default", value_parser = or_default)]
    keep_succeeded: Option<Unless<String>>,
    /// How long jobs are kept that failed
    #[arg(long, value_name = "LENGTH|default", value_parser = or_default)]
    keep_failed: Option<Unless<String>>,
    /// How long jobs are kept that were cancelled
    #[arg(long, value_name = "LENGTH|default", value_parser = or_default)]
    keep_cancelled: Option<Unless<String>>,
}

/// What a flag sets, unless it lifts what was set. To `clap`, an option within an option would be a value that may be left out.
type Unless<T> = Option<T>;

/// Reads a limit, or that there is none.
fn or_unlimited<T>(
    read: fn(&str) -> Result<T, String>,
) -> impl Fn(&str) -> Result<Unless<T>, String> + Clone + Send + Sync + 'static
where
    T: 'static,
{
    move |text| match text {
        "unlimited" => Ok(None),
        text => read(text).map(Some),
    }
}

/// Reads a length, or that it is to be as the server is configured.
fn or_default(text: &str) -> Result<Unless<String>, String> {
    match text {
        "default" => Ok(None),
        text => length(text).map(Some),
    }
}

fn most(text: &str) -> Result<i64, String> {
    let most = text.parse::<u32>();
    most.map(i64::from)
        .map_err(|_| format!("write a number up to {}, or unlimited", u32::MAX))
}

fn rate(text: &str) -> Result<NewRate, String> {
    let number = |text: &str| text.parse::<u32>().ok().filter(|n| *n > 0).map(i64::from);
    let mut parts = text.splitn(3, '/');
    let (n, per) = (parts.next().and_then(number), parts.next());
    let burst = parts.next().map(number);
    match (n, per, burst) {
        (Some(n), Some(per), None | Some(Some(_))) => Ok(NewRate {
            n: Some(n),
            per: Some(length(per)?),
            burst: burst.flatten(),
        }),
        _ => Err("write it as 10/1s, as 10/1s/50, or unlimited".to_owned()),
    }
}

/// The length as the wire has it.
fn length(text: &str) -> Result<String, String> {
    let length = parse_length(text).map_err(|error| error.to_string())?;
    Ok(format_length(length))
}

impl LimitArgs {
    /// Sets them on top of what holds now, unless somebody sets others in between.
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        let now = client.queue(&self.name).await?;
        let limits = self.limits.on_top_of(&now);
        let queue = client.limit_queue(&self.name, &limits, Some(now.rev)).await?;
        report(&queue, self.json)
    }
}

impl Limits {
    fn on_top_of(self, now: &Queue) -> QueueLimits {
        let max_running = self.max_running.unwrap_or(now.max_running.map(i64::from));
        let rate = self.rate.unwrap_or_else(|| now.rate.as_ref().map(as_it_is));
        let kept = now.retention.as_ref();
        let keep = |given: Option<Unless<String>>, is: fn(&wire::Retention) -> wire::Length| {
            given.unwrap_or_else(|| kept.map(|kept| format_length(is(kept).0)))
        };
        let retention = NewRetention {
            succeeded: keep(self.keep_succeeded, |kept| kept.succeeded),
            failed: keep(self.keep_failed, |kept| kept.failed),
            cancelled: keep(self.keep_cancelled, |kept| kept.cancelled),
        };
        let says_any =
            retention.succeeded.is_some() || retention.failed.is_some() || retention.cancelled.is_some();
        QueueLimits {
            max_running,
            rate,
            retention: says_any.then_some(retention),
        }
    }
}

fn as_it_is(rate: &wire::Rate) -> NewRate {
    NewRate {
        n: Some(rate.n.into()),
        per: Some(format_length(rate.per.0)),
        burst: Some(rate.burst.into()),
    }
}
