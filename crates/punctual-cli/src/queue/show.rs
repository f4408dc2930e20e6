//! `punctual queue show`.

use punctual::time::format_length;
use punctual_http::Client;
use punctual_http::wire::{Paused, Queue, Rate, Retention};

use super::OneArgs;
use crate::failure::Failure;
use crate::{print, when};

pub(super) async fn run(client: &Client, one: &OneArgs) -> Result<(), Failure> {
    let queue = client.queue(&one.name).await?;
    if is_none_yet(&queue) {
        print::note("there is no such queue yet: it has no jobs, and nothing was ever set");
    }
    report(&queue, one.json)
}

/// Whether nobody has made it: every name is that of a queue, and one is made by its first job or its first setting.
fn is_none_yet(queue: &Queue) -> bool {
    let counts = &queue.counts;
    let jobs = [
        counts.waiting,
        counts.running,
        counts.succeeded,
        counts.failed,
        counts.cancelled,
    ];
    queue.rev == 0 && jobs.iter().all(|jobs| *jobs == 0)
}

/// Prints one queue as a whole.
pub(super) fn report(queue: &Queue, json: bool) -> Result<(), Failure> {
    if json {
        return print::json(queue);
    }
    let counts = &queue.counts;
    let jobs = format!(
        "{} waiting, {} running, {} succeeded, {} failed, {} cancelled",
        counts.waiting, counts.running, counts.succeeded, counts.failed, counts.cancelled
    );
    let mut facts = vec![("queue", queue.name.clone()), ("jobs", jobs)];
    let mut add = |name, value: Option<String>| facts.extend(value.map(|value| (name, value)));
    let oldest = queue.oldest_ready.map(|length| when::coarse(length.0));
    add("oldest", oldest.map(|length| format!("ready for {length}")));
    add("paused", queue.paused.as_ref().map(paused));
    add("at once", queue.max_running.map(|most| most.to_string()));
    add("rate", queue.rate.as_ref().map(rate));
    add("kept", queue.retention.as_ref().map(kept));
    print::facts(facts)
}

/// A rate as people say it: `100 per 1m`, and what it saves up if that differs.
pub(super) fn rate(rate: &Rate) -> String {
    let told = format!("{} per {}", rate.n, format_length(rate.per.0));
    match rate.burst == rate.n {
        true => told,
        false => format!("{told} with up to {} at once", rate.burst),
    }
}

fn paused(paused: &Paused) -> String {
    let since = paused.since.map(|since| when::local_and_distance(since.0));
    let reason = Some(paused.reason.clone()).filter(|reason| !reason.is_empty());
    match (since, reason) {
        (Some(since), Some(reason)) => format!("since {since}: {reason}"),
        (Some(since), None) => format!("since {since}"),
        (None, reason) => reason.unwrap_or_else(|| "yes".to_owned()),
    }
}

fn kept(kept: &Retention) -> String {
    let [succeeded, failed, cancelled] =
        [kept.succeeded, kept.failed, kept.cancelled].map(|length| format_length(length.0));
    format!("succeeded {succeeded}, failed {failed}, cancelled {cancelled}")
}
