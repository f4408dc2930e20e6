//! Events: what happens, for whoever watches.

use std::sync::Arc;

use macro_rules_attribute::apply;
use punctual::engine::{Happening, Watcher};
use punctual::job::{Job, State};
use punctual::limits::{
    EVENT_LINGER, EVENT_PAGES, EVENT_PAUSE, EVENT_ROWS, EVENTS, RESCAN, SIGNALS, WATCHERS,
};
use punctual::signals::Signal;
use punctual::source::Source;
use punctual::store::Store;
use punctual::testing::{Call, Fate};
use punctual::{JobId, Kind, seconds};

use crate::stage::{Stage, done, settlement, soon, until, work};
use crate::stores::{Place, on_each_store};

async fn next(watcher: &mut Watcher) -> Happening {
    soon(watcher.next()).await.expect("the engine is open").happening
}

#[apply(on_each_store)]
async fn a_watcher_that_fell_behind_the_line_is_told_so_and_goes_on_with_what_is_kept(place: Place) {
    let stage = Stage::quiet(&place).await;
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

#[apply(on_each_store)]
async fn a_watcher_that_comes_back_in_time_misses_nothing_and_a_late_one_is_told_so(place: Place) {
    let stage = Stage::quiet(&place).await;
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

#[apply(on_each_store)]
async fn watchers_are_bounded_and_hear_when_the_engine_closes(place: Place) {
    let stage = Stage::quiet(&place).await;
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

/// A row that ended just now, written by another process: no hint names it.
async fn ends_elsewhere(stage: &Stage, name: &str) -> JobId {
    let new = work().id(JobId::named(name));
    let mut job: Job = stage.engine.admit(new).expect("it may be inserted");
    job.status.state = State::Succeeded;
    job.status.ended_at = Some(stage.engine.now());
    let inserted = stage.store.behind.insert(std::slice::from_ref(&job)).await;
    inserted.expect("it is stored");
    job.id()
}

fn ended(happening: &Happening) -> Option<JobId> {
    match happening {
        Happening::Ended(head) => Some(head.id),
        _ => None,
    }
}

#[apply(on_each_store)]
async fn a_watcher_is_told_to_look_when_hints_were_lost(place: Place) {
    let stage = Stage::quiet(&place).await;
    let id = stage.engine.enqueue(work()).await.expect("it is stored").id();
    let job = stage.claim(1).await.remove(0);
    let mut watcher = stage.engine.watch(None).expect("there is room");
    let held = Arc::new(tokio::sync::Notify::new());
    let late = Arc::clone(&held);
    stage.store.rule(move |call| match call {
        Call::Fetch(_) => Fate::Late(Arc::clone(&late)),
        _ => Fate::Pass,
    });
    // While the store is slow to tell of one job, more is hinted at than is kept, first that another is to stop.
    let fetches = stage.store.fetches().len();
    let signals = stage.store.signals();
    signals.send(&[Signal::Ended(JobId::named("other"))]);
    until("the row is read", || stage.store.fetches().len() > fetches).await;
    signals.send(&[Signal::Cancel(id)]);
    for _ in 0..SIGNALS {
        signals.send(&[Signal::Output(id)]);
    }
    stage.store.rule(|_| Fate::Pass);
    held.notify_one();
    stage.advance(EVENT_PAUSE).await;
    assert_eq!(next(&mut watcher).await, Happening::Gone(JobId::named("other")));
    assert_eq!(next(&mut watcher).await, Happening::Reset);
    // What comes then is told as ever.
    let settled = stage.engine.settle(vec![settlement(&job, done("1"))]).await;
    settled.expect("it stands");
    assert_eq!(ended(&next(&mut watcher).await), Some(id));
}

#[apply(on_each_store)]
async fn all_that_ended_elsewhere_is_told_and_a_reset_where_it_is_too_much(place: Place) {
    let stage = Stage::quiet(&place).await;
    let mut watcher = stage.engine.watch(None).expect("there is room");
    stage.clock.advance(seconds(1));
    for round in 0..2 {
        let mut ids = Vec::new();
        for n in 0..3 * EVENT_ROWS {
            ids.push(ends_elsewhere(&stage, &format!("{round} {n}")).await);
            stage.clock.advance(EVENT_PAUSE / 1_000);
        }
        stage.store.signals().send(&[Signal::Anything]);
        stage.advance(EVENT_PAUSE).await;
        for id in ids {
            assert_eq!(ended(&next(&mut watcher).await), Some(id));
        }
    }
    for n in 0..EVENT_PAGES * EVENT_ROWS + 1 {
        ends_elsewhere(&stage, &format!("rush {n}")).await;
        stage.clock.advance(EVENT_PAUSE / 1_000);
    }
    stage.store.signals().send(&[Signal::Anything]);
    stage.advance(EVENT_PAUSE).await;
    assert_eq!(next(&mut watcher).await, Happening::Reset);
    let last = ends_elsewhere(&stage, "last").await;
    stage.store.signals().send(&[Signal::Anything]);
    stage.advance(EVENT_PAUSE).await;
    assert_eq!(ended(&next(&mut watcher).await), Some(last));
}

#[apply(on_each_store)]
async fn ends_that_hints_told_of_in_a_rush_are_no_reason_for_a_reset(place: Place) {
    let stage = Stage::quiet(&place).await;
    let mut watcher = stage.engine.watch(None).expect("there is room");
    for _ in 0..EVENT_PAGES * 2 {
        let jobs: Vec<_> = (0..EVENT_ROWS).map(|_| work().delay(seconds(60))).collect();
        for placed in stage.engine.enqueue_all(jobs).await {
            let id = placed.expect("it is stored").id();
            stage.engine.cancel(id, "", None).await.expect("it waits");
            while ended(&next(&mut watcher).await) != Some(id) {}
        }
        stage.advance(RESCAN / 8).await;
    }
    stage.advance(RESCAN).await;
    let id = stage
        .engine
        .enqueue(work().delay(seconds(60)))
        .await
        .expect("it is stored")
        .id();
    stage.engine.cancel(id, "", None).await.expect("it waits");
    loop {
        let happening = next(&mut watcher).await;
        assert_ne!(happening, Happening::Reset);
        if ended(&happening) == Some(id) {
            break;
        }
    }
}

#[apply(on_each_store)]
async fn hints_that_never_stop_do_not_keep_a_watcher_from_ends_that_none_of_them_names(place: Place) {
    let stage = Stage::quiet(&place).await;
    let mut watcher = stage.engine.watch(None).expect("there is room");
    let store = stage.store.behind.clone();
    let rush = tokio::spawn(async move {
        loop {
            for _ in 0..4 * EVENT_ROWS {
                store.signals().send(&[Signal::Output(JobId::named("chatty"))]);
            }
            tokio::task::yield_now().await;
        }
    });
    stage.settle_down().await;
    let id = ends_elsewhere(&stage, "quiet").await;
    stage.clock.advance(RESCAN);
    let told = next(&mut watcher).await;
    assert!(told == Happening::Reset || ended(&told) == Some(id), "{told:?}");
    rush.abort();
}

#[apply(on_each_store)]
async fn a_line_that_breaks_off_ends_its_watchers_and_who_comes_back_is_told_to_look(place: Place) {
    let stage = Stage::quiet(&place).await;
    let mut first = stage.engine.watch(None).expect("there is room");
    let mut second = stage.engine.watch(None).expect("there is room");
    stage.store.signals().send(&[Signal::Ended(JobId::named("a"))]);
    let seen = soon(first.next()).await.expect("the engine is open");
    stage.store.rule(|call| match call {
        Call::List(_) => panic!("a store that is broken"),
        _ => Fate::Pass,
    });
    stage.advance(RESCAN).await;
    assert_eq!(soon(first.next()).await, None);
    stage.store.rule(|_| Fate::Pass);
    let mut back = stage.engine.watch(Some(seen.id)).expect("there is room");
    assert_eq!(next(&mut back).await, Happening::Reset);
    // One that did not look meanwhile is in the new line, and does not take its places for those of the old one.
    assert_eq!(next(&mut second).await, Happening::Reset);
    stage.store.signals().send(&[Signal::Ended(JobId::named("b"))]);
    for watcher in [&mut back, &mut second] {
        assert_eq!(next(watcher).await, Happening::Gone(JobId::named("b")));
    }
}
