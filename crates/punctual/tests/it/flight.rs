//! Single flight: one run a key, shared by all who come while it goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use punctual::flight::{Flight, FlightError, Subscription};
use tokio::sync::Notify;

/// How long a test waits for what must happen, before it fails instead of hanging.
const PATIENCE: Duration = Duration::from_secs(20);

type Letters = Flight<&'static str, usize>;

/// Work that counts its runs and ends when it is let go.
#[derive(Clone, Default)]
struct Gate {
    runs: Arc<AtomicUsize>,
    open: Arc<Notify>,
}

impl Gate {
    async fn pass(self) -> usize {
        let run = self.runs.fetch_add(1, Ordering::SeqCst) + 1;
        self.open.notified().await;
        run
    }

    fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }
}

/// Work whose future panics when it is dropped.
struct Mine;

impl Drop for Mine {
    fn drop(&mut self) {
        panic!("stepped on");
    }
}

async fn within_patience<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .expect("it happens within the test's patience")
}

async fn answer<V: Clone>(subscription: Subscription<V>) -> Result<V, FlightError> {
    within_patience(subscription).await
}

/// Yields to the other tasks until `condition` holds.
async fn until(condition: impl Fn() -> bool) {
    within_patience(async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

fn panicked(message: &str) -> FlightError {
    FlightError::Panicked(message.into())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_callers_share_one_run() {
    let (flight, gate) = (Letters::new(), Gate::default());
    let arrived = Arc::new(AtomicUsize::new(0));
    let callers = (0..1_000).map(|_| {
        let (flight, gate, arrived) = (flight.clone(), gate.clone(), arrived.clone());
        tokio::spawn(async move {
            let subscription = flight.run("a", gate.pass());
            arrived.fetch_add(1, Ordering::SeqCst);
            subscription.await
        })
    });
    let callers: Vec<_> = callers.collect();
    until(|| arrived.load(Ordering::SeqCst) == 1_000).await;
    gate.open.notify_one();
    let answers: Vec<_> = within_patience(join_all(callers)).await;
    let answers: Vec<_> = answers
        .into_iter()
        .map(|joined| joined.expect("no caller panics"))
        .collect();
    assert_eq!(answers, vec![Ok(1); 1_000]);
    assert_eq!(gate.runs(), 1);
    assert!(flight.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_runs_of_one_key_never_overlap() {
    let flight: Flight<u8, ()> = Flight::new();
    let (inside, runs) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let callers = (0..8).map(|_| {
        let (flight, inside, runs) = (flight.clone(), inside.clone(), runs.clone());
        tokio::spawn(async move {
            for _ in 0..500 {
                let (inside, runs) = (inside.clone(), runs.clone());
                let work = async move {
                    assert_eq!(
                        inside.fetch_add(1, Ordering::SeqCst),
                        0,
                        "another run is going on"
                    );
                    tokio::task::yield_now().await;
                    inside.fetch_sub(1, Ordering::SeqCst);
                    runs.fetch_add(1, Ordering::SeqCst);
                };
                answer(flight.run(0, work)).await.expect("no run meets another");
            }
        })
    });
    for caller in join_all(callers).await {
        caller.expect("every caller was answered");
    }
    assert!((500..=4_000).contains(&runs.load(Ordering::SeqCst)));
    assert!(flight.is_empty());
}

#[tokio::test]
async fn whoever_has_a_value_and_calls_again_starts_a_new_run() {
    let (flight, gate) = (Letters::new(), Gate::default());
    for run in 1..=3 {
        gate.open.notify_one();
        assert_eq!(answer(flight.run("a", gate.clone().pass())).await, Ok(run));
        assert!(flight.is_empty());
    }
}

#[tokio::test]
async fn different_keys_run_side_by_side() {
    let flight = Flight::new();
    let meeting = Arc::new(tokio::sync::Barrier::new(2));
    let [left, right] = ["left", "right"].map(|key| {
        let meeting = meeting.clone();
        flight.run(key, async move {
            meeting.wait().await;
            key
        })
    });
    assert_eq!(flight.len(), 2);
    assert_eq!(answer(left).await, Ok("left"));
    assert_eq!(answer(right).await, Ok("right"));
}

#[tokio::test]
async fn work_begins_and_ends_though_nobody_waits() {
    let (flight, gate) = (Letters::new(), Gate::default());
    drop(flight.run("a", gate.clone().pass()));
    until(|| gate.runs() == 1).await;
    gate.open.notify_one();
    until(|| flight.is_empty()).await;
}

#[tokio::test]
async fn work_goes_on_when_the_flight_itself_is_dropped() {
    let (flight, gate) = (Letters::new(), Gate::default());
    let subscription = flight.run("a", gate.clone().pass());
    drop(flight);
    gate.open.notify_one();
    assert_eq!(answer(subscription).await, Ok(1));
}

#[tokio::test]
async fn a_caller_who_leaves_takes_nothing_from_those_who_stay() {
    let (flight, gate) = (Letters::new(), Gate::default());
    let first = flight.run("a", gate.clone().pass());
    let second = flight.run("a", gate.clone().pass());
    let third = flight.run("a", gate.clone().pass());
    // Dropped once before it was polled, and once while it was waiting.
    drop(first);
    let waiting = tokio::spawn(second);
    tokio::task::yield_now().await;
    waiting.abort();
    gate.open.notify_one();
    assert_eq!(answer(third).await, Ok(1));
}

#[tokio::test]
async fn one_can_subscribe_only_to_what_is_running() {
    let (flight, gate) = (Letters::new(), Gate::default());
    assert!(flight.subscribe(&"a").is_none());
    let first = flight.run("a", gate.clone().pass());
    let late = flight.subscribe(&"a").expect("the run is going on");
    gate.open.notify_one();
    assert_eq!(answer(late.clone()).await, Ok(1));
    assert_eq!(answer(first).await, Ok(1));
    assert_eq!(
        answer(late).await,
        Ok(1),
        "a value waits for whoever holds a subscription"
    );
    assert!(flight.subscribe(&"a").is_none());
}

#[tokio::test]
async fn an_error_of_the_work_reaches_every_caller() {
    let flight: Flight<u8, Result<u8, &'static str>> = Flight::new();
    let callers: Vec<_> = (0..3).map(|_| flight.run(1, async { Err("no paper") })).collect();
    assert_eq!(
        within_patience(join_all(callers)).await,
        vec![Ok(Err("no paper")); 3]
    );
}

#[tokio::test]
async fn a_panic_reaches_every_caller_with_its_message() {
    let flight: Flight<u8, ()> = Flight::new();
    let callers: Vec<_> = (0..3)
        .map(|_| flight.run(1, async { panic!("out of {}", "ink") }))
        .collect();
    assert_eq!(
        within_patience(join_all(callers)).await,
        vec![Err(panicked("out of ink")); 3]
    );
    assert!(flight.is_empty());
    let odd = flight.run(1, async { std::panic::panic_any(7) });
    assert_eq!(answer(odd).await, Err(panicked("no message")));
    assert_eq!(
        answer(flight.run(1, async {})).await,
        Ok(()),
        "the key is free again"
    );
}

#[tokio::test]
async fn a_panic_while_the_work_is_dropped_counts_as_one_of_the_work() {
    let flight: Flight<u8, ()> = Flight::new();
    let in_drop = flight.run(1, async { drop(Mine) });
    assert_eq!(answer(in_drop).await, Err(panicked("stepped on")));
    let mine = Mine;
    let after_the_value = std::future::poll_fn(move |_| {
        let _held_until_the_future_is_dropped = &mine;
        std::task::Poll::Ready(())
    });
    assert_eq!(
        answer(flight.run(1, after_the_value)).await,
        Err(panicked("stepped on"))
    );
    let mine = Mine;
    let after_a_panic = std::future::poll_fn(move |_| {
        let _held_until_the_future_is_dropped = &mine;
        panic!("the first one counts")
    });
    assert_eq!(
        answer(flight.run(1, after_a_panic)).await,
        Err(panicked("the first one counts"))
    );
    assert!(flight.is_empty());
}

#[test]
fn a_runtime_that_shuts_down_tells_the_subscribers_and_leaves_no_entry() {
    let flight: Flight<&str, ()> = Flight::new();
    let build = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
    };
    let runtime = build().expect("a runtime");
    let (begun, unpolled, mined) = runtime.block_on(async {
        let begun = flight.run("begun", std::future::pending());
        tokio::task::yield_now().await;
        let mine = Mine;
        let mined = flight.run("mined", async move {
            let _mine = mine;
            std::future::pending().await
        });
        (begun, flight.run("unpolled", std::future::pending()), mined)
    });
    assert_eq!(flight.len(), 3);
    let handle = runtime.handle().clone();
    drop(runtime);
    assert!(flight.is_empty());
    let too_late = {
        let _entered = handle.enter();
        flight.run("too late", std::future::pending())
    };
    assert!(flight.is_empty());
    build().expect("a runtime").block_on(async {
        for subscription in [begun, unpolled, mined, too_late] {
            assert_eq!(answer(subscription).await, Err(FlightError::Stopped));
        }
    });
}

#[test]
fn a_call_outside_a_runtime_panics_and_leaves_no_entry() {
    let flight: Flight<&str, ()> = Flight::new();
    let call = std::panic::AssertUnwindSafe(|| flight.run("a", async {}));
    assert!(std::panic::catch_unwind(call).is_err());
    assert!(flight.is_empty());
}
