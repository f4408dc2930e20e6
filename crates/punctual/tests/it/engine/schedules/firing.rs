//! Firing: each instant once, on time, whoever is up.

use std::sync::Mutex;

use futures_util::future::join_all;
use macro_rules_attribute::apply;
use punctual::clock::ManualClock;
use punctual::limits::RESCAN;
use punctual::schedule::{Misfire, MisfireMode};
use punctual::store::memory::MemoryStore;
use punctual::testing::{Call, Fate, FaultyStore};
use punctual::{Error, Kind, hours};

use super::*;
use crate::rows::beat_of;
use crate::stage::advance;
use crate::stores::{Place, on_each_store};

#[apply(on_each_store)]
async fn each_instant_is_fired_once_by_three_nodes(place: Place) {
    let stage = Stage::with_caretaker(&place).await;
    let others = [firing_engine(&stage), firing_engine(&stage)];
    let schedule = set(&stage, minutely()).await;
    stage.advance(minutes(5) + seconds(1)).await;
    assert_eq!(
        told(&stage.engine).await,
        ["1 fired", "2 fired", "3 fired", "4 fired", "5 fired"]
    );
    let jobs = claim_all(&stage).await;
    assert_eq!(minutes_of(&jobs), [1, 2, 3, 4, 5]);
    for job in &jobs {
        assert_eq!(job.id(), schedule.id.job_at(nominal(job)));
        assert_eq!(job.status.due, nominal(job));
    }
    let fired = others.iter().map(|engine| engine.totals().fired).sum::<u64>();
    assert_eq!(fired + stage.engine.totals().fired, 5);
}

#[apply(on_each_store)]
async fn a_claim_that_waits_hears_of_what_is_fired(place: Place) {
    let stage = Stage::with_caretaker(&place).await;
    set(&stage, minutely()).await;
    let engine = stage.engine.clone();
    let waits = tokio::spawn(async move { engine.claim(claim("w", 1), hours(1)).await });
    stage
        .advance_until("the claim is answered", || waits.is_finished())
        .await;
    let claimed = waits
        .await
        .expect("it does not panic")
        .expect("the store serves claims");
    assert_eq!(minutes_of(&claimed.jobs), [1]);
    assert_eq!(stage.engine.now(), noon() + minutes(1));
}

/// What is fired, and what is told, of a schedule of every minute whose nodes were all down for ten minutes.
async fn after_ten_minutes_down(place: &Place, mode: MisfireMode) -> (Vec<(u64, u64)>, Vec<String>) {
    let stage = Stage::quiet(place).await;
    let plan = Plan {
        misfire: Misfire {
            mode,
            grace: seconds(20),
            ..Misfire::default()
        },
        ..minutely()
    };
    set(&stage, plan).await;
    leap(&stage, minutes(10) + seconds(30));
    let _up = firing_engine(&stage);
    let jobs = claim_all(&stage).await;
    let fired = jobs.iter().map(|job| (minute(nominal(job)), missed(job)));
    (fired.collect(), told(&stage.engine).await)
}

#[apply(on_each_store)]
async fn after_ten_minutes_down_the_latest_run_knows_that_it_stands_for_ten(place: Place) {
    let (fired, told) = after_ten_minutes_down(&place, MisfireMode::Latest).await;
    assert_eq!(fired, [(10, 9)]);
    assert_eq!(told, ["1-9 misfire", "10 fired for 9"]);
}

#[apply(on_each_store)]
async fn after_ten_minutes_down_all_ten_are_fired_if_all_are_wanted(place: Place) {
    let (fired, told) = after_ten_minutes_down(&place, MisfireMode::All).await;
    assert_eq!(fired, (1..=10).map(|minute| (minute, 0)).collect::<Vec<_>>());
    assert_eq!(told.len(), 10);
}

#[apply(on_each_store)]
async fn after_ten_minutes_down_none_is_fired_if_none_is_wanted(place: Place) {
    let (fired, told) = after_ten_minutes_down(&place, MisfireMode::Skip).await;
    assert_eq!(fired, []);
    assert_eq!(told, ["1-10 misfire"]);
}

#[apply(on_each_store)]
async fn a_thousand_that_are_due_at_once_are_fired_in_batches(place: Place) {
    let stage = Stage::with_caretaker(&place).await;
    let names = (0..1_000).map(|n| format!("s{n}"));
    let sets = names.map(|name| stage.engine.set_schedule(name, minutely(), None));
    for set in join_all(sets).await {
        set.expect("it is set");
    }
    let batches = Arc::new(Mutex::new(Vec::new()));
    let seen = batches.clone();
    stage.store.rule(move |call| {
        if let Call::ChangeSchedules(changes) = call {
            seen.lock().expect("nobody panics").push(changes.len());
        }
        Fate::Pass
    });
    stage.advance(minutes(1)).await;
    assert_eq!(
        stage.engine.now(),
        noon() + minutes(1),
        "no time went on meanwhile"
    );
    assert_eq!(stage.engine.totals().fired, 1_000);
    assert_eq!(stage.claim(1_000).await.len(), 1_000);
    let batches = batches.lock().expect("nobody panics").clone();
    assert_eq!(batches.iter().sum::<usize>(), 1_000);
    assert!(batches.len() <= 20, "{batches:?}");
}

#[apply(on_each_store)]
async fn what_is_due_tomorrow_costs_a_look_now_and_then(place: Place) {
    let stage = Stage::with_caretaker(&place).await;
    let daily = Plan {
        overlap: Overlap::Allow,
        ..Plan::new(Spec::every(hours(24)), work())
    };
    for name in 0..10 {
        let set = stage
            .engine
            .set_schedule(format!("s{name}"), daily.clone(), None)
            .await;
        set.expect("it is set");
    }
    stage.settle_down().await;
    let looks = Arc::new(Mutex::new((0, 0)));
    let seen = looks.clone();
    stage.store.rule(move |call| {
        let mut seen = seen.lock().expect("nobody panics");
        match call {
            Call::Schedules(_) => seen.0 += 1,
            Call::ChangeSchedules(_) => seen.1 += 1,
            _ => {}
        }
        Fate::Pass
    });
    stage.advance(minutes(5)).await;
    let (reads, writes) = *looks.lock().expect("nobody panics");
    assert_eq!(writes, 0);
    assert!(reads <= 61, "{reads} reads in five minutes");
}

#[apply(on_each_store)]
async fn an_answer_that_is_lost_fires_nothing_twice(place: Place) {
    let stage = Stage::with_caretaker(&place).await;
    set(&stage, minutely()).await;
    let mut lost = 0;
    stage.store.rule(move |call| match call {
        Call::ChangeSchedules(_) if lost < 2 => {
            lost += 1;
            Fate::Lose(Error::unknown("the connection broke"))
        }
        _ => Fate::Pass,
    });
    stage.advance(minutes(2) + seconds(1)).await;
    assert_eq!(told(&stage.engine).await, ["1 fired", "2 fired"]);
    assert_eq!(claim_all(&stage).await.len(), 2);
    assert_eq!(stage.engine.totals().fired, 2);
}

#[apply(on_each_store)]
async fn a_store_that_is_down_for_a_while_delays_what_is_due_and_loses_nothing(place: Place) {
    let stage = Stage::with_caretaker(&place).await;
    set(&stage, minutely()).await;
    stage.store.rule(|call| match call {
        Call::ChangeSchedules(_) => Fate::Refuse(Error::unavailable("the disk is full")),
        _ => Fate::Pass,
    });
    stage.advance(minutes(1) + seconds(20)).await;
    assert_eq!(told(&stage.engine).await, Vec::<String>::new());
    stage.store.rule(|_| Fate::Pass);
    stage.advance(seconds(6)).await;
    assert_eq!(told(&stage.engine).await, ["1 fired"]);
}

#[apply(on_each_store)]
async fn one_that_the_store_refuses_stands_in_nobodys_way_and_is_counted_as_overdue(place: Place) {
    let stage = Stage::with_caretaker(&place).await;
    let bad = stage.engine.set_schedule("bad", minutely(), None).await;
    let bad = bad.expect("it is set").0.id;
    set(&stage, minutely()).await;
    stage.store.rule(move |call| match call {
        Call::ChangeSchedules(changes) if changes.iter().any(|change| change.id == bad) => {
            Fate::Refuse(Error::new(Kind::Internal, "this row is damaged"))
        }
        _ => Fate::Pass,
    });
    stage.advance(minutes(3) + seconds(20)).await;
    assert_eq!(told(&stage.engine).await, ["1 fired", "2 fired", "3 fired"]);
    assert_eq!(stage.engine.totals().overdue, 1);
    stage.store.rule(|_| Fate::Pass);
    stage.advance(seconds(40)).await;
    assert_eq!(stage.engine.totals().overdue, 0);
}

#[apply(on_each_store)]
async fn a_step_of_the_clock_is_noticed_by_the_next_look(place: Place) {
    let stage = Stage::with_caretaker(&place).await;
    set(&stage, minutely()).await;
    stage.clock.step_to(noon() + hours(1));
    stage.advance(seconds(6)).await;
    assert_eq!(told(&stage.engine).await, ["1-59 misfire", "60 fired for 59"]);
}

#[apply(on_each_store)]
async fn where_every_hint_is_lost_a_schedule_is_found_by_the_next_look(place: Place) {
    let stage = Stage::quiet(&place).await;
    let deaf = Arc::new(FaultyStore::new(stage.store.behind.clone()).deaf());
    let _deaf = Engine::builder().clock(Arc::new(stage.clock.clone())).on(deaf);
    stage.settle_down().await;
    set(&stage, Plan::new(Spec::every(seconds(1)), work())).await;
    stage.advance(RESCAN).await;
    let row = stage.engine.schedule("s").await.expect("it is there");
    assert_eq!(row.standing.fired, 1);
}

/// Which workers are remembered is the time of the store itself, so that this one has the time of the test.
#[tokio::test]
async fn the_node_whose_worker_stands_first_fires_and_another_one_if_that_is_gone() {
    let clock = ManualClock::new(noon(), 7);
    let store = Arc::new(MemoryStore::new(Arc::new(clock.clone())));
    let store = Arc::new(FaultyStore::new(store));
    let engine = || Engine::builder().clock(Arc::new(clock.clone())).on(store.clone());
    let (first, second) = (engine(), engine());
    let advance = async |length| advance(&clock, &store, length).await;
    let set = first.set_schedule("s", minutely(), None).await;
    set.expect("it is set");
    for _ in 0..2 {
        advance(seconds(30)).await;
        first.beat(beat_of(&[])).await.expect("the store serves beats");
        advance(seconds(31)).await;
    }
    assert_eq!((first.totals().fired, second.totals().fired), (2, 0));
    first.beat(beat_of(&[])).await.expect("the store serves beats");
    first.close().await.expect("it comes to an end");
    advance(seconds(58)).await;
    assert_eq!(second.totals().fired, 0);
    advance(seconds(1)).await;
    assert_eq!(second.totals().fired, 1);
    assert_eq!(told(&second).await, ["1 fired", "2 fired", "3 fired"]);
}
