//! How a worker stops: softly, and hard.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use macro_rules_attribute::apply;
use punctual::job::State as JobState;
use punctual::limits::LAST_CLAIM;
use punctual::run::AttemptOutcome;
use punctual::testing::{Call, Fate};
use punctual::worker::{Run, StopReason, shutdown_signal};
use punctual::{milliseconds, seconds};
use rustix::process::{Signal, getpid, kill_process};
use tokio::sync::{Notify, mpsc, oneshot};

use super::house::{House, Started};
use super::{Note, Told, endless, heeding, note, wait_then_answer};
use crate::stores::{Place, on_each_store};

#[apply(on_each_store)]
async fn an_idle_worker_stops_within_a_second(place: Place) {
    let house = House::new(&place).await;
    let worker = house.start(house.worker());
    house.pass(seconds(3)).await;
    worker.shutdown.cancel();
    house.pass(seconds(1)).await;
    assert!(worker.is_stopped());
    assert_eq!(worker.stopped().await, Ok(()));
}

#[apply(on_each_store)]
async fn a_soft_stop_lets_runs_end_and_claims_nothing_more(place: Place) {
    let house = House::new(&place).await;
    let id = house.enqueue(note("takes ten seconds")).await;
    let handler = wait_then_answer(&house.clock, seconds(10));
    let worker = house.worker().handle(handler);
    let worker = house.start(worker);
    house.pass(seconds(1)).await;
    worker.shutdown.cancel();
    house.pass(seconds(1)).await;
    let later = house.enqueue(note("too late")).await;
    house.pass(seconds(9)).await;

    assert_eq!(worker.stopped().await, Ok(()));
    assert_eq!(house.status(id).await.state, JobState::Succeeded);
    let later = house.status(later).await;
    assert_eq!((later.state, later.run), (JobState::Waiting, 0));
}

#[apply(on_each_store)]
async fn a_soft_stop_asks_and_then_puts_back_what_cannot_end_in_time(place: Place) {
    let house = House::new(&place).await;
    let heeds = house.enqueue(note("heeds")).await;
    let ignores = house.enqueue(note("ignores")).await;
    let (tell, mut told) = mpsc::unbounded_channel();
    let worker = house.worker().handle(move |note: Note, run: Run| {
        let tell = tell.clone();
        async move {
            if note.text == "heeds" {
                let reason = heeding(run, note.text, tell).await;
                return Err(std::io::Error::other(reason.to_string()).into());
            }
            endless(note.text.clone(), tell).await;
            Ok(note.text)
        }
    });
    let worker = house.start(worker);
    house.pass(seconds(1)).await;
    worker.shutdown.cancel();
    house.pass(seconds(19)).await;
    assert_eq!(told.try_recv(), Ok(Told::Began("heeds".to_owned())));
    assert_eq!(told.try_recv(), Ok(Told::Began("ignores".to_owned())));
    assert!(told.try_recv().is_err(), "nobody is asked yet");

    house.pass(seconds(1)).await;
    assert_eq!(told.try_recv(), Ok(Told::AskedToStop(StopReason::Shutdown)));
    assert_eq!(house.status(heeds).await.state, JobState::Waiting);
    assert_eq!(house.status(ignores).await.state, JobState::Running);

    house.pass(seconds(5)).await;
    assert_eq!(told.try_recv(), Ok(Told::Dropped("ignores".to_owned())));
    assert_eq!(worker.stopped().await, Ok(()));
    for id in [heeds, ignores] {
        let status = house.status(id).await;
        assert_eq!((status.state, status.attempt), (JobState::Waiting, 0));
        assert_eq!(status.history[0].outcome, AttemptOutcome::Interrupted);
    }
}

#[apply(on_each_store)]
async fn a_hard_stop_drops_everything_and_puts_it_back(place: Place) {
    let house = House::new(&place).await;
    let running = house.enqueue(note("running")).await;
    let reserved = house.enqueue(note("reserved")).await;
    let (tell, mut told) = mpsc::unbounded_channel();
    let worker = house
        .worker()
        .concurrency(1)
        .prefetch(1)
        .handle(move |note: Note| {
            let tell = tell.clone();
            async move {
                endless(note.text.clone(), tell).await;
                Ok(note.text)
            }
        });
    let worker = house.start(worker);
    house.pass(seconds(1)).await;
    assert_eq!(
        house.status(reserved).await.state,
        JobState::Running,
        "it is reserved"
    );
    worker.hard.cancel();
    house.quiet().await;

    assert_eq!(worker.stopped().await, Ok(()));
    assert_eq!(told.try_recv(), Ok(Told::Began("running".to_owned())));
    assert_eq!(told.try_recv(), Ok(Told::Dropped("running".to_owned())));
    let outcome = |status: punctual::job::Status| (status.state, status.history[0].outcome);
    let interrupted = (JobState::Waiting, AttemptOutcome::Interrupted);
    assert_eq!(outcome(house.status(running).await), interrupted);
    let released = (JobState::Waiting, AttemptOutcome::Released);
    assert_eq!(outcome(house.status(reserved).await), released);
}

#[apply(on_each_store)]
async fn a_hard_stop_settles_what_was_done_while_the_rest_of_its_output_was_on_its_way(place: Place) {
    let house = House::new(&place).await;
    let id = house.enqueue(note("done")).await;
    house.store.rule(|call| match call {
        Call::AppendOutput(..) => Fate::Late(Arc::default()),
        _ => Fate::Pass,
    });
    let worker = house.worker().handle(|note: Note, run: Run| async move {
        run.output("the last words");
        Ok(note.text)
    });
    let worker = house.start(worker);
    house.quiet().await;
    assert_eq!(house.status(id).await.state, JobState::Running);
    worker.hard.cancel();
    house.pass(LAST_CLAIM).await;

    assert_eq!(worker.stopped().await, Ok(()));
    assert_eq!(house.status(id).await.state, JobState::Succeeded);
}

/// A worker whose first claim the store has served, and whose answer comes when what is given is notified.
async fn start_with_late_claims(house: &House) -> (Started, Arc<Notify>) {
    let answered = Arc::new(Notify::new());
    let late = answered.clone();
    house.store.rule(move |call| match call {
        Call::Claim(_) => Fate::Late(late.clone()),
        _ => Fate::Pass,
    });
    let worker = house.worker().handle(|note: Note| async move { Ok(note.text) });
    let worker = house.start(worker);
    house.quiet().await;
    (worker, answered)
}

#[apply(on_each_store)]
async fn a_hard_stop_puts_back_what_a_claim_under_way_brings(place: Place) {
    let house = House::new(&place).await;
    let id = house.enqueue(note("claimed, and not answered yet")).await;
    let (worker, answered) = start_with_late_claims(&house).await;
    assert_eq!(
        house.status(id).await.state,
        JobState::Running,
        "the store has it"
    );
    worker.hard.cancel();
    house.quiet().await;
    answered.notify_one();
    house.quiet().await;

    assert_eq!(worker.stopped().await, Ok(()));
    let status = house.status(id).await;
    assert_eq!((status.state, status.attempt), (JobState::Waiting, 0));
    assert_eq!(status.history[0].outcome, AttemptOutcome::Released);
}

#[apply(on_each_store)]
async fn a_hard_stop_does_not_wait_long_for_the_answer_of_a_claim(place: Place) {
    let house = House::new(&place).await;
    let id = house.enqueue(note("claimed, and never answered")).await;
    let (worker, _) = start_with_late_claims(&house).await;
    worker.hard.cancel();
    house.pass(LAST_CLAIM).await;

    assert_eq!(worker.stopped().await, Ok(()));
    assert_eq!(
        house.status(id).await.state,
        JobState::Running,
        "its lease brings it back"
    );
}

#[apply(on_each_store)]
async fn what_a_claim_brings_after_the_worker_has_stopped_is_put_back(place: Place) {
    for stops_softly in [true, false] {
        let house = House::new(&place).await;
        let id = house.enqueue(note("claimed, and answered very late")).await;
        let (worker, answered) = start_with_late_claims(&house).await;
        match stops_softly {
            true => worker.shutdown.cancel(),
            false => worker.hard.cancel(),
        }
        house.pass(LAST_CLAIM).await;
        assert_eq!(worker.stopped().await, Ok(()));
        assert_eq!(house.status(id).await.state, JobState::Running);
        // An engine that is closed waits for it, too.
        let closing = tokio::spawn({
            let engine = house.engine.clone();
            async move { engine.close().await }
        });
        house.quiet().await;
        answered.notify_one();
        closing.await.expect("no panic").expect("it closes");
        let status = house.status(id).await;
        assert_eq!((status.state, status.attempt), (JobState::Waiting, 0));
        assert_eq!(status.history[0].outcome, AttemptOutcome::Released);
    }
}

#[apply(on_each_store)]
async fn a_soft_stop_puts_prefetched_jobs_back_at_once(place: Place) {
    let house = House::new(&place).await;
    let running = house.enqueue(note("running")).await;
    let reserved = house.enqueue(note("reserved")).await;
    let handler = wait_then_answer(&house.clock, seconds(5));
    let worker = house.worker().concurrency(1).prefetch(1).handle(handler);
    let worker = house.start(worker);
    house.pass(seconds(1)).await;
    worker.shutdown.cancel();
    house.quiet().await;

    let status = house.status(reserved).await;
    assert_eq!((status.state, status.attempt), (JobState::Waiting, 0));
    assert_eq!(status.history[0].outcome, AttemptOutcome::Released);
    house.pass(seconds(5)).await;
    assert_eq!(house.status(running).await.state, JobState::Succeeded);
    assert_eq!(worker.stopped().await, Ok(()));
}

#[apply(on_each_store)]
async fn a_stop_without_a_source_says_what_it_left_behind(place: Place) {
    let house = House::new(&place).await;
    let id = house.enqueue(note("done, but nobody hears of it")).await;
    let handler = wait_then_answer(&house.clock, seconds(2));
    let worker = house.worker().handle(handler);
    let worker = house.start(worker);
    house.pass(seconds(1)).await;
    house.source.shut.store(true, Ordering::Relaxed);
    worker.shutdown.cancel();
    house.pass(seconds(27)).await;

    let left = worker.stopped().await.expect_err("one outcome is not settled");
    assert!(
        left.to_string().contains("1 outcomes could not be settled"),
        "{left}"
    );
    assert_eq!(house.status(id).await.state, JobState::Running);
}

#[apply(on_each_store)]
async fn a_dropped_worker_drops_what_it_ran_and_beats_no_more(place: Place) {
    let house = House::new(&place).await;
    house.enqueue(note("dropped")).await;
    let (tell, mut told) = mpsc::unbounded_channel();
    let worker = house.worker().handle(move |note: Note| {
        let tell = tell.clone();
        async move {
            endless(note.text.clone(), tell).await;
            Ok(note.text)
        }
    });
    {
        let mut worker = Box::pin(worker.run_until(std::future::pending()));
        tokio::select! {
            biased;
            _ = &mut worker => unreachable!("nobody stops it"),
            () = house.pass(seconds(1)) => {}
        }
    }
    house.quiet().await;
    assert_eq!(told.try_recv(), Ok(Told::Began("dropped".to_owned())));
    assert_eq!(told.try_recv(), Ok(Told::Dropped("dropped".to_owned())));
    let beats = house.source.beats.load(Ordering::Relaxed);
    house.pass(seconds(60) + milliseconds(1)).await;
    assert_eq!(house.source.beats.load(Ordering::Relaxed), beats);
}

// On one store only: a signal goes to the whole process, and so to its other tests of this.
#[tokio::test]
async fn the_first_signal_stops_softly_and_the_second_one_at_once() {
    let house = House::in_real_time(&Place::memory()).await;
    let id = house.enqueue(note("endless")).await;
    let (tell, mut told) = mpsc::unbounded_channel();
    let worker = house
        .worker()
        .handle(move |note: Note| {
            let tell = tell.clone();
            async move {
                endless(note.text, tell).await;
                Ok(String::new())
            }
        })
        .hard_stop(async {
            shutdown_signal().await;
            shutdown_signal().await;
        });
    let (tell_soft, soft) = oneshot::channel();
    let worker = tokio::spawn(worker.run_until(async {
        shutdown_signal().await;
        tell_soft.send(()).expect("the test listens");
    }));
    // Once its handler works, it has listened for signals for long.
    assert_eq!(told.recv().await, Some(Told::Began("endless".to_owned())));
    let signal = || kill_process(getpid(), Signal::TERM).expect("it is this process");
    signal();
    soft.await.expect("the first one is heard");
    house.quiet().await;
    assert!(!worker.is_finished());
    signal();
    worker.await.expect("no panic").expect("all was put back");
    assert_eq!(told.recv().await, Some(Told::Dropped("endless".to_owned())));
    assert_eq!(house.status(id).await.state, JobState::Waiting);
}
