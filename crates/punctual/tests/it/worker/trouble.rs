//! Lost leases, failing sources, unknown kinds, handlers that block.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use macro_rules_attribute::apply;
use punctual::job::{OnLost, State as JobState};
use punctual::run::AttemptOutcome;
use punctual::testing::{Call, Fate};
use punctual::worker::{Run, Stop, StopReason};
use punctual::{Error, NewJob, minutes, seconds};
use tokio::sync::{Notify, mpsc};

use super::house::House;
use super::{Note, Told, heeding, note, wait_then_answer};
use crate::polling::until;
use crate::stores::{Place, on_each_store};

#[apply(on_each_store)]
async fn a_lease_that_no_heartbeat_prolongs_is_given_up_before_its_end(place: Place) {
    let house = House::new(&place).await;
    let id = house.enqueue(note("lost")).await;
    let (tell, mut told) = mpsc::unbounded_channel();
    let worker = house.worker().handle(move |note: Note, run: Run| {
        let tell = tell.clone();
        async move {
            heeding(run.clone(), note.text, tell).await;
            assert_eq!(run.stop().grace(), seconds(5));
            Err(Stop::retry("stopped"))
        }
    });
    let begun = house.clock.now();
    let _worker = house.start(worker);
    house.quiet().await;
    house.source.beats_shut.store(true, Ordering::Relaxed);
    house.pass(seconds(22)).await;
    assert_eq!(told.try_recv(), Ok(Told::Began("lost".to_owned())));
    assert!(
        told.try_recv().is_err(),
        "it is trusted for three quarters of its length"
    );
    house.pass(seconds(1)).await;
    assert_eq!(told.try_recv(), Ok(Told::AskedToStop(StopReason::LeaseLost)));

    // Nothing was settled, and nobody prolongs it, even when heartbeats get through again.
    house.source.beats_shut.store(false, Ordering::Relaxed);
    house.pass(seconds(6)).await;
    let status = house.status(id).await;
    assert_eq!(
        (status.state, status.alarm),
        (JobState::Running, Some(begun + seconds(30)))
    );
}

#[apply(on_each_store)]
async fn a_run_that_another_worker_took_over_is_told_and_its_result_refused(place: Place) {
    let house = House::with_caretaker(&place).await;
    let id = house.enqueue(note("contended")).await;
    let (tell, mut told) = mpsc::unbounded_channel();
    let taken_over = Arc::new(Notify::new());
    let may_end = taken_over.clone();
    let handler = move |note: Note, run: Run| {
        let (tell, may_end) = (tell.clone(), may_end.clone());
        async move {
            if run.attempt() == 1 {
                heeding(run, note.text, tell).await;
                may_end.notified().await;
                return Ok("the first one".to_owned());
            }
            Ok("the second one".to_owned())
        }
    };
    let first = house.start(house.worker().concurrency(1).handle(handler.clone()));
    house.quiet().await;
    house.source.beats_shut.store(true, Ordering::Relaxed);
    // The machine of the first one stands still: no timer of its own goes off before the lease is over.
    house.manual.advance(seconds(31));
    let _second = house.start(house.worker().handle(handler));
    house.source.beats_shut.store(false, Ordering::Relaxed);
    house.pass(seconds(2)).await;
    taken_over.notify_one();
    house.quiet().await;

    assert_eq!(told.try_recv(), Ok(Told::Began("contended".to_owned())));
    assert_eq!(told.try_recv(), Ok(Told::AskedToStop(StopReason::LeaseLost)));
    assert_eq!(
        house.source.stale.load(Ordering::Relaxed),
        1,
        "the first one's result"
    );
    let status = house.status(id).await;
    assert_eq!(status.result.as_deref(), Some(&b"\"the second one\""[..]));
    assert_eq!(status.history[0].outcome, AttemptOutcome::Lost);
    assert!(!first.is_stopped());
}

#[apply(on_each_store)]
async fn an_outcome_is_kept_until_the_source_is_back(place: Place) {
    let house = House::new(&place).await;
    let id = house.enqueue(note("patient")).await;
    let handler = wait_then_answer(&house.clock, seconds(1));
    let worker = house.worker().handle(handler);
    let _worker = house.start(worker);
    house.quiet().await;
    house.source.shut.store(true, Ordering::Relaxed);
    house.pass(minutes(2)).await;
    assert_eq!(house.status(id).await.state, JobState::Running);
    house.source.shut.store(false, Ordering::Relaxed);
    house.pass(seconds(5)).await;
    assert_eq!(
        house.status(id).await.state,
        JobState::Succeeded,
        "late, but nobody had taken it"
    );
}

#[apply(on_each_store)]
async fn an_outcome_that_the_store_can_never_take_is_let_go_and_its_job_begins_anew(place: Place) {
    let house = House::with_caretaker(&place).await;
    let id = house.enqueue(note("refused")).await;
    let mut refused = 0;
    house.store.rule(move |call| match call {
        // Both the result and the failure in its place.
        Call::Apply(_) if refused < 2 => {
            refused += 1;
            Fate::Refuse(Error::internal("a fault of the store"))
        }
        _ => Fate::Pass,
    });
    let worker = house.worker().handle(|note: Note| async move { Ok(note.text) });
    let _worker = house.start(worker);
    house.pass(minutes(1)).await;
    let status = house.status(id).await;
    assert_eq!((status.state, status.attempt), (JobState::Succeeded, 2));
    assert_eq!(status.history[0].outcome, AttemptOutcome::Lost);
    assert_eq!(house.engine.totals().refused, 1);
}

/// What a handler panics with that panics in turn.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("what it panicked with panics");
    }
}

#[apply(on_each_store)]
async fn a_run_whose_task_breaks_is_let_go_and_begins_anew_when_its_lease_is_over(place: Place) {
    let house = House::with_caretaker(&place).await;
    let id = house.enqueue(note("broken once")).await;
    let worker = house
        .worker()
        .concurrency(1)
        .handle(|note: Note, run: Run| async move {
            if run.attempt() == 1 {
                std::panic::panic_any(Bomb);
            }
            Ok(note.text)
        });
    let worker = house.start(worker);
    house.quiet().await;
    assert_eq!(house.status(id).await.state, JobState::Running);
    house.pass(minutes(2)).await;

    let status = house.status(id).await;
    assert_eq!(status.state, JobState::Succeeded);
    assert_eq!(status.history[0].outcome, AttemptOutcome::Lost);
    worker.shutdown.cancel();
    house.pass(seconds(1)).await;
    assert!(worker.is_stopped(), "nothing is left to wait for");
}

#[apply(on_each_store)]
async fn a_backlog_in_one_queue_does_not_starve_the_others(place: Place) {
    let house = House::new(&place).await;
    for at in 0..20 {
        house.enqueue(note(&format!("first {at}")).queue("first")).await;
    }
    for queue in ["second", "third"] {
        house.enqueue(note(queue).queue(queue)).await;
    }
    let (tell, mut told) = mpsc::unbounded_channel();
    let answer = wait_then_answer(&house.clock, seconds(1));
    let worker = house.worker().queues(["first", "second", "third"]).concurrency(1);
    let worker = worker.handle(move |note: Note| {
        tell.send(note.text.clone()).expect("the test listens");
        answer(note)
    });
    let _worker = house.start(worker);
    house.pass(seconds(10)).await;
    let mut begun = Vec::new();
    while let Ok(text) = told.try_recv() {
        begun.push(text);
    }
    assert!(begun[0].starts_with("first"), "{begun:?}");
    assert_eq!(begun[1..3], ["second", "third"]);
}

#[apply(on_each_store)]
async fn a_worker_whose_claims_fail_asks_ever_less_often_and_recovers(place: Place) {
    let house = House::new(&place).await;
    house.source.shut.store(true, Ordering::Relaxed);
    let worker = house.worker().handle(|note: Note| async move { Ok(note.text) });
    let _worker = house.start(worker);
    house.pass(minutes(1)).await;
    let claims = house.source.claims.load(Ordering::Relaxed);
    assert!((12..=40).contains(&claims), "{claims} claims in a minute");

    let id = house.enqueue(note("at last")).await;
    house.source.shut.store(false, Ordering::Relaxed);
    house.pass(seconds(5)).await;
    assert_eq!(house.status(id).await.state, JobState::Succeeded);
}

#[apply(on_each_store)]
async fn a_claim_whose_answer_was_lost_starts_what_it_brought_and_nothing_twice(place: Place) {
    let house = House::new(&place).await;
    let first = house.enqueue(note("first")).await;
    let (tell, mut told) = mpsc::unbounded_channel();
    let answer = wait_then_answer(&house.clock, minutes(1));
    let worker = house.worker().concurrency(2).handle(move |note: Note| {
        tell.send(Told::Began(note.text.clone()))
            .expect("the test listens");
        answer(note)
    });
    let _worker = house.start(worker);
    house.quiet().await;
    // No time passes: as far as clocks can tell, this claim may have brought what runs already.
    let mut lost = false;
    house.store.rule(move |call| match call {
        Call::Claim(_) if !std::mem::replace(&mut lost, true) => {
            Fate::Lose(Error::unknown("the connection broke"))
        }
        _ => Fate::Pass,
    });
    let second = house.enqueue(note("second")).await;
    house.pass(minutes(2)).await;
    for id in [first, second] {
        let status = house.status(id).await;
        assert_eq!((status.state, status.attempt), (JobState::Succeeded, 1));
    }
    told.close();
    let mut began = Vec::new();
    while let Some(Told::Began(text)) = told.recv().await {
        began.push(text);
    }
    assert_eq!(began, ["first", "second"]);
    assert_eq!(house.source.stale.load(Ordering::Relaxed), 0);
}

#[apply(on_each_store)]
async fn a_job_of_unknown_kind_is_put_back_for_longer_each_time_at_no_cost(place: Place) {
    let house = House::new(&place).await;
    let id = house.enqueue(NewJob::bytes("unheard-of", "{}")).await;
    let worker = house.worker().handle(|note: Note| async move { Ok(note.text) });
    let _worker = house.start(worker);
    house.quiet().await;
    for delay in [10, 20, 40, 80, 160, 300, 300] {
        let status = house.status(id).await;
        assert_eq!((status.state, status.attempt), (JobState::Waiting, 0));
        assert_eq!(status.due, house.clock.now() + seconds(delay));
        house.pass(seconds(delay)).await;
    }
}

#[apply(on_each_store)]
async fn prefetched_jobs_are_beaten_and_start_as_slots_come_free(place: Place) {
    let house = House::new(&place).await;
    let mut ids = Vec::new();
    for text in ["first", "second", "third"] {
        ids.push(house.enqueue(note(text)).await);
    }
    let handler = wait_then_answer(&house.clock, minutes(2));
    let worker = house.worker().concurrency(1).prefetch(1).handle(handler);
    let _worker = house.start(worker);
    house.quiet().await;
    assert_eq!(
        house.status(ids[1]).await.state,
        JobState::Running,
        "it is reserved"
    );
    assert_eq!(
        house.status(ids[2]).await.state,
        JobState::Waiting,
        "one is reserved, no more"
    );
    house.pass(minutes(4)).await;
    for id in &ids[..2] {
        let status = house.status(*id).await;
        assert_eq!((status.state, status.attempt), (JobState::Succeeded, 1));
    }
}

#[apply(on_each_store)]
async fn a_job_that_must_not_run_twice_is_not_prefetched(place: Place) {
    let house = House::new(&place).await;
    let running = house.enqueue(note("running").on_lost(OnLost::Fail)).await;
    let waiting = house.enqueue(note("waiting").on_lost(OnLost::Fail)).await;
    let handler = wait_then_answer(&house.clock, minutes(1));
    let worker = house.worker().concurrency(1).prefetch(10).handle(handler);
    let _worker = house.start(worker);
    house.pass(seconds(30)).await;
    assert_eq!(house.status(running).await.state, JobState::Running);
    let status = house.status(waiting).await;
    assert_eq!(
        (status.state, status.refunds),
        (JobState::Waiting, 1),
        "it was put back once"
    );
    house.pass(minutes(2)).await;
    assert_eq!(house.status(waiting).await.state, JobState::Succeeded);
}

#[apply(on_each_store)]
async fn a_handler_that_blocks_its_thread_does_not_starve_the_heartbeat(place: Place) {
    let house = House::in_real_time(&place).await;
    let id = house.enqueue(note("blocks")).await;
    let gate = house.source.clone();
    // One thread for all, and a handler that blocks it until the heartbeat has been heard nevertheless.
    let source: std::sync::Arc<dyn punctual::source::Source> = house.source.clone();
    let worker = punctual::worker::Worker::new(source)
        .lease(seconds(1))
        .handle(move |note: Note| {
            let gate = gate.clone();
            async move {
                let before = gate.beats.load(Ordering::Relaxed);
                while gate.beats.load(Ordering::Relaxed) < before + 4 {
                    std::thread::yield_now();
                }
                Ok(note.text)
            }
        });
    let worker = house.start(worker);
    until("the job has succeeded", async || {
        house.status(id).await.state == JobState::Succeeded
    })
    .await;
    worker.shutdown.cancel();
    assert_eq!(worker.stopped().await, Ok(()));
}

#[apply(on_each_store)]
async fn a_lease_grows_old_while_the_machine_sleeps(place: Place) {
    let house = House::new(&place).await;
    house.enqueue(note("asleep")).await;
    let (tell, mut told) = mpsc::unbounded_channel();
    let worker = house.worker().handle(move |note: Note, run: Run| {
        let tell = tell.clone();
        async move { Ok(heeding(run, note.text, tell).await.to_string()) }
    });
    let _worker = house.start(worker);
    house.pass(seconds(1)).await;
    house.source.beats_shut.store(true, Ordering::Relaxed);
    house.manual.suspend(minutes(1));
    // No timer has moved meanwhile; the next look at the leases is all it takes.
    house.pass(seconds(1)).await;
    assert_eq!(told.try_recv(), Ok(Told::Began("asleep".to_owned())));
    assert_eq!(told.try_recv(), Ok(Told::AskedToStop(StopReason::LeaseLost)));
}

#[apply(on_each_store)]
async fn two_workers_share_a_line_and_run_each_job_once(place: Place) {
    let house = House::in_real_time(&place).await;
    let mut ids = Vec::new();
    for number in 0..500 {
        ids.push(house.enqueue(note(&number.to_string())).await);
    }
    let runs = std::sync::Arc::new(std::sync::Mutex::new(std::collections::BTreeMap::new()));
    let workers: Vec<_> = [(64, 0), (3, 50)]
        .into_iter()
        .map(|(concurrency, prefetch)| {
            let runs = runs.clone();
            let worker = house.worker_apart().concurrency(concurrency).prefetch(prefetch);
            house.start(worker.handle(move |note: Note, run: Run| {
                *runs
                    .lock()
                    .expect("no handler panics")
                    .entry(run.id().job)
                    .or_insert(0) += 1;
                async move { Ok(note.text) }
            }))
        })
        .collect();
    for id in &ids {
        until("a job has succeeded", async || {
            house.status(*id).await.state == JobState::Succeeded
        })
        .await;
    }
    for worker in workers {
        worker.shutdown.cancel();
        assert_eq!(worker.stopped().await, Ok(()));
    }
    let runs = runs.lock().expect("no handler panics");
    assert_eq!(runs.len(), ids.len());
    assert!(runs.values().all(|times| *times == 1));
    assert_eq!(house.source.stale.load(Ordering::Relaxed), 0);
}

#[test]
fn a_blocking_handler_that_waited_for_its_thread_until_its_run_was_over_never_begins() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let house = House::new(&Place::memory()).await;
        let (tell, mut told) = mpsc::unbounded_channel();
        let (release, released) = std::sync::mpsc::channel::<()>();
        let released = std::sync::Mutex::new(released);
        let worker = house.worker().handle_blocking(move |note: Note| {
            tell.send(note.text.clone()).expect("the test listens");
            if note.text == "first" {
                // An error says that the test is over.
                let _ = released.lock().expect("nobody panics with it").recv();
            }
            Ok(note.text)
        });
        let first = house.enqueue(note("first").timeout(minutes(60))).await;
        let _worker = house.start(worker);
        assert_eq!(told.recv().await.as_deref(), Some("first"));
        let timed_out = house
            .enqueue(note("timed out").timeout(seconds(1)).max_attempts(1))
            .await;
        let cancelled = house.enqueue(note("cancelled")).await;
        house.quiet().await;
        assert_eq!(house.status(cancelled).await.state, JobState::Running);
        house.cancel(cancelled).await;
        house.pass(seconds(2)).await;
        let status = house.status(timed_out).await;
        assert_eq!(status.history[0].outcome, AttemptOutcome::TimedOut);
        assert_eq!(house.status(cancelled).await.state, JobState::Cancelled);

        let lost = house.enqueue(note("lost")).await;
        house.quiet().await;
        house.source.beats_shut.store(true, Ordering::Relaxed);
        house.pass(seconds(29)).await;
        assert_eq!(house.status(lost).await.state, JobState::Running);
        house.source.beats_shut.store(false, Ordering::Relaxed);

        // Whatever still stood in the queue would begin before this one.
        let last = house.enqueue(note("last")).await;
        house.quiet().await;
        release.send(()).expect("the first one waits");
        until("the last one is done", async || {
            house.status(last).await.state.is_ended()
        })
        .await;
        assert_eq!(told.recv().await.as_deref(), Some("last"));
        assert!(
            !house.status(first).await.state.is_ended(),
            "its lease was lost, too"
        );
    });
}
