//! What keeps a schedule from being fired, or a change of it from being answered, and what that means for others.

use std::collections::BTreeSet;
use std::sync::Mutex;

use macro_rules_attribute::apply;
use punctual::change::{RecordApplied, RecordChange, RecordKind};
use punctual::clock::ManualClock;
use punctual::engine::{Backfill, Upsert};
use punctual::limits::{FIRE_INSTANTS, FIRE_PAGES, FIRE_ROWS, KEEP_LEDGER, LEASE};
use punctual::schedule::{Calendar, Exclusions, ScheduleId};
use punctual::store::Store;
use punctual::store::memory::MemoryStore;
use punctual::testing::{Call, Fate, FaultyStore};
use punctual::{Error, Kind, hours};
use tokio::sync::Notify;

use super::*;
use crate::rows::{make, schedule};
use crate::stage::{advance, settle_down, until};
use crate::stores::{Place, on_each_store};

/// Every minute, but on the days of this calendar.
fn resting(calendar: &str) -> Plan {
    Plan {
        exclude: Exclusions {
            calendars: vec![calendar.to_owned()],
            ..Exclusions::default()
        },
        ..minutely()
    }
}

#[apply(on_each_store)]
async fn a_calendar_that_is_set_while_a_schedule_is_made_holds_for_it(place: Place) {
    let stage = Stage::quiet(&place).await;
    let today = Calendar {
        dates: ["2026-06-01".parse().expect("a date")].into(),
    };
    let comes = Arc::new(Notify::new());
    let late = comes.clone();
    stage.store.rule(move |call| match call {
        Call::ChangeSchedules(_) => Fate::Late(late.clone()),
        _ => Fate::Pass,
    });
    // It reads the calendars, and its write comes last.
    let engine = stage.engine.clone();
    let making = tokio::spawn(async move { engine.set_schedule("s", resting("feasts"), None).await });
    stage.settle_down().await;
    let change = RecordChange {
        kind: RecordKind::Calendar,
        name: "feasts".to_owned(),
        expect: 0,
        becomes: Some(today.to_json()),
    };
    let set = stage.store.behind.change_records(&[change]).await;
    assert_eq!(set, Ok(vec![RecordApplied::Applied]));
    stage.store.rule(|_| Fate::Pass);
    comes.notify_one();
    let made = making.await.expect("it does not panic");
    let (made, upsert) = made.expect("it is made");
    assert_eq!(upsert, Upsert::Created);
    let tomorrow: Timestamp = "2026-06-02T00:00:00Z".parse().expect("an instant");
    assert_eq!(made.standing.next, Some(tomorrow));
}

/// Schedules that nobody can write, more than a round goes through, and behind them one that can be. In memory alone, since nothing
/// of it is the store's.
#[tokio::test]
async fn what_cannot_be_fired_keeps_nothing_behind_it_from_being_fired() {
    let clock = ManualClock::new(noon(), 7);
    let store = Arc::new(MemoryStore::new(Arc::new(clock.clone())));
    let store = Arc::new(FaultyStore::new(store));
    let stuck = |n: usize| {
        let mut row = schedule(&format!("stuck-{n}"));
        row.standing.next = Some(noon() + seconds(1));
        row
    };
    let stuck: Vec<Schedule> = (0..FIRE_ROWS * FIRE_PAGES + 1).map(stuck).collect();
    for rows in stuck.chunks(100) {
        make(&*store, rows).await;
    }
    let stuck: BTreeSet<ScheduleId> = stuck.iter().map(|row| row.id).collect();
    store.rule(move |call| match call {
        Call::ChangeSchedules(changes) if changes.iter().any(|change| stuck.contains(&change.id)) => {
            Fate::Refuse(Error::new(Kind::Internal, "this row is damaged"))
        }
        _ => Fate::Pass,
    });
    let engine = Engine::builder().clock(Arc::new(clock.clone())).on(store.clone());
    let set = engine.set_schedule("s", Plan::new(Spec::every(seconds(2)), work()), None);
    set.await.expect("it is set");
    advance(&clock, &store, seconds(2)).await;
    for _ in 0..5 {
        settle_down(100_000, &store).await;
        advance(&clock, &store, seconds(1)).await;
    }
    assert_eq!(engine.totals().fired, 1);
}

#[apply(on_each_store)]
async fn a_long_past_of_many_schedules_holds_up_no_lost_run(place: Place) {
    const SCHEDULES: usize = 10;
    let stage = Stage::quiet(&place).await;
    for n in 0..SCHEDULES {
        let often = Plan::new(Spec::every(seconds(1)), work());
        let set = stage.engine.set_schedule(format!("s{n}"), often, None).await;
        set.expect("it is set");
    }
    leap(&stage, Duration::from_secs(FIRE_INSTANTS as u64 + 60));
    stage.engine.enqueue(work()).await.expect("it is stored");
    let lost = stage.claim(1).await.remove(0).id();
    let order = Arc::new(Mutex::new(Vec::new()));
    let (seen, clock) = (order.clone(), stage.clock.clone());
    stage.store.rule(move |call| {
        let mut seen = seen.lock().expect("nobody panics");
        match call {
            Call::ChangeSchedules(_) => {
                seen.push("fired");
                // The lease of the run is over from the second one on.
                if seen.len() == 2 {
                    clock.advance(LEASE + seconds(1));
                }
            }
            Call::Apply(changes) if changes.iter().any(|change| change.id == lost) => seen.push("taken back"),
            _ => {}
        }
        Fate::Pass
    });
    let firing = firing_engine(&stage);
    until("all are fired and the run is taken back", || {
        let totals = firing.totals();
        (totals.fired, totals.reclaimed) == (SCHEDULES as u64, 1)
    })
    .await;
    let order = order.lock().expect("nobody panics").clone();
    let taken_back = order.iter().position(|what| *what == "taken back");
    assert!(taken_back < Some(SCHEDULES), "{order:?}");
}

#[apply(on_each_store)]
async fn a_schedule_that_somebody_deletes_while_it_is_set_is_made_anew(place: Place) {
    let stage = Stage::quiet(&place).await;
    let there = set(&stage, minutely()).await;
    let comes = Arc::new(Notify::new());
    let late = comes.clone();
    stage.store.rule(move |call| match call {
        Call::Schedules(_) => Fate::Late(late.clone()),
        _ => Fate::Pass,
    });
    let engine = stage.engine.clone();
    let setting = tokio::spawn(async move { engine.set_schedule("s", resting("feasts"), None).await });
    stage.settle_down().await;
    let other = other_process(&stage);
    assert_eq!(other.delete_schedule("s", None).await, Ok(()));
    stage.store.rule(|_| Fate::Pass);
    comes.notify_one();
    let set = setting.await.expect("it does not panic");
    let (made, upsert) = set.expect("it is set");
    assert_eq!(upsert, Upsert::Created);
    assert_ne!(made.id, there.id);
}

#[apply(on_each_store)]
async fn a_schedule_whose_making_was_not_answered_is_known_as_made(place: Place) {
    let stage = Stage::quiet(&place).await;
    let mut calls = 0;
    stage.store.rule(move |call| {
        let is_change = matches!(call, Call::ChangeSchedules(_));
        calls += usize::from(is_change);
        match calls {
            1 if is_change => Fate::Lose(Error::unknown("the connection broke")),
            2 if is_change => Fate::Refuse(Error::unavailable("nobody is there")),
            _ => Fate::Pass,
        }
    });
    let engine = stage.engine.clone();
    let making = tokio::spawn(async move { engine.set_schedule("s", minutely(), Some(0)).await });
    stage.settle_down().await;
    // It goes on before its maker hears of it.
    let held = other_process(&stage).pause_schedule("s", "not yet", None).await;
    held.expect("it is there");
    stage
        .advance_until("its maker is answered", || making.is_finished())
        .await;
    let made = making.await.expect("it does not panic");
    let (made, upsert) = made.expect("it is made");
    assert_eq!((upsert, made.rev), (Upsert::Created, 2));
}

#[apply(on_each_store)]
async fn a_backfill_goes_no_further_back_than_ledgers_tell(place: Place) {
    let stage = Stage::quiet(&place).await;
    set(&stage, Plan::new(Spec::every(hours(24)), work())).await;
    let backfill = |from| Backfill {
        from,
        until: noon(),
        dry_run: false,
    };
    let early = backfill(noon() - KEEP_LEDGER - seconds(1));
    let refused = stage.engine.backfill_schedule("s", early).await;
    let refused = refused.expect_err("nobody knows what was fired");
    assert_eq!(refused.fields()[0].pointer, "/from");
    assert!(refused.to_string().contains("within the last 30d"), "{refused}");
    let done = stage
        .engine
        .backfill_schedule("s", backfill(noon() - KEEP_LEDGER))
        .await;
    assert_eq!(done.map(|done| done.made), Ok(30));
}

/// An engine on the same store that fares by no rule.
fn other_process(stage: &Stage) -> Engine {
    Engine::builder()
        .clock(Arc::new(stage.clock.clone()))
        .caretaker(false)
        .on(stage.store.behind.clone())
}
