//! Claims that wait: for a hint, for an instant, and never in a herd.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::{FutureExt, StreamExt};
use macro_rules_attribute::apply;
use punctual::change::Change;
use punctual::job::State;
use punctual::queue::{QueueName, QueueSettings};
use punctual::run::{ClaimFrom, Claimed};
use punctual::signals::Signal;
use punctual::source::Source;
use punctual::store::Store;
use punctual::testing::{Call, Fate};
use punctual::{Engine, Error, JobId, Kind, minutes, seconds};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::stage::{Stage, claim, done, settlement, soon, until, work};
use crate::stores::{Place, on_each_store};

fn waiting(engine: &Engine, worker: &str, max: usize) -> JoinHandle<Result<Claimed, Error>> {
    let engine = engine.clone();
    let claim = claim(worker, max);
    tokio::spawn(async move { engine.claim(claim, minutes(10)).await })
}

async fn jobs(waiting: JoinHandle<Result<Claimed, Error>>) -> usize {
    let claimed = soon(waiting).await.expect("it panicked");
    claimed.expect("the store serves claims").jobs.len()
}

#[apply(on_each_store)]
async fn a_waiting_claim_is_woken_by_what_is_enqueued(place: Place) {
    let stage = Stage::quiet(&place).await;
    let waiting = waiting(&stage.engine, "w", 10);
    until("the first look", || stage.store.claims() == 1).await;
    stage.engine.enqueue(work()).await.expect("it is stored");
    assert_eq!(jobs(waiting).await, 1);
}

#[apply(on_each_store)]
async fn a_waiting_claim_hears_of_another_processs_jobs(place: Place) {
    let stage = Stage::quiet(&place).await;
    let waiting = waiting(&stage.engine, "w", 10);
    until("the first look", || stage.store.claims() == 1).await;
    stage.neighbour().enqueue(work()).await.expect("it is stored");
    assert_eq!(jobs(waiting).await, 1);
}

#[apply(on_each_store)]
async fn a_job_that_comes_while_a_claim_looks_is_not_missed(place: Place) {
    let stage = Stage::quiet(&place).await;
    let answers = Arc::new(Notify::new());
    let mut late = Some(Arc::clone(&answers));
    stage.store.rule(move |call| match call {
        Call::Claim(_) => late.take().map_or(Fate::Pass, Fate::Late),
        _ => Fate::Pass,
    });
    let waiting = waiting(&stage.engine, "w", 10);
    until("the first look", || stage.store.claims() == 1).await;
    // It found nothing, but does not know yet.
    stage.settle_down().await;
    stage.engine.enqueue(work()).await.expect("it is stored");
    stage.settle_down().await;
    assert_eq!(stage.store.claims(), 1);
    answers.notify_one();
    assert_eq!(jobs(waiting).await, 1);
}

#[apply(on_each_store)]
async fn a_claim_sleeps_until_the_next_job_is_due_and_never_starts_it_early(place: Place) {
    let stage = Stage::quiet(&place).await;
    let due = stage.engine.now() + seconds(2);
    stage.engine.enqueue(work().at(due)).await.expect("it is stored");
    let waiting = waiting(&stage.engine, "w", 10);
    stage.settle_down().await;
    assert_eq!(stage.store.claims(), 1);
    assert_eq!(stage.clock.next_wake(), Some(seconds(2)));
    stage.clock.advance(seconds(2));
    let claimed = soon(waiting)
        .await
        .expect("it panicked")
        .expect("the store serves claims");
    assert_eq!(claimed.jobs[0].status.started_at, Some(due));
    assert_eq!(stage.store.claims(), 2);
}

#[apply(on_each_store)]
async fn a_claim_of_a_job_by_its_name_sleeps_until_that_job_is_due(place: Place) {
    let stage = Stage::quiet(&place).await;
    let id = stage.engine.enqueue(work().delay(seconds(2))).await;
    let mut claim = claim("w", 1);
    claim.from = ClaimFrom::Ids(vec![id.expect("it is stored").id()]);
    let engine = stage.engine.clone();
    let waiting = tokio::spawn(async move { engine.claim(claim, minutes(10)).await });
    stage.settle_down().await;
    assert_eq!(stage.clock.next_wake(), Some(seconds(2)));
    stage.clock.advance(seconds(2));
    assert_eq!(jobs(waiting).await, 1);
}

#[apply(on_each_store)]
async fn a_job_for_later_changes_when_a_claim_wakes_and_does_not_wake_it(place: Place) {
    let stage = Stage::quiet(&place).await;
    let waiting = waiting(&stage.engine, "w", 10);
    until("the first look", || stage.store.claims() == 1).await;
    stage
        .engine
        .enqueue(work().delay(seconds(3)))
        .await
        .expect("it is stored");
    stage.settle_down().await;
    assert_eq!(stage.store.claims(), 1);
    assert_eq!(stage.clock.next_wake(), Some(seconds(3)));
    stage.clock.advance(seconds(3));
    assert_eq!(jobs(waiting).await, 1);
}

#[apply(on_each_store)]
async fn one_job_wakes_one_of_a_hundred_claims(place: Place) {
    let stage = Stage::quiet(&place).await;
    let waiting: Vec<_> = (0..100)
        .map(|n| waiting(&stage.engine, &format!("w{n}"), 1))
        .collect();
    until("the first looks", || stage.store.claims() == 100).await;
    stage.settle_down().await;
    stage.engine.enqueue(work()).await.expect("it is stored");
    until("an answer", || waiting.iter().any(JoinHandle::is_finished)).await;
    stage.settle_down().await;
    // The one that came back full, and the next one, which found that there was no more.
    assert_eq!(stage.store.claims(), 102);
    assert!(waiting[0].is_finished(), "who waits longest is first");
}

#[apply(on_each_store)]
async fn many_jobs_in_one_flush_wake_as_many_claims_as_there_are_jobs(place: Place) {
    let stage = Stage::quiet(&place).await;
    let waiting: Vec<_> = (0..20)
        .map(|n| waiting(&stage.engine, &format!("w{n}"), 1))
        .collect();
    until("the first looks", || stage.store.claims() == 20).await;
    stage.settle_down().await;
    stage.engine.enqueue_all(vec![work(); 10]).await;
    until("ten answers", || {
        waiting.iter().filter(|claim| claim.is_finished()).count() == 10
    })
    .await;
}

#[apply(on_each_store)]
async fn one_of_many_claims_wakes_when_a_job_is_due(place: Place) {
    let stage = Stage::quiet(&place).await;
    stage
        .engine
        .enqueue(work().delay(seconds(2)))
        .await
        .expect("it is stored");
    let waiting: Vec<_> = (0..50)
        .map(|n| waiting(&stage.engine, &format!("w{n}"), 1))
        .collect();
    until("the first looks", || stage.store.claims() == 50).await;
    stage.settle_down().await;
    stage.clock.advance(seconds(2));
    until("an answer", || waiting.iter().any(JoinHandle::is_finished)).await;
    stage.settle_down().await;
    assert_eq!(stage.store.claims(), 52);
}

#[apply(on_each_store)]
async fn a_claim_that_leaves_passes_its_wake_up_on(place: Place) {
    let stage = Stage::quiet(&place).await;
    let first = waiting(&stage.engine, "first", 1);
    stage.settle_down().await;
    let second = waiting(&stage.engine, "second", 1);
    until("the first looks", || stage.store.claims() == 2).await;
    stage
        .engine
        .enqueue(work().delay(seconds(2)))
        .await
        .expect("it is stored");
    stage.settle_down().await;
    first.abort();
    stage.settle_down().await;
    stage.clock.advance(seconds(2));
    assert_eq!(jobs(second).await, 1);
}

#[apply(on_each_store)]
async fn a_claim_ends_empty_when_its_wait_is_over(place: Place) {
    let stage = Stage::quiet(&place).await;
    let engine = stage.engine.clone();
    let waiting = tokio::spawn(async move { engine.claim(claim("w", 1), seconds(12)).await });
    stage.advance_until("the answer", || waiting.is_finished()).await;
    assert_eq!(jobs(waiting).await, 0);
    assert_eq!(stage.store.claims(), 4, "at once, at two rescans and at the end");
}

#[apply(on_each_store)]
async fn a_lost_signal_costs_no_more_than_a_rescan(place: Place) {
    let stage = Stage::quiet(&place).await;
    let waiting = waiting(&stage.engine, "w", 1);
    until("the first look", || stage.store.claims() == 1).await;
    let row = stage
        .engine
        .enqueue(work().queue("elsewhere"))
        .await
        .expect("it is stored")
        .row()
        .clone();
    let mut body = (*row.body).clone();
    body.id = punctual::JobId::named("unheard of");
    body.queue = QueueName::default();
    let job = punctual::job::Job {
        body: body.into(),
        status: row.status,
    };
    punctual::store::Store::insert(&*stage.store, &[job])
        .await
        .expect("it is stored");
    stage.advance(punctual::limits::RESCAN).await;
    assert_eq!(jobs(waiting).await, 1);
}

#[apply(on_each_store)]
async fn a_place_under_a_limit_that_becomes_free_wakes_a_claim(place: Place) {
    let stage = Stage::quiet(&place).await;
    let limited = QueueSettings {
        max_running: Some(1),
        ..QueueSettings::default()
    };
    stage
        .engine
        .set_queue("default", limited, None)
        .await
        .expect("it is set");
    stage.engine.enqueue_all(vec![work(); 2]).await;
    let running = stage.claim(5).await;
    assert_eq!(running.len(), 1);
    let waiting = waiting(&stage.engine, "w", 5);
    until("the look", || stage.store.claims() == 2).await;
    stage.settle_down().await;
    stage
        .engine
        .settle(vec![settlement(&running[0], done("1"))])
        .await
        .expect("it is settled");
    assert_eq!(jobs(waiting).await, 1);
}

#[apply(on_each_store)]
async fn a_pause_that_is_lifted_wakes_a_claim(place: Place) {
    let stage = Stage::quiet(&place).await;
    let paused = QueueSettings {
        paused: Some("the printer is out of paper".into()),
        ..QueueSettings::default()
    };
    let rev = stage
        .engine
        .set_queue("default", paused.clone(), Some(0))
        .await
        .expect("it is set");
    assert_eq!(stage.engine.queue("default").await, Ok((paused, rev)));
    stage.engine.enqueue(work()).await.expect("it is stored");
    let waiting = waiting(&stage.engine, "w", 5);
    until("the look", || stage.store.claims() == 1).await;
    stage.settle_down().await;
    let stale = stage
        .engine
        .set_queue("default", QueueSettings::default(), Some(7))
        .await;
    assert_eq!(stale.map_err(|error| error.kind()), Err(Kind::Conflict));
    stage
        .engine
        .set_queue("default", QueueSettings::default(), Some(rev))
        .await
        .expect("it is lifted");
    assert_eq!(jobs(waiting).await, 1);
}

#[apply(on_each_store)]
async fn a_claim_that_waits_is_told_when_the_engine_is_closed(place: Place) {
    let stage = Stage::quiet(&place).await;
    let waiting = waiting(&stage.engine, "w", 1);
    until("the first look", || stage.store.claims() == 1).await;
    stage.engine.close().await.expect("it closes");
    let claimed = soon(waiting).await.expect("it panicked");
    assert_eq!(claimed.map_err(|error| error.kind()), Err(Kind::Unavailable));
}

#[tokio::test]
async fn a_claim_that_is_looked_up_does_not_answer_what_has_ended_meanwhile() {
    let stage = Stage::quiet(&Place::memory()).await;
    stage.engine.enqueue(work()).await.expect("it is stored");
    let memory = Arc::clone(&stage.store.behind);
    stage.store.rule(move |call| match call {
        Call::Claim(_) => Fate::Lose(Error::unknown("the connection broke")),
        Call::Fetch(ids) => {
            end_at_once(&*memory, ids);
            Fate::Pass
        }
        _ => Fate::Pass,
    });
    let claimed = stage.engine.claim(claim("w", 5), seconds(0)).await;
    assert_eq!(claimed.map_err(|error| error.kind()), Err(Kind::Internal));
}

#[apply(on_each_store)]
async fn a_claim_whose_answer_was_lost_is_looked_up_when_the_store_is_back(place: Place) {
    let stage = Stage::quiet(&place).await;
    stage.engine.enqueue(work()).await.expect("it is stored");
    let looks = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&looks);
    stage.store.rule(move |call| match call {
        Call::Claim(_) => Fate::Lose(Error::unknown("the connection broke")),
        Call::List(..) if counted.fetch_add(1, Ordering::Relaxed) < 3 => {
            Fate::Refuse(Error::unavailable("it is away"))
        }
        _ => Fate::Pass,
    });
    let claiming = waiting(&stage.engine, "w", 5);
    for look in 1..=3 {
        until("it looks again", || looks.load(Ordering::Relaxed) == look).await;
        stage.settle_down().await;
        stage.clock.advance(seconds(1));
    }
    assert_eq!(jobs(claiming).await, 1);
}

/// Ends these jobs behind everybody's back. A memory store answers at once.
fn end_at_once(memory: &dyn Store, ids: &[JobId]) {
    let rows = memory
        .fetch(ids)
        .now_or_never()
        .expect("it is there")
        .expect("it reads");
    let ended = rows.iter().flatten().map(|job| {
        let mut status = job.status.clone();
        status.state = State::Succeeded;
        status.alarm = None;
        Change::to(job, status)
    });
    let changes: Vec<Change> = ended.collect();
    memory
        .apply(&changes)
        .now_or_never()
        .expect("it is there")
        .expect("it writes");
}

#[apply(on_each_store)]
async fn workers_hear_of_cancels_at_once(place: Place) {
    let stage = Stage::quiet(&place).await;
    let id = stage.engine.enqueue(work()).await.expect("it is stored").id();
    let mut cancels = stage.engine.cancels();
    let mut claim = claim("w", 1);
    claim.from = ClaimFrom::Ids(vec![id]);
    stage
        .engine
        .claim(claim, seconds(0))
        .await
        .expect("the store serves claims");
    stage.engine.cancel(id, "", None).await.expect("it runs");
    assert_eq!(soon(cancels.next()).await, Some(id));
}

#[apply(on_each_store)]
async fn workers_find_the_cancels_of_another_process_when_all_they_hear_is_that_something_happened(
    place: Place,
) {
    let stage = Stage::quiet(&place).await;
    stage.engine.enqueue_all(vec![work(); 3]).await;
    let running = stage.claim(3).await;
    let mut status = running[1].status.clone();
    status.cancel = Some(String::new());
    let mut cancels = stage.engine.cancels();
    let cancel = punctual::change::Change::to(&running[1], status);
    stage.store.apply(&[cancel]).await.expect("it is written");
    stage.store.signals().send(&[Signal::Anything, Signal::Anything]);
    assert_eq!(soon(cancels.next()).await, Some(running[1].id()));
    stage.store.signals().send(&[Signal::Cancel(running[0].id())]);
    stage.clock.advance(seconds(1));
    assert_eq!(
        soon(cancels.next()).await,
        Some(running[0].id()),
        "it is told of once"
    );
}

#[apply(on_each_store)]
async fn the_cancels_end_with_the_engine(place: Place) {
    let stage = Stage::quiet(&place).await;
    let mut cancels = stage.engine.cancels();
    stage.engine.close().await.expect("it closes");
    assert_eq!(soon(cancels.next()).await, None);
}

#[apply(on_each_store)]
async fn a_queue_that_no_job_could_name_cannot_be_set(place: Place) {
    let stage = Stage::quiet(&place).await;
    for name in ["", "two words", &"q".repeat(129)] {
        let refused = stage.engine.set_queue(name, QueueSettings::default(), None).await;
        assert_eq!(refused.map_err(|error| error.kind()), Err(Kind::Invalid));
    }
}
