//! Schedules that several nodes fire at once, and those whose rows somebody's transaction holds.

use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::{Either, join_all, select};
use punctual::change::{Applied, Change, ScheduleApplied, ScheduleChange};
use punctual::job::Job;
use punctual::run::SettleVerdict;
use punctual::schedule::{Cause, Occurrence, Outcome, Overlap, Plan, Schedule, Spec};
use punctual::source::Source;
use punctual::store::Store;
use punctual::store::postgres::{PostgresStore, Within};
use punctual::time::{Timestamp, seconds};
use punctual::{Engine, Error, NewJob};

use super::server::{House, open, schema_of};
use super::{PATIENCE, claim, insert, job, success, until};
use crate::rows::{job_for, looks, make, making, schedule};
use crate::stage::{done, settlement};

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
        let applied = store.change_schedules(&changes).await;
        let applied = applied.expect("nobody is waited for");
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
        // What they poke, somebody may just be firing.
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

#[tokio::test]
async fn a_schedule_whose_job_is_there_and_held_is_fired_all_the_same() {
    let Some(house) = House::shared() else { return };
    let url = house.next();
    let store = open(&url).await;
    let rows = ["backfilled", "other"].map(schedule);
    make(&store, &rows).await;
    let changes: Vec<ScheduleChange> = rows.iter().map(fire).collect();
    insert(&store, &changes[0].jobs).await;
    let mut client = house.client().await;
    let transaction = client.transaction().await.expect("it begins");
    let hold = format!("update {}.jobs set rev = rev + 1", schema_of(&url));
    assert_eq!(transaction.execute(&hold, &[]).await.expect("it is held"), 1);
    let applied = store.change_schedules(&changes).await;
    assert_eq!(applied, Ok(vec![ScheduleApplied::Applied; 2]));
    transaction.rollback().await.expect("it ends");
}

#[tokio::test]
async fn a_new_schedule_whose_name_somebody_holds_is_refused_alone() {
    let Some(house) = House::shared() else { return };
    let url = house.next();
    let store = open(&url).await;
    let there = schedule("held");
    make(&store, std::slice::from_ref(&there)).await;
    let mut client = house.client().await;
    let transaction = client.transaction().await.expect("it begins");
    let hold = format!("update {}.schedules set rev = rev + 1", schema_of(&url));
    assert_eq!(transaction.execute(&hold, &[]).await.expect("it is held"), 1);
    let new = Schedule {
        name: there.name.clone(),
        ..schedule("another")
    };
    let changes = [new, schedule("free")].map(|row| making(&row));
    let applied = store.change_schedules(&changes).await;
    let stale = ScheduleApplied::Stale(Some(Box::new(there)));
    assert_eq!(applied, Ok(vec![stale, ScheduleApplied::Applied]));
    transaction.rollback().await.expect("it ends");
}

fn every_second(queue: &str, overlap: Overlap) -> Plan {
    Plan {
        overlap,
        ..Plan::new(Spec::every(seconds(1)), NewJob::bytes("test", "{}").queue(queue))
    }
}

fn within(url: &str) -> Within<'_> {
    Within {
        namespace: schema_of(url),
        ..Within::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_open_transaction_that_ends_a_run_holds_up_its_own_schedule_and_no_other() {
    let Some(house) = House::shared() else { return };
    let url = house.next();
    let store = Arc::new(open(&url).await);
    let engine = Engine::builder().on(store.clone());
    let others = ["first", "second", "third"];
    for name in others {
        let set = engine.set_schedule(name, every_second("other", Overlap::Allow), None);
        set.await.expect("it is set");
    }
    // It waits for the end of its run, and has to be looked at each second all the same.
    let set = engine.set_schedule("held", every_second("default", Overlap::BufferOne), None);
    set.await.expect("it is set");
    let fired = async |name: &str| engine.schedule(name).await.expect("it is there").standing.fired;

    let mut claimed = Vec::new();
    until("its first job is due", async || {
        claimed = claim(&*store, 1).await.jobs;
        !claimed.is_empty()
    })
    .await;
    let mut client = house.client().await;
    let transaction = client.transaction().await.expect("it begins");
    let settled = [success(&claimed[0])];
    let applied = PostgresStore::settle_in(&transaction, within(&url), &settled).await;
    assert_eq!(applied, Ok(vec![Applied::Applied]));

    let mut before = Vec::new();
    for name in others {
        before.push((name, fired(name).await));
    }
    for (name, before) in before {
        until("the others fire", async || fired(name).await >= before + 4).await;
    }
    assert_eq!(fired("held").await, 1);
    // What asks for the held schedule waits for it.
    let pausing = pin!(patiently(async || {
        engine.pause_schedule("held", "the night", None).await
    }));
    let firing = pin!(until("the others fire", async || fired("first").await >= 8));
    let pausing = match select(firing, pausing).await {
        Either::Left(((), pausing)) => pausing,
        Either::Right(_) => panic!("it did not wait for the transaction"),
    };
    transaction.commit().await.expect("it commits");
    assert!(pausing.await.standing.paused.is_some());
    let resumed = engine.resume_schedule("held", None).await;
    resumed.expect("it goes on");
    until("it fires again", async || fired("held").await >= 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_run_whose_schedule_an_open_transaction_holds_waits_alone_for_its_settlement() {
    let Some(house) = House::shared() else { return };
    let url = house.next();
    let store = Arc::new(open(&url).await);
    let engine = Engine::builder().on(store.clone());
    let mut row = schedule("held");
    row.standing.next = None;
    make(&*store, std::slice::from_ref(&row)).await;
    let mut jobs = vec![job_for(&row, "in the transaction"), job_for(&row, "waits")];
    jobs.extend((0..40).map(|number| job(&number.to_string())));
    insert(&*store, &jobs).await;
    let mut claimed = claim(&*store, jobs.len()).await.jobs;
    claimed.sort_by_key(|claimed| jobs.iter().position(|job| job.id() == claimed.id()));
    let mut client = house.client().await;
    let transaction = client.transaction().await.expect("it begins");
    let settled = [success(&claimed[0])];
    let applied = PostgresStore::settle_in(&transaction, within(&url), &settled).await;
    assert_eq!(applied, Ok(vec![Applied::Applied]));

    let settle = |job: &Job| {
        let (engine, settlement) = (engine.clone(), settlement(job, done("1")));
        tokio::spawn(async move { engine.settle(vec![settlement]).await })
    };
    let mut settling: Vec<_> = claimed[1..].iter().map(settle).collect();
    let waits = settling.remove(0);
    for other in settling {
        let settled = tokio::time::timeout(PATIENCE, other).await;
        let settled = settled.expect("it is not delayed").expect("it does not panic");
        assert_eq!(settled, Ok(vec![SettleVerdict::Settled]));
    }
    assert!(!waits.is_finished());
    transaction.commit().await.expect("it commits");
    let settled = waits.await.expect("it does not panic");
    assert_eq!(settled, Ok(vec![SettleVerdict::Settled]));
    let poked = engine.schedule("held").await.expect("it is there");
    assert!(poked.rev >= row.rev + 2, "both ends were told");
}
