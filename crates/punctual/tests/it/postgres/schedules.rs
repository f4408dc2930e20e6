//! Schedules that several nodes fire at once.

use std::time::Instant;

use futures_util::future::join_all;
use punctual::Error;
use punctual::change::{Change, ScheduleApplied, ScheduleChange};
use punctual::job::Job;
use punctual::schedule::{Cause, Occurrence, Outcome, Schedule};
use punctual::store::Store;
use punctual::store::postgres::PostgresStore;
use punctual::time::{Timestamp, seconds};

use super::PATIENCE;
use super::server::{House, open};
use crate::rows::{job_for, looks, make, schedule};

/// How often each node fires all that it finds.
const ROUNDS: u64 = 20;

/// The firing of a schedule as it is found: a job with a name that only this rev has, and an entry for it.
fn fire(row: &Schedule) -> ScheduleChange {
    let job = job_for(row, &format!("{} {}", row.name, row.rev));
    let nominal_at = Timestamp::EPOCH + seconds(row.rev);
    let entry = Occurrence {
        schedule: row.id,
        nominal_at,
        until: nominal_at,
        count: 1,
        at: nominal_at,
        cause: Cause::Planned,
        outcome: Outcome::Fired {
            job: job.id(),
            missed: 0,
        },
    };
    let mut standing = row.standing.clone();
    standing.fired += 1;
    ScheduleChange {
        jobs: vec![job],
        ledger: vec![entry],
        ..ScheduleChange::to(row, standing)
    }
}

/// What a verb answers, once no other node has locked its rows for too long: where everything is slow, some have.
async fn patiently<T>(verb: impl AsyncFn() -> Result<T, Error>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match verb().await {
            Err(error) if error.is_locked() && Instant::now() < deadline => {}
            answer => return answer.expect("the store writes"),
        }
    }
}

/// Fires what it finds, each round in another order, and ends every other job that it made, which pokes its schedule. Answers
/// how many it fired, and how many of its jobs are left.
async fn play(store: PostgresStore, node: u64) -> (u64, u64) {
    let (mut fired, mut left) = (0, 0);
    for round in 0..ROUNDS {
        let mut rows = looks(&store).await.items;
        if (node + round).is_multiple_of(2) {
            rows.reverse();
        }
        let changes: Vec<ScheduleChange> = rows.iter().map(fire).collect();
        let applied = patiently(async || store.change_schedules(&changes).await).await;
        let made = changes.iter().zip(&applied);
        let made = made.filter(|(_, applied)| **applied == ScheduleApplied::Applied);
        let jobs: Vec<&Job> = made.flat_map(|(change, _)| &change.jobs).collect();
        fired += jobs.len() as u64;
        let ends: Vec<Change> = jobs
            .iter()
            .rev()
            .step_by(2)
            .map(|job| Change::delete(job))
            .collect();
        left += (jobs.len() - ends.len()) as u64;
        patiently(async || store.apply(&ends).await).await;
    }
    (fired, left)
}

#[tokio::test]
async fn nodes_that_fire_the_same_schedules_at_once_stand_in_nobodys_way_and_fire_each_once() {
    let Some(house) = House::shared() else { return };
    let url = house.next();
    let store = open(&url).await;
    let rows: Vec<Schedule> = (0..40).map(|n| schedule(&n.to_string())).collect();
    make(&store, &rows).await;
    let mut nodes = Vec::new();
    for node in 0..4 {
        nodes.push(play(open(&url).await, node));
    }
    let played = join_all(nodes).await;
    let fired: u64 = played.iter().map(|(fired, _)| fired).sum();
    let left: u64 = played.iter().map(|(_, left)| left).sum();
    assert!(fired >= 40, "{fired}");
    let found = looks(&store).await.items;
    let told: u64 = found.iter().map(|row| row.standing.fired).sum();
    assert_eq!(told, fired);
    for row in found {
        let ledger = store
            .occurrences(row.id, None, 1_000)
            .await
            .expect("the store reads");
        assert_eq!(ledger.len() as u64, row.standing.fired, "{}", row.name);
    }
    let counted = store.counts().await.expect("the store counts").queues;
    let there: u64 = counted.iter().flat_map(|queue| queue.jobs).sum();
    assert_eq!(there, left);
}
