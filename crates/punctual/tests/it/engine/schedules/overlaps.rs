//! What becomes of an instant while the last run is live, and how the end of that run is heard of.

use std::slice;

use macro_rules_attribute::apply;
use punctual::Error;
use punctual::job::State;
use punctual::testing::{Call, Fate};

use super::*;
use crate::rows::beat_of;
use crate::stores::{Place, on_each_store};

#[apply(on_each_store)]
async fn an_instant_is_skipped_while_the_last_run_is_live(place: Place) {
    let stage = Stage::with_caretaker(&place).await;
    set(&stage, with_overlap(Overlap::Skip)).await;
    stage.advance(minutes(1)).await;
    let run = claim_all(&stage).await.remove(0);
    stage.advance(seconds(25)).await;
    end(&stage, &run).await;
    stage.advance(seconds(35)).await;
    // The next one waits for no worker, and so is live.
    stage.advance(minutes(2)).await;
    assert_eq!(told(&stage.engine).await, ["1 fired", "2 fired", "3-4 overlap"]);
    assert_eq!(stage.engine.totals().skipped, 2);
}

#[apply(on_each_store)]
async fn what_is_buffered_is_fired_as_the_last_run_ends_and_not_later(place: Place) {
    let stage = Stage::with_caretaker(&place).await;
    set(&stage, with_overlap(Overlap::BufferOne)).await;
    stage.advance(minutes(1)).await;
    let run = claim_all(&stage).await.remove(0);
    let now = run.status.started_at.expect("it runs") + minutes(2);
    beat_until(&stage, &run, now).await;
    assert_eq!(told(&stage.engine).await, ["1 fired", "3 overlap"]);
    let at = stage.engine.now();
    end(&stage, &run).await;
    assert_eq!(minutes_of(&claim_all(&stage).await), [2]);
    assert_eq!(stage.engine.now(), at, "no time went on");
    assert_eq!(told(&stage.engine).await, ["1 fired", "2 fired", "3 overlap"]);
}

#[apply(on_each_store)]
async fn the_next_instant_cancels_the_last_run_and_is_fired_as_that_has_ended(place: Place) {
    let stage = Stage::with_caretaker(&place).await;
    set(&stage, with_overlap(Overlap::CancelOther)).await;
    stage.advance(minutes(1)).await;
    let run = claim_all(&stage).await.remove(0);
    let now = run.status.started_at.expect("it runs") + minutes(1);
    beat_until(&stage, &run, now).await;
    let row = stage.engine.fetch(run.id()).await.expect("it is there");
    assert_eq!(
        row.status.cancel.as_deref(),
        Some("the next run of its schedule has come")
    );
    assert_eq!(claim_all(&stage).await, []);
    let reason = String::new();
    settle(&stage, &run, Ran::Cancelled { reason }).await;
    assert_eq!(minutes_of(&claim_all(&stage).await), [2]);
    let row = stage.engine.fetch(run.id()).await.expect("it is there");
    assert_eq!(row.status.state, State::Cancelled);
}

#[apply(on_each_store)]
async fn a_run_that_could_not_be_cancelled_is_asked_again(place: Place) {
    let stage = Stage::with_caretaker(&place).await;
    set(&stage, with_overlap(Overlap::CancelOther)).await;
    stage.advance(minutes(1)).await;
    let run = claim_all(&stage).await.remove(0);
    stage.store.rule(|call| match call {
        Call::Apply(_) => Fate::Refuse(Error::unavailable("the disk is full")),
        _ => Fate::Pass,
    });
    let now = run.status.started_at.expect("it runs") + minutes(1);
    beat_until(&stage, &run, now + seconds(10)).await;
    let cancel = async || {
        let row = stage.engine.fetch(run.id()).await.expect("it is there");
        row.status.cancel
    };
    assert_eq!(cancel().await, None);
    stage.store.rule(|_| Fate::Pass);
    beat_until(&stage, &run, now + seconds(30)).await;
    assert!(cancel().await.is_some());
}

#[apply(on_each_store)]
async fn a_run_that_waits_for_a_worker_makes_way_at_once(place: Place) {
    let stage = Stage::with_caretaker(&place).await;
    set(&stage, with_overlap(Overlap::CancelOther)).await;
    stage.advance(minutes(2)).await;
    assert_eq!(told(&stage.engine).await, ["1 fired", "2 fired"]);
    assert_eq!(minutes_of(&claim_all(&stage).await), [2]);
}

#[apply(on_each_store)]
async fn a_delay_is_counted_from_the_end_of_the_last_run(place: Place) {
    let stage = Stage::with_caretaker(&place).await;
    set(&stage, Plan::new(Spec::after(minutes(10)), work())).await;
    let run = claim_all(&stage).await.remove(0);
    assert_eq!(minute(nominal(&run)), 0);
    stage.advance(seconds(20)).await;
    end(&stage, &run).await;
    stage.advance(minutes(10) - seconds(1)).await;
    assert_eq!(claim_all(&stage).await, []);
    stage.advance(seconds(1)).await;
    let run = claim_all(&stage).await.remove(0);
    assert_eq!(run.status.due, noon() + minutes(10) + seconds(20));
}

#[apply(on_each_store)]
async fn a_run_that_somebody_deletes_or_cancels_makes_way_too(place: Place) {
    let stage = Stage::with_caretaker(&place).await;
    set(&stage, Plan::new(Spec::after(minutes(10)), work())).await;
    stage.settle_down().await;
    let first = set(&stage, Plan::new(Spec::after(minutes(10)), work())).await;
    let id = first.standing.live[0];
    stage.engine.delete(id, None).await.expect("it waits");
    stage.advance(minutes(10)).await;
    let second = stage.engine.schedule("s").await.expect("it is there");
    assert_eq!((second.standing.fired, second.standing.live.len()), (2, 1));
    stage
        .engine
        .cancel(second.standing.live[0], "", None)
        .await
        .expect("it waits");
    stage.advance(minutes(10)).await;
    let third = stage.engine.schedule("s").await.expect("it is there");
    assert_eq!(third.standing.fired, 3);
}

/// Lets time go on until then, while the run's worker beats.
async fn beat_until(stage: &Stage, run: &Job, until: Timestamp) {
    while stage.engine.now() < until {
        let left = until.since(stage.engine.now());
        stage.advance(left.min(seconds(10))).await;
        let beaten = stage.engine.beat(beat_of(slice::from_ref(run))).await;
        beaten.expect("the store serves beats");
    }
    stage.settle_down().await;
}
