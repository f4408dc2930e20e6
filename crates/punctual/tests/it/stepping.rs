//! The engine for users' own tests.

use std::sync::{Arc, Mutex};

use punctual::engine::Ending;
use punctual::job::{Backoff, State as JobState};
use punctual::schedule::{Plan, Spec};
use punctual::testing::TestEngine;
use punctual::worker::{State, Stop, Worker};
use punctual::{Engine, Kind, NewJob, Task, days, minutes, seconds};
use serde::{Deserialize, Serialize};

use crate::stage::soon;

/// Counts down, each step a job.
#[derive(Serialize, Deserialize)]
struct Count {
    from: u32,
}

impl Task for Count {
    const KIND: &'static str = "count";
    type Output = u32;
}

fn count(from: u32) -> NewJob<u32> {
    NewJob::task(&Count { from }).expect("it has a JSON form")
}

/// A worker whose handler enqueues the next step, and waits for its result.
fn counting(engine: &Engine) -> Worker {
    Worker::new(engine)
        .state(engine.clone())
        .handle(|task: Count, engine: State<Engine>| async move {
            let Some(next) = task.from.checked_sub(1) else {
                return Ok(0);
            };
            let below = engine.0.enqueue(count(next)).await?.result().await;
            Ok(below.map_err(|error| Stop::fail(error.to_string()))? + 1)
        })
}

#[tokio::test]
async fn what_is_due_is_run_to_its_end_and_what_follows_from_it_too() {
    let test = TestEngine::new();
    let job = test.engine().enqueue(count(5)).await.expect("it is stored");
    test.engine()
        .enqueue(count(0).delay(minutes(5)))
        .await
        .expect("it is stored");
    assert_eq!(soon(test.run_due(counting(test.engine()))).await, Ok(6));
    assert_eq!(job.result().await.ok(), Some(5));
    assert_eq!(soon(test.run_due(counting(test.engine()))).await, Ok(0));
    test.advance(minutes(5));
    assert_eq!(soon(test.run_due(counting(test.engine()))).await, Ok(1));
}

#[tokio::test]
async fn a_failure_is_tried_again_once_time_goes_on() {
    let test = TestEngine::new();
    let flaky = || {
        Worker::new(test.engine()).handle(|_: Count, run: punctual::Run| async move {
            match run.attempt() {
                1 => Err(Stop::retry("not yet")),
                attempt => Ok(attempt),
            }
        })
    };
    let job = count(0).backoff(Backoff::Fixed(seconds(10)));
    let job = test.engine().enqueue(job).await.expect("it is stored");
    assert_eq!(soon(test.run_due(flaky())).await, Ok(1));
    test.advance(seconds(9));
    assert_eq!(soon(test.run_due(flaky())).await, Ok(0));
    test.advance(seconds(1));
    assert_eq!(soon(test.run_due(flaky())).await, Ok(1));
    assert_eq!(job.result().await.ok(), Some(2));
}

#[tokio::test]
async fn schedules_fire_as_time_is_stepped() {
    let test = TestEngine::new();
    let nightly = Spec::cron("30 2 * * *", "Europe/Ljubljana").expect("a pattern and a zone");
    let plan = Plan::new(nightly, count(0));
    let set = test.engine().set_schedule("nightly", plan, None).await;
    set.expect("it is set");
    assert_eq!(soon(test.run_due(counting(test.engine()))).await, Ok(0));
    for _ in 0..3 {
        test.advance(days(1));
        assert_eq!(soon(test.run_due(counting(test.engine()))).await, Ok(1));
    }
}

#[tokio::test]
async fn jobs_run_one_after_the_other_in_their_order_where_there_is_one_slot() {
    let test = TestEngine::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    for from in [3, 1, 2] {
        let priority = u8::try_from(from).expect("it is small");
        let job = count(from).priority(priority);
        test.engine().enqueue(job).await.expect("it is stored");
    }
    let notes = Arc::clone(&seen);
    let worker = Worker::new(test.engine())
        .concurrency(1)
        .handle(move |task: Count| {
            notes.lock().expect("nobody panics").push(task.from);
            async move { Ok(0) }
        });
    assert_eq!(soon(test.run_due(worker)).await, Ok(3));
    assert_eq!(*seen.lock().expect("nobody panics"), [1, 2, 3]);
}

#[tokio::test]
async fn jobs_that_go_on_for_ever_are_an_error() {
    let test = TestEngine::new();
    for from in [0, 1] {
        test.engine().enqueue(count(from)).await.expect("it is stored");
    }
    let again = Worker::new(test.engine()).handle(|_: Count| async { Err(Stop::snooze(seconds(0))) });
    let ended = soon(test.run_due(again)).await;
    assert_eq!(ended.map_err(|error| error.kind()), Err(Kind::Conflict));
}

#[tokio::test]
async fn a_worker_that_cannot_start_says_so() {
    let test = TestEngine::new();
    let worker = Worker::new(test.engine()).concurrency(0);
    let refused = soon(test.run_due(worker)).await;
    assert_eq!(refused.map_err(|error| error.kind()), Err(Kind::Invalid));
}

#[tokio::test]
async fn what_was_enqueued_is_found_whatever_became_of_it() {
    let test = TestEngine::new();
    test.engine().enqueue(count(0)).await.expect("it is stored");
    soon(test.run_due(counting(test.engine())))
        .await
        .expect("it runs");
    let job = test.assert_enqueued(|task: &Count| task.from == 0).await;
    assert_eq!(job.status.state, JobState::Succeeded);
    assert!(matches!(Ending::of(job), Ending::Succeeded(..)));
}

#[tokio::test]
#[should_panic = "there are [\"{\\\"from\\\":3}\"]"]
async fn what_was_not_enqueued_is_told_with_what_was() {
    let test = TestEngine::new();
    test.engine().enqueue(count(3)).await.expect("it is stored");
    test.assert_enqueued(|task: &Count| task.from == 4).await;
}
