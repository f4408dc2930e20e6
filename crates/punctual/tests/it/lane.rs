//! Natural batching: each of its rules, seen from outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use macro_rules_attribute::apply;
use punctual::limits::{FLUSH_BYTES, FLUSH_ITEMS, FLUSH_REPEATS, LANE_DEADLINE, LANE_ITEMS, LOCKED_PARTS};
use punctual::run::SettleVerdict;
use punctual::source::Source;
use punctual::testing::{Call, Fate};
use punctual::{Error, JobId, Kind, NewJob, seconds};
use tokio::task::JoinHandle;

use crate::stage::{Stage, done, settlement, soon, until, work};
use crate::stores::{Place, on_each_store};

type Answers = Vec<JoinHandle<Result<JobId, Error>>>;

/// Enqueues each of these jobs by a caller of its own.
fn callers(stage: &Stage, jobs: impl IntoIterator<Item = NewJob>) -> Answers {
    jobs.into_iter()
        .map(|job| {
            let engine = stage.engine.clone();
            tokio::spawn(async move { engine.enqueue(job).await.map(|job| job.id()) })
        })
        .collect()
}

async fn all(answers: Answers) -> Vec<Result<JobId, Error>> {
    let mut all = Vec::new();
    for answer in answers {
        all.push(soon(answer).await.expect("a caller panicked"));
    }
    all
}

fn named(name: &str) -> NewJob {
    work().id(JobId::named(name))
}

#[apply(on_each_store)]
async fn an_idle_lane_flushes_at_once_and_whoever_arrives_meanwhile_joins_the_next_flush(place: Place) {
    let stage = Stage::quiet(&place).await;
    let door = stage.store.shut().await;
    let first = callers(&stage, [work()]);
    until("the first flush", || stage.store.inserts().len() == 1).await;
    let rest = callers(&stage, (0..63).map(|_| work()));
    stage.settle_down().await;
    drop(door);
    assert!(all(first).await.iter().chain(&all(rest).await).all(Result::is_ok));
    assert_eq!(stage.store.insert_sizes(), [1, 63]);
}

#[apply(on_each_store)]
async fn callers_that_come_back_share_every_flush(place: Place) {
    let stage = Stage::quiet(&place).await;
    let callers: Vec<_> = (0..64)
        .map(|_| {
            let engine = stage.engine.clone();
            tokio::spawn(async move {
                for _ in 0..10 {
                    engine.enqueue(work()).await.expect("the store takes it");
                }
            })
        })
        .collect();
    for caller in callers {
        soon(caller).await.expect("a caller panicked");
    }
    let flushes = stage.store.insert_sizes();
    assert_eq!(flushes.iter().sum::<usize>(), 640);
    assert!(flushes.len() <= 11, "they went by turns: {flushes:?}");
}

#[apply(on_each_store)]
async fn what_a_store_could_refuse_is_refused_before_the_lane(place: Place) {
    let stage = Stage::quiet(&place).await;
    let refused = stage
        .engine
        .enqueue(work().priority(99))
        .await
        .map(|job| job.id());
    assert_eq!(refused.map_err(|error| error.kind()), Err(Kind::Invalid));
    assert!(stage.store.inserts().is_empty());
}

#[apply(on_each_store)]
async fn one_items_fault_is_its_own(place: Place) {
    let stage = Stage::quiet(&place).await;
    let guilty = JobId::named("3");
    stage.store.rule(move |call| match call {
        Call::Insert(jobs) if jobs.iter().any(|job| job.id() == guilty) => {
            Fate::Refuse(Error::invalid("it is guilty"))
        }
        _ => Fate::Pass,
    });
    let answers = all(callers(&stage, (0..8).map(|n| named(&n.to_string())))).await;
    for (n, answer) in answers.into_iter().enumerate() {
        match n {
            3 => assert_eq!(answer, Err(Error::invalid("it is guilty"))),
            _ => assert_eq!(answer, Ok(JobId::named(&n.to_string()))),
        }
    }
    assert_eq!(stage.store.insert_sizes(), [8, 4, 2, 2, 1, 1, 4]);
}

#[apply(on_each_store)]
async fn a_damaged_row_fails_what_touches_it_and_nothing_else(place: Place) {
    let stage = Stage::quiet(&place).await;
    let damaged = JobId::named("3");
    stage.store.rule(move |call| match call {
        Call::Insert(jobs) if jobs.iter().any(|job| job.id() == damaged) => {
            Fate::Refuse(Error::internal("a row cannot be read"))
        }
        _ => Fate::Pass,
    });
    let answers = all(callers(&stage, (0..8).map(|n| named(&n.to_string())))).await;
    let failed: Vec<_> = (0..8).filter(|n| answers[*n].is_err()).collect();
    assert_eq!(failed, [3]);
    assert_eq!(
        stage.store.insert_sizes(),
        [8, 4, 2, 2, 1, 1, 4],
        "what was not written for sure is not sent again as it was"
    );
}

#[apply(on_each_store)]
async fn a_batch_of_which_no_answer_came_is_sent_again_and_stored_once(place: Place) {
    let stage = Stage::quiet(&place).await;
    let mut lost = 0;
    stage.store.rule(move |call| match call {
        Call::Insert(_) if lost < 2 => {
            lost += 1;
            Fate::Lose(Error::unknown("the connection broke"))
        }
        _ => Fate::Pass,
    });
    let answers = callers(&stage, (0..3).map(|n| named(&n.to_string())));
    stage
        .advance_until("every answer", || answers.iter().all(JoinHandle::is_finished))
        .await;
    assert!(all(answers).await.iter().all(Result::is_ok));
    let sent = stage.store.inserts();
    assert_eq!(sent.len(), 3);
    assert!(
        sent.iter().all(|batch| *batch == sent[0]),
        "another batch was sent"
    );
    assert_eq!(stage.claim(10).await.len(), 3);
}

#[apply(on_each_store)]
async fn a_change_of_which_no_answer_came_counts_as_done_if_the_row_shows_it(place: Place) {
    let stage = Stage::quiet(&place).await;
    stage.engine.enqueue(work()).await.expect("it is stored");
    let job = stage.claim(1).await.remove(0);
    let mut lost = false;
    stage.store.rule(move |call| match call {
        Call::Apply(_) if !std::mem::replace(&mut lost, true) => {
            Fate::Lose(Error::unknown("the connection broke"))
        }
        _ => Fate::Pass,
    });
    let verdicts = soon(stage.engine.settle(vec![settlement(&job, done("1"))])).await;
    assert_eq!(verdicts, Ok(vec![SettleVerdict::Settled]));
    assert_eq!(stage.store.applies().len(), 2);
}

#[apply(on_each_store)]
async fn a_batch_whose_answer_never_comes_is_given_up_after_three_repeats(place: Place) {
    let stage = Stage::quiet(&place).await;
    stage.store.rule(|call| match call {
        Call::Insert(_) => Fate::Refuse(Error::unknown("a deadlock")),
        _ => Fate::Pass,
    });
    let answers = callers(&stage, [work()]);
    stage
        .advance_until("the answer", || answers[0].is_finished())
        .await;
    assert_eq!(all(answers).await, [Err(Error::unknown("a deadlock"))]);
    assert_eq!(stage.store.insert_sizes(), vec![1; FLUSH_REPEATS + 1]);
}

#[apply(on_each_store)]
async fn what_may_have_been_written_is_never_said_not_to_be(place: Place) {
    let stage = Stage::quiet(&place).await;
    let mut calls = 0;
    stage.store.rule(move |call| match call {
        Call::Insert(_) => {
            calls += 1;
            match calls {
                1 => Fate::Lose(Error::unknown("the connection broke")),
                _ => Fate::Refuse(Error::unavailable("no connection")),
            }
        }
        _ => Fate::Pass,
    });
    let answers = callers(&stage, [work()]);
    stage
        .advance_until("the answer", || answers[0].is_finished())
        .await;
    let error = all(answers).await.remove(0).expect_err("nobody knows");
    assert_eq!(error.kind(), Kind::Internal);
    assert_eq!(
        error.to_string(),
        "it is not known whether this was stored; when it was sent again: no connection"
    );
}

#[apply(on_each_store)]
async fn a_locked_key_delays_its_own_item_and_never_the_lane(place: Place) {
    let stage = Stage::quiet(&place).await;
    let locked = Arc::new(AtomicUsize::new(3));
    let left = Arc::clone(&locked);
    stage.store.rule(move |call| match call {
        Call::Insert(jobs)
            if jobs.iter().any(|job| job.id() == JobId::named("locked"))
                && left.load(Ordering::Relaxed) > 0 =>
        {
            left.fetch_sub(1, Ordering::Relaxed);
            Fate::Refuse(Error::locked("another transaction holds the key"))
        }
        _ => Fate::Pass,
    });
    let locked = callers(&stage, [named("locked").unique("k1")]);
    let others = callers(&stage, [named("a"), named("keyed").unique("k2"), named("b")]);
    // Time stands still, so the locked item cannot have been tried again.
    assert!(all(others).await.iter().all(Result::is_ok));
    assert!(!locked[0].is_finished());
    assert_eq!(
        stage.store.insert_sizes()[..2],
        [4, 2],
        "the items with keys leave the batch"
    );
    assert!(
        soon(stage.engine.enqueue(work())).await.is_ok(),
        "the lane goes on"
    );
    stage
        .advance_until("the lock's end", || locked[0].is_finished())
        .await;
    assert!(all(locked).await[0].is_ok());
}

#[apply(on_each_store)]
async fn a_lock_that_is_never_let_go_is_given_up(place: Place) {
    let stage = Stage::quiet(&place).await;
    stage.store.rule(|call| match call {
        Call::Insert(_) => Fate::Refuse(Error::locked("another transaction holds the key")),
        _ => Fate::Pass,
    });
    let answers = callers(&stage, [work().unique("k")]);
    stage
        .advance_until("the answer", || answers[0].is_finished())
        .await;
    let answer = all(answers).await.remove(0);
    assert_eq!(answer.map_err(|error| error.kind()), Err(Kind::Unavailable));
}

#[apply(on_each_store)]
async fn a_locked_row_that_nobody_foresees_is_found_beside_the_lane_and_refused_alone(place: Place) {
    let stage = Stage::quiet(&place).await;
    stage.store.rule(|call| match call {
        Call::Insert(jobs) if jobs.iter().any(|job| job.id() == JobId::named("7")) => {
            Fate::Refuse(Error::locked("another transaction holds the row"))
        }
        _ => Fate::Pass,
    });
    // Time stands still: nobody waits.
    let answers = all(callers(&stage, (0..30).map(|n| named(&n.to_string())))).await;
    for (n, answer) in answers.into_iter().enumerate() {
        match n {
            7 => assert!(answer.expect_err("it is locked").is_locked()),
            _ => assert_eq!(answer, Ok(JobId::named(&n.to_string()))),
        }
    }
    let parts = [[3; LOCKED_PARTS].as_slice(), &[1; 3]].concat();
    assert_eq!(stage.store.insert_sizes(), [&[30][..], &parts].concat());
}

#[apply(on_each_store)]
async fn where_all_rows_are_locked_a_batch_is_refused_after_its_first_parts(place: Place) {
    let stage = Stage::quiet(&place).await;
    stage.store.rule(|call| match call {
        Call::Insert(_) => Fate::Refuse(Error::locked("somebody has locked the table")),
        _ => Fate::Pass,
    });
    let answers = all(callers(&stage, (0..30).map(|_| work()))).await;
    assert!(
        answers
            .into_iter()
            .all(|answer| answer.is_err_and(|error| error.is_locked()))
    );
    let parts = [3; LOCKED_PARTS];
    assert_eq!(stage.store.insert_sizes(), [&[30][..], &parts].concat());
}

#[apply(on_each_store)]
async fn a_store_that_is_down_refuses_every_item_of_the_flush(place: Place) {
    let stage = Stage::quiet(&place).await;
    stage
        .store
        .rule(|_| Fate::Refuse(Error::unavailable("it is down")));
    let answers = all(callers(&stage, (0..8).map(|_| work()))).await;
    assert!(
        answers
            .iter()
            .all(|answer| *answer == Err(Error::unavailable("it is down")))
    );
    assert_eq!(stage.store.insert_sizes(), [8]);
}

#[apply(on_each_store)]
async fn a_bulk_caller_has_its_share_of_a_flush_while_others_wait_and_all_of_it_alone(place: Place) {
    let stage = Stage::quiet(&place).await;
    let door = stage.store.shut().await;
    let first = callers(&stage, [work()]);
    until("the first flush", || stage.store.inserts().len() == 1).await;
    let engine = stage.engine.clone();
    let bulk = tokio::spawn(async move { engine.enqueue_all(vec![work(); 2 * FLUSH_ITEMS]).await });
    stage.settle_down().await;
    let others = callers(&stage, (0..10).map(|_| work()));
    stage.settle_down().await;
    drop(door);
    assert!(
        all(first)
            .await
            .iter()
            .chain(&all(others).await)
            .all(Result::is_ok)
    );
    let bulk = soon(bulk).await.expect("the caller panicked");
    assert!(bulk.iter().all(Result::is_ok));
    assert_eq!(stage.store.insert_sizes(), [1, 110, 900, 1_000]);
}

#[apply(on_each_store)]
async fn a_flush_keeps_within_its_bytes(place: Place) {
    let stage = Stage::quiet(&place).await;
    let large = || NewJob::bytes("work", vec![b' '; FLUSH_BYTES / 5]);
    let stored = soon(stage.engine.enqueue_all(vec![large(); 8])).await;
    assert!(stored.iter().all(Result::is_ok));
    assert_eq!(stage.store.insert_sizes(), [4, 4]);
}

#[apply(on_each_store)]
async fn a_dropped_caller_drops_its_answer_and_not_its_job(place: Place) {
    let stage = Stage::quiet(&place).await;
    let door = stage.store.shut().await;
    let first = callers(&stage, [work()]);
    until("the first flush", || stage.store.inserts().len() == 1).await;
    let left = callers(&stage, [named("left behind")]);
    stage.settle_down().await;
    left[0].abort();
    drop(door);
    assert!(all(first).await[0].is_ok());
    until("the second flush", || stage.store.inserts().len() == 2).await;
    stage.settle_down().await;
    assert!(
        soon(stage.engine.fetch(JobId::named("left behind")))
            .await
            .is_ok()
    );
}

#[apply(on_each_store)]
async fn a_full_lane_lets_callers_wait_and_past_their_deadline_nothing_is_stored(place: Place) {
    let stage = Stage::quiet(&place).await;
    let door = stage.store.shut().await;
    let inside = callers(&stage, (0..LANE_ITEMS).map(|_| work()));
    stage.settle_down().await;
    let outside = callers(&stage, [named("outside")]);
    stage.settle_down().await;
    stage.clock.advance(LANE_DEADLINE);
    let refused = all(outside).await.remove(0);
    assert_eq!(refused.map_err(|error| error.kind()), Err(Kind::Unavailable));
    let patient = callers(&stage, [work()]);
    drop(door);
    assert!(
        all(inside)
            .await
            .iter()
            .chain(&all(patient).await)
            .all(Result::is_ok)
    );
    let outside = stage.engine.fetch(JobId::named("outside")).await;
    assert_eq!(outside.map_err(|error| error.kind()), Err(Kind::NotFound));
}

#[apply(on_each_store)]
async fn lanes_drain_before_the_engine_is_closed(place: Place) {
    let stage = Stage::quiet(&place).await;
    let door = stage.store.shut().await;
    let inside = callers(&stage, (0..200).map(|_| work()));
    until("the first flush", || stage.store.inserts().len() == 1).await;
    stage.settle_down().await;
    let engine = stage.engine.clone();
    let closing = tokio::spawn(async move { engine.close().await });
    stage.settle_down().await;
    let late = soon(stage.engine.enqueue(work())).await.map(|job| job.id());
    assert_eq!(late.map_err(|error| error.kind()), Err(Kind::Unavailable));
    assert!(!closing.is_finished(), "the lane has not drained yet");
    drop(door);
    assert_eq!(soon(closing).await.expect("it panicked"), Ok(()));
    assert!(all(inside).await.iter().all(Result::is_ok));
}

#[apply(on_each_store)]
async fn a_lane_whose_flush_panicked_tells_its_callers_and_goes_on(place: Place) {
    let stage = Stage::quiet(&place).await;
    let mut panics = true;
    stage.store.rule(move |call| match call {
        Call::Apply(_) if std::mem::take(&mut panics) => panic!("the store has a fault"),
        _ => Fate::Pass,
    });
    let id = stage.engine.enqueue(work()).await.expect("it is stored").id();
    let cancelled = soon(stage.engine.cancel(id, "", None)).await;
    assert_eq!(cancelled.map_err(|error| error.is_unknown()), Err(true));
    let cancelled = soon(stage.engine.cancel(id, "", None)).await;
    assert_eq!(cancelled.map(|job| job.id()), Ok(id));
}

#[apply(on_each_store)]
async fn settlements_share_a_flush_too(place: Place) {
    let stage = Stage::quiet(&place).await;
    let stored = stage.engine.enqueue_all(vec![work(); 20]).await;
    assert!(stored.iter().all(Result::is_ok));
    let jobs = stage.claim(20).await;
    let settling: Vec<_> = jobs
        .into_iter()
        .map(|job| {
            let engine = stage.engine.clone();
            tokio::spawn(async move { engine.settle(vec![settlement(&job, done("1"))]).await })
        })
        .collect();
    for verdict in settling {
        assert_eq!(
            soon(verdict).await.expect("it panicked"),
            Ok(vec![SettleVerdict::Settled])
        );
    }
    // The first flush takes who is there when the store is asked, and the second one all others.
    let flushes: Vec<_> = stage.store.applies().iter().map(Vec::len).collect();
    assert!(
        flushes.len() <= 2 && flushes.iter().sum::<usize>() == 20,
        "{flushes:?}"
    );
}

#[apply(on_each_store)]
async fn a_claim_of_which_no_answer_came_is_answered_by_what_it_brought(place: Place) {
    let stage = Stage::quiet(&place).await;
    stage.engine.enqueue_all(vec![work(); 5]).await;
    let before = stage.claim(2).await;
    stage.clock.advance(seconds(1));
    stage.store.rule(|call| match call {
        Call::Claim(_) => Fate::Lose(Error::unknown("the connection broke")),
        _ => Fate::Pass,
    });
    let jobs = stage.claim(10).await;
    assert_eq!(jobs.len(), 3);
    assert!(
        jobs.iter()
            .all(|job| before.iter().all(|old| old.id() != job.id()))
    );
}
