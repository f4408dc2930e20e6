//! Schedules on each store: what their users, and those who run their jobs, see of them.

use std::sync::Arc;
use std::time::Duration;

use punctual::engine::LedgerPage;
use punctual::job::{Job, JobId};
use punctual::limits::PAGE_ITEMS;
use punctual::run::Outcome as Ran;
use punctual::schedule::{Outcome, Overlap, Plan, Schedule, Spec};
use punctual::source::Source;
use punctual::{Engine, Timestamp, minutes, seconds};

use crate::stage::{Stage, claim, done, settlement, work};

mod asking;
mod firing;
mod overlaps;
mod racing;
mod trouble;

/// Every minute, whatever is live.
fn minutely() -> Plan {
    Plan {
        overlap: Overlap::Allow,
        ..Plan::new(Spec::every(minutes(1)), work())
    }
}

fn with_overlap(overlap: Overlap) -> Plan {
    Plan {
        overlap,
        ..minutely()
    }
}

async fn set(stage: &Stage, plan: Plan) -> Schedule {
    let set = stage.engine.set_schedule("s", plan, None).await;
    set.expect("it is set").0
}

/// The ledger of the schedule `s` in short, oldest first: `5 fired`, `1-4 misfire`, in minutes after noon.
async fn told(engine: &Engine) -> Vec<String> {
    let page = LedgerPage {
        from: None,
        until: None,
        before: None,
        limit: PAGE_ITEMS,
    };
    let ledger = engine.occurrences("s", page).await.expect("the store answers");
    let told = ledger.items.iter().rev().map(|entry| {
        let (first, last) = (minute(entry.nominal_at), minute(entry.until));
        let when = if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        };
        let cause = match entry.cause {
            punctual::schedule::Cause::Planned => "",
            cause => &format!(" {}", cause.as_str()),
        };
        match &entry.outcome {
            Outcome::Fired { missed: 0, .. } => format!("{when}{cause} fired"),
            Outcome::Fired { missed, .. } => format!("{when}{cause} fired for {missed}"),
            Outcome::Skipped(reason) => format!("{when}{cause} {reason}"),
        }
    });
    told.collect()
}

fn minute(at: Timestamp) -> u64 {
    at.since(noon()).as_secs() / 60
}

/// When each stage begins.
fn noon() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().expect("an instant")
}

/// Lets time go on, however many sleepers there are, in one leap: as for a process that did not run.
fn leap(stage: &Stage, length: Duration) {
    stage.clock.advance(length);
}

/// An engine that fires, which is started only now.
fn firing_engine(stage: &Stage) -> Engine {
    Engine::builder()
        .clock(Arc::new(stage.clock.clone()))
        .on(stage.store.faulty.clone())
}

/// Claims all that is due.
async fn claim_all(stage: &Stage) -> Vec<Job> {
    stage.settle_down().await;
    stage.claim(100).await
}

async fn end(stage: &Stage, job: &Job) {
    settle(stage, job, done("1")).await;
}

async fn settle(stage: &Stage, job: &Job, outcome: Ran) {
    let settled = stage.engine.settle(vec![settlement(job, outcome)]).await;
    settled.expect("the store takes it");
    stage.settle_down().await;
}

/// For which minute after noon each job is.
fn minutes_of(jobs: &[Job]) -> Vec<u64> {
    jobs.iter().map(|job| minute(nominal(job))).collect()
}

fn nominal(job: &Job) -> Timestamp {
    let origin = job.body.origin.as_ref().expect("a schedule made it");
    origin.nominal_at
}

fn missed(job: &Job) -> u64 {
    job.body.origin.as_ref().map_or(0, |origin| origin.missed)
}
