//! Waiting for results: many waiters, one listener.

use std::sync::Arc;

use bytes::Bytes;
use macro_rules_attribute::apply;
use punctual::engine::{Ending, ResultError};
use punctual::job::{FailureReason, Job};
use punctual::limits::{RESCAN, RESULT_ROWS, WAITERS};
use punctual::run::Outcome;
use punctual::signals::Signal;
use punctual::source::Source;
use punctual::store::Store;
use punctual::testing::{Call, Fate};
use punctual::{Engine, Error, JobId, Kind, NewJob, minutes, seconds};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::stage::{Stage, done, settlement, soon, work};
use crate::stores::{Place, on_each_store};

type Waiting = JoinHandle<Result<Ending, Error>>;

fn waiting(engine: &Engine, id: JobId) -> Waiting {
    let engine = engine.clone();
    tokio::spawn(async move { engine.result(id, minutes(10)).await })
}

async fn ending(waiting: Waiting) -> Result<Ending, Error> {
    soon(waiting).await.expect("a waiter panicked")
}

async fn running(stage: &Stage) -> Job {
    stage.engine.enqueue(work()).await.expect("it is stored");
    stage.claim(1).await.remove(0)
}

fn is_done(ending: &Result<Ending, Error>, with: &'static str) -> bool {
    matches!(ending, Ok(Ending::Succeeded(_, result)) if *result == Bytes::from_static(with.as_bytes()))
}

#[apply(on_each_store)]
async fn every_ending_is_told_apart(place: Place) {
    let stage = Stage::quiet(&place).await;
    let job = running(&stage).await;
    let pending = stage.engine.result(job.id(), seconds(0)).await;
    assert!(matches!(pending, Ok(Ending::Pending(_))));
    stage
        .engine
        .settle(vec![settlement(&job, done("\"hello\""))])
        .await
        .expect("it is settled");
    assert_eq!(
        stage.engine.job(job.id()).typed::<String>().result().await,
        Ok("hello".to_owned())
    );

    let job = running(&stage).await;
    let fail = Outcome::Fail {
        error: "no way".into(),
    };
    stage
        .engine
        .settle(vec![settlement(&job, fail)])
        .await
        .expect("it is settled");
    match stage.engine.job(job.id()).result().await {
        Err(ResultError::Failed(failure)) => assert_eq!(failure.reason, FailureReason::Failed),
        other => panic!("it is {other:?}"),
    }

    let id = stage.engine.enqueue(work()).await.expect("it is stored").id();
    stage
        .engine
        .cancel(id, "not needed", None)
        .await
        .expect("it waits");
    let cancelled = stage.engine.job(id).result().await;
    assert_eq!(cancelled, Err(ResultError::Cancelled("not needed".into())));

    for wait in [seconds(0), seconds(9)] {
        let unknown = soon(stage.engine.result(JobId::named("nobody"), wait)).await;
        assert_eq!(unknown.map_err(|error| error.kind()), Err(Kind::NotFound));
    }
}

#[apply(on_each_store)]
async fn waiters_are_woken_by_own_and_by_foreign_endings(place: Place) {
    let stage = Stage::quiet(&place).await;
    let neighbour = stage.neighbour();
    for settles in [&stage.engine, &neighbour] {
        let job = running(&stage).await;
        let waiters: Vec<_> = (0..3).map(|_| waiting(&stage.engine, job.id())).collect();
        stage.settle_down().await;
        settles
            .settle(vec![settlement(&job, done("7"))])
            .await
            .expect("it is settled");
        for waiter in waiters {
            assert!(is_done(&ending(waiter).await, "7"));
        }
    }
}

#[apply(on_each_store)]
async fn callers_of_one_key_share_one_result(place: Place) {
    let stage = Stage::quiet(&place).await;
    let callers: Vec<_> = (0..64)
        .map(|_| {
            let engine = stage.engine.clone();
            tokio::spawn(async move {
                let job = NewJob::bytes("work", "{}").unique("k");
                engine
                    .enqueue(job)
                    .await
                    .expect("a job stands for it")
                    .result()
                    .await
            })
        })
        .collect();
    stage.settle_down().await;
    let job = stage.claim(10).await.remove(0);
    stage
        .engine
        .settle(vec![settlement(&job, done("42"))])
        .await
        .expect("it is settled");
    for caller in callers {
        assert_eq!(
            soon(caller).await.expect("a caller panicked"),
            Ok(serde_json::json!(42))
        );
    }
}

#[apply(on_each_store)]
async fn ten_thousand_waiters_cost_a_few_dozen_reads(place: Place) {
    let stage = Stage::quiet(&place).await;
    let mut ids = Vec::new();
    for _ in 0..10 {
        ids.extend(
            stage
                .engine
                .enqueue_all(vec![work(); 1_000])
                .await
                .iter()
                .flatten()
                .map(|job| job.id()),
        );
    }
    let waiters: Vec<_> = ids.iter().map(|id| waiting(&stage.engine, *id)).collect();
    stage.settle_down().await;
    let first_reads = stage.store.fetches().len();
    assert!(first_reads <= ids.len() / RESULT_ROWS + 2, "{first_reads} reads");
    for _ in 0..10 {
        let settlements = stage
            .claim(1_000)
            .await
            .iter()
            .map(|job| settlement(job, done("1")))
            .collect();
        stage.engine.settle(settlements).await.expect("they are settled");
    }
    stage
        .advance_until("every answer", || waiters.iter().all(JoinHandle::is_finished))
        .await;
    for waiter in waiters {
        assert!(is_done(&ending(waiter).await, "1"));
    }
    let reads = stage.store.fetches().len() - first_reads;
    assert!(reads <= 4 * ids.len() / RESULT_ROWS, "{reads} reads");
}

#[apply(on_each_store)]
async fn a_hint_of_anything_reads_all_that_is_waited_for_at_once_and_then_with_a_gap(place: Place) {
    let stage = Stage::quiet(&place).await;
    let stored = stage.engine.enqueue_all(vec![work(); 5]).await;
    let waiters: Vec<_> = stored
        .iter()
        .flatten()
        .map(|job| waiting(&stage.engine, job.id()))
        .collect();
    stage.settle_down().await;
    let before = stage.store.fetches().len();
    for _ in 0..50 {
        stage.store.signals().send(&[Signal::Anything]);
        stage.settle_down().await;
    }
    let reads = stage.store.fetches();
    assert_eq!(reads.len(), before + 1);
    assert_eq!(reads[before].len(), 5);
    stage.advance(seconds(1)).await;
    assert_eq!(stage.store.fetches().len(), before + 2);
    waiters.iter().for_each(JoinHandle::abort);
}

#[apply(on_each_store)]
async fn an_ending_of_which_no_signal_came_is_found_at_the_rescan(place: Place) {
    let stage = Stage::quiet(&place).await;
    let job = running(&stage).await;
    let waiter = waiting(&stage.engine, job.id());
    stage.settle_down().await;
    let mut status = job.status.clone();
    status.state = punctual::job::State::Succeeded;
    status.result = Some(Bytes::from_static(b"1"));
    status.alarm = None;
    status.ended_at = Some(stage.engine.now());
    let change = punctual::change::Change::to(&job, status);
    stage.store.apply(&[change]).await.expect("it is written");
    stage.settle_down().await;
    assert!(!waiter.is_finished());
    stage.advance(RESCAN).await;
    assert!(is_done(&ending(waiter).await, "1"));
}

#[apply(on_each_store)]
async fn a_waiter_that_leaves_cancels_nothing_and_leaves_nothing_behind(place: Place) {
    let stage = Stage::quiet(&place).await;
    let job = running(&stage).await;
    let (leaves, stays) = (waiting(&stage.engine, job.id()), waiting(&stage.engine, job.id()));
    stage.settle_down().await;
    leaves.abort();
    stage
        .engine
        .settle(vec![settlement(&job, done("1"))])
        .await
        .expect("it is settled");
    assert!(is_done(&ending(stays).await, "1"));
    let reads = stage.store.fetches().len();
    stage
        .store
        .signals()
        .send(&[Signal::Ended(job.id()), Signal::Anything]);
    stage.advance(RESCAN * 2).await;
    assert_eq!(stage.store.fetches().len(), reads, "somebody is still waited for");
}

#[apply(on_each_store)]
async fn a_read_that_began_before_a_waiter_came_tells_it_nothing(place: Place) {
    let stage = Stage::quiet(&place).await;
    let answers = Arc::new(Notify::new());
    let mut late = Some(Arc::clone(&answers));
    stage.store.rule(move |call| match call {
        Call::Fetch(_) => late.take().map_or(Fate::Pass, Fate::Late),
        _ => Fate::Pass,
    });
    let id = JobId::named("not there yet");
    let early = waiting(&stage.engine, id);
    stage.settle_down().await;
    stage.engine.enqueue(work().id(id)).await.expect("it is stored");
    let waiter = waiting(&stage.engine, id);
    stage.settle_down().await;
    answers.notify_one();
    stage.settle_down().await;
    early.abort();
    assert!(!waiter.is_finished(), "it was told what was so before it came");
    stage.engine.cancel(id, "", None).await.expect("it waits");
    assert!(matches!(ending(waiter).await, Ok(Ending::Cancelled(..))));
}

#[apply(on_each_store)]
async fn a_wait_that_is_over_answers_how_the_job_stands(place: Place) {
    let stage = Stage::quiet(&place).await;
    let job = running(&stage).await;
    let engine = stage.engine.clone();
    let waiter = tokio::spawn(async move { engine.result(job.id(), seconds(7)).await });
    stage.advance_until("the answer", || waiter.is_finished()).await;
    assert!(matches!(ending(waiter).await, Ok(Ending::Pending(_))));
}

#[apply(on_each_store)]
async fn a_job_that_is_deleted_is_not_waited_for_any_longer(place: Place) {
    let stage = Stage::quiet(&place).await;
    let id = stage.engine.enqueue(work()).await.expect("it is stored").id();
    let waiter = waiting(&stage.engine, id);
    stage.settle_down().await;
    stage.engine.delete(id, None).await.expect("it waits");
    assert_eq!(
        ending(waiter).await.map_err(|error| error.kind()),
        Err(Kind::NotFound)
    );
}

#[apply(on_each_store)]
async fn waiting_is_refused_where_nothing_is_kept(place: Place) {
    let stage = Stage::quiet(&place).await;
    stage.keep("brief", seconds(0)).await;
    let id = stage
        .engine
        .enqueue(work().queue("brief"))
        .await
        .expect("it is stored")
        .id();
    let refused = soon(stage.engine.result(id, seconds(9))).await;
    assert_eq!(refused.map_err(|error| error.kind()), Err(Kind::Invalid));
    assert!(stage.engine.check_waitable(&"brief".into()).await.is_err());
    assert!(stage.engine.check_waitable(&"default".into()).await.is_ok());
}

#[apply(on_each_store)]
async fn what_is_left_of_a_job_to_hold_its_key_has_no_result(place: Place) {
    let stage = Stage::quiet(&place).await;
    stage.keep("default", seconds(0)).await;
    let job = work().unique("k").unique_for(minutes(5));
    let id = stage.engine.enqueue(job).await.expect("it is stored").id();
    let running = stage.claim(1).await.remove(0);
    let settled = stage.engine.settle(vec![settlement(&running, done("42"))]).await;
    settled.expect("it is settled");
    assert!(stage.engine.fetch(id).await.is_ok(), "its key is still held");
    for wait in [seconds(0), seconds(9)] {
        let result = soon(stage.engine.result(id, wait)).await;
        assert_eq!(result.map_err(|error| error.kind()), Err(Kind::NotFound));
    }
}

#[apply(on_each_store)]
async fn a_store_that_cannot_be_read_is_told_to_who_comes_and_outlasted_by_who_waits(place: Place) {
    let stage = Stage::quiet(&place).await;
    let job = running(&stage).await;
    let waiter = waiting(&stage.engine, job.id());
    stage.settle_down().await;
    stage.store.rule(|call| match call {
        Call::Fetch(_) => Fate::Refuse(Error::unavailable("it is down")),
        _ => Fate::Pass,
    });
    let refused = soon(stage.engine.result(job.id(), seconds(9))).await;
    assert_eq!(refused.map_err(|error| error.kind()), Err(Kind::Unavailable));
    stage.advance(RESCAN).await;
    assert!(!waiter.is_finished());
    stage.store.rule(|_| Fate::Pass);
    stage
        .engine
        .settle(vec![settlement(&job, done("1"))])
        .await
        .expect("it is settled");
    assert!(is_done(&ending(waiter).await, "1"));
}

#[apply(on_each_store)]
async fn more_waiters_than_there_is_room_for_are_refused(place: Place) {
    let stage = Stage::quiet(&place).await;
    let job = running(&stage).await;
    let mut waiters = Vec::new();
    for _ in 0..WAITERS {
        let mut waiter = Box::pin(stage.engine.result(job.id(), seconds(9)));
        tokio::select! {
            biased;
            _ = &mut waiter => panic!("the job has not ended"),
            () = std::future::ready(()) => waiters.push(waiter),
        }
    }
    let refused = soon(stage.engine.result(job.id(), seconds(9))).await;
    assert_eq!(refused.map_err(|error| error.kind()), Err(Kind::Unavailable));
    waiters.pop();
    let waiter = waiting(&stage.engine, job.id());
    stage.settle_down().await;
    assert!(!waiter.is_finished(), "there is room for one");
}
