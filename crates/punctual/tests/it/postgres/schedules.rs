//! Schedules that several nodes fire at once.

use std::sync::Arc;

use punctual::change::{Change, ScheduleApplied, ScheduleChange};
use punctual::job::Job;
use punctual::schedule::{Cause, Occurrence, Outcome, Schedule};
use punctual::store::Store;
use punctual::time::{Timestamp, seconds};

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

/// Fires what it finds, each round in another order, and ends every other job that it made, which pokes its schedule. Answers
/// how many it fired, and how many of its jobs are left.
async fn play(store: Arc<dyn Store>, node: u64) -> (u64, u64) {
    let (mut fired, mut left) = (0, 0);
    for round in 0..ROUNDS {
        let mut rows = looks(&*store).await.items;
        if (node + round).is_multiple_of(2) {
            rows.reverse();
        }
        let changes: Vec<ScheduleChange> = rows.iter().map(fire).collect();
        let applied = store.change_schedules(&changes).await.expect("the store changes");
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
        store.apply(&ends).await.expect("the store applies");
    }
    (fired, left)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_that_fire_the_same_schedules_at_once_stand_in_nobodys_way_and_fire_each_once() {
    let Some(house) = House::shared() else { return };
    let url = house.next();
    let store = open(&url).await;
    let rows: Vec<Schedule> = (0..40).map(|n| schedule(&n.to_string())).collect();
    make(&store, &rows).await;
    let mut nodes = Vec::new();
    for node in 0..4 {
        let store: Arc<dyn Store> = Arc::new(open(&url).await);
        nodes.push(tokio::spawn(play(store, node)));
    }
    let (mut fired, mut left) = (0, 0);
    for node in nodes {
        let of_one = node.await.expect("no node fails");
        (fired, left) = (fired + of_one.0, left + of_one.1);
    }
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
