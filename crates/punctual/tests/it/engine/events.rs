//! Events: what happens, for whoever watches.

use punctual::engine::{Happening, Watcher};
use punctual::limits::{EVENT_LINGER, EVENTS, WATCHERS};
use punctual::{Kind, seconds};

use crate::stage::{Stage, soon, work};

async fn next(watcher: &mut Watcher) -> Happening {
    soon(watcher.next()).await.expect("the engine is open").happening
}

#[tokio::test]
async fn a_watcher_that_fell_behind_the_line_is_told_so_and_goes_on_with_what_is_kept() {
    let stage = Stage::quiet();
    let mut slow = stage.engine.watch(None).expect("there is room");
    let mut last = None;
    for _ in 0..EVENTS + 10 {
        let id = stage
            .engine
            .enqueue(work().delay(seconds(60)))
            .await
            .expect("it is stored")
            .id();
        stage.engine.delete(id, None).await.expect("it waits");
        last = Some(id);
        stage.settle_down().await;
    }
    assert_eq!(next(&mut slow).await, Happening::Reset);
    let mut told = 0;
    loop {
        told += 1;
        if next(&mut slow).await == Happening::Gone(last.expect("there was one")) {
            break;
        }
    }
    assert!(told <= EVENTS, "{told} events were kept");
}

#[tokio::test]
async fn a_watcher_that_comes_back_in_time_misses_nothing_and_a_late_one_is_told_so() {
    let stage = Stage::quiet();
    let mut watcher = stage.engine.watch(None).expect("there is room");
    let ids = ["a", "b", "c"].map(punctual::JobId::named);
    for id in ids {
        stage
            .engine
            .enqueue(work().id(id).delay(seconds(60)))
            .await
            .expect("it is stored");
        stage.engine.cancel(id, "", None).await.expect("it waits");
    }
    let ended = |happening: &Happening| match happening {
        Happening::Ended(head) => Some(head.id),
        _ => None,
    };
    let seen = loop {
        let event = soon(watcher.next()).await.expect("the engine is open");
        if ended(&event.happening) == Some(ids[0]) {
            break event.id;
        }
    };
    drop(watcher);
    stage.advance(EVENT_LINGER / 2).await;
    let mut watcher = stage.engine.watch(Some(seen)).expect("there is room");
    let mut missed = Vec::new();
    while missed.len() < 2 {
        missed.extend(ended(&next(&mut watcher).await));
    }
    assert_eq!(missed, ids[1..]);
    drop(watcher);
    stage.advance(2 * EVENT_LINGER).await;
    let mut late = stage.engine.watch(Some(seen)).expect("there is room");
    assert_eq!(next(&mut late).await, Happening::Reset);
}

#[tokio::test]
async fn watchers_are_bounded_and_hear_when_the_engine_closes() {
    let stage = Stage::quiet();
    let mut all: Vec<Watcher> = (0..WATCHERS)
        .map(|_| stage.engine.watch(None).expect("there is room"))
        .collect();
    let refused = stage.engine.watch(None).expect_err("there is none");
    assert_eq!(refused.kind(), Kind::Unavailable);
    all.pop();
    let mut watcher = stage.engine.watch(None).expect("there is room again");
    stage.engine.close().await.expect("it closes");
    assert_eq!(soon(watcher.next()).await, None);
}
