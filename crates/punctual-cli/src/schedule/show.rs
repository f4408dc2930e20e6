//! `punctual schedule show`.

use punctual_http::Client;
use punctual_http::wire::{At, Exclude, NewJob, NewSchedule, Schedule};
use serde::Serialize;

use super::{OneArgs, standing};
use crate::failure::Failure;
use crate::print;

pub(super) async fn run(client: &Client, one: &OneArgs) -> Result<(), Failure> {
    let schedule = client.schedule(&one.name).await?;
    match one.json {
        true => print::json(&schedule),
        false => print::facts(facts(&schedule)),
    }
}

fn facts(schedule: &Schedule) -> Vec<(&'static str, String)> {
    let Schedule { head, plan } = schedule;
    let at = |instant: At| standing::at_and_distance(schedule, instant.0);
    let mut facts = vec![
        ("schedule", head.name.clone()),
        ("when", head.description.clone()),
    ];
    let mut add = |name, value: Option<String>| facts.extend(value.map(|value| (name, value)));
    add("pattern", plan.cron.clone());
    add(
        "paused",
        head.paused.as_ref().map(|paused| {
            let since = paused.since.map(|since| format!("since {}", at(since)));
            let told = [
                since,
                Some(paused.reason.clone()).filter(|reason| !reason.is_empty()),
            ];
            told.into_iter().flatten().collect::<Vec<_>>().join(": ")
        }),
    );
    add("next", head.next_at.map(at));
    add("last", head.last_fired_at.map(at));
    add("fired", Some(print::count(head.fired, "time")));
    add(
        "owed",
        head.owed_at.map(|first| {
            format!(
                "{}, the first of {}",
                print::count(head.owed, "instant"),
                at(first)
            )
        }),
    );
    add("start", plan.start.clone());
    add("end", plan.end.clone());
    add("most runs", plan.max_runs.map(|most| most.to_string()));
    add("rests on", plan.exclude.as_ref().map(rests));
    add(
        "spread",
        plan.spread.as_ref().map(|spread| format!("over {spread}")),
    );
    add("missed", Some(misfire(plan)));
    add(
        "overlap",
        Some(word(&plan.overlap).unwrap_or_else(|| "skip".to_owned())),
    );
    let clocks = plan.cron.as_ref().map(|_| {
        let (gap, fold) = (word(&plan.gap), word(&plan.fold));
        let (gap, fold) = (
            gap.as_deref().unwrap_or("shift"),
            fold.as_deref().unwrap_or("first"),
        );
        format!("gap {gap}, fold {fold}")
    });
    add("clocks", clocks);
    add("made", Some(at(head.created_at)));
    plan.job.iter().for_each(|job| of_job(job, &mut add));
    facts
}

fn of_job(job: &NewJob, add: &mut impl FnMut(&'static str, Option<String>)) {
    add("kind", job.kind.clone());
    add("queue", job.queue.clone());
    add("tags", (!job.tags.is_empty()).then(|| job.tags.join(", ")));
    let payload = job.payload.as_ref().map(ToString::to_string);
    add("payload", payload.or(job.payload_base64.clone()));
}

fn rests(exclude: &Exclude) -> String {
    let calendars = exclude.calendars.iter().map(|name| format!("calendar {name}"));
    let days = exclude.weekdays.iter().chain(&exclude.dates).cloned();
    days.chain(calendars).collect::<Vec<_>>().join(", ")
}

fn misfire(plan: &NewSchedule) -> String {
    let misfire = plan.misfire.clone().unwrap_or_default();
    let mode = word(&misfire.mode).unwrap_or_else(|| "latest".to_owned());
    let most = match (mode.as_str(), misfire.max) {
        ("all", most) => format!(", at most {}", most.unwrap_or(100)),
        _ => String::new(),
    };
    let grace = misfire.grace.as_deref().unwrap_or("1m");
    format!("{mode}{most}; on time up to {grace} late")
}

/// A word of the wire as it is written there.
fn word<T: Serialize>(word: &Option<T>) -> Option<String> {
    let value = serde_json::to_value(word).ok()?;
    value.as_str().map(str::to_owned)
}
