//! What is asked of schedules: to be made, changed, held, run out of turn, listed and deleted.

use macro_rules_attribute::apply;
use punctual::engine::{Backfill, Backfilled, Upsert};
use punctual::schedule::cron::{Cron, Gap};
use punctual::schedule::{Calendar, Exclusions};
use punctual::testing::{Call, Fate};
use punctual::{Error, Kind, hours};

use super::*;
use crate::stores::{Place, on_each_store};

#[apply(on_each_store)]
async fn the_same_plan_again_changes_nothing_and_another_one_is_an_edit(place: Place) {
    let stage = Stage::quiet(&place).await;
    let (made, upsert) = stage
        .engine
        .set_schedule("s", minutely(), Some(0))
        .await
        .expect("it is made");
    assert_eq!((upsert, made.rev), (Upsert::Created, 1));
    let again = stage.engine.set_schedule("s", minutely(), None).await;
    assert_eq!(again, Ok((made.clone(), Upsert::Unchanged)));
    let other = Plan::new(Spec::every(minutes(5)), work());
    let (changed, upsert) = stage
        .engine
        .set_schedule("s", other.clone(), Some(1))
        .await
        .expect("it is changed");
    assert_eq!((upsert, changed.id, changed.rev), (Upsert::Changed, made.id, 2));
    assert_eq!(stage.engine.schedule("s").await, Ok(changed));
    let late = stage.engine.set_schedule("s", minutely(), Some(1)).await;
    assert_eq!(late.map_err(|error| error.version_there()), Err(Some(2)));
    let late = stage.engine.set_schedule("s", minutely(), Some(0)).await;
    assert_eq!(late.map_err(|error| error.kind()), Err(Kind::Conflict));
}

/// What an operator is told whose change is done, while its answer is lost; the row is locked as long as the server is about it.
async fn told_late<T: Send + 'static>(stage: &Stage, asked: impl Future<Output = T> + Send + 'static) -> T {
    let mut calls = 0;
    stage.store.rule(move |call| match call {
        Call::ChangeSchedules(_) => {
            calls += 1;
            match calls {
                1 => Fate::Lose(Error::unknown("the connection broke")),
                2 | 3 => Fate::RefuseEach(Error::locked("another transaction has locked it")),
                _ => Fate::Pass,
            }
        }
        _ => Fate::Pass,
    });
    let asked = tokio::spawn(asked);
    stage.advance_until("the answer", || asked.is_finished()).await;
    asked.await.expect("it does not panic")
}

#[apply(on_each_store)]
async fn a_change_whose_answer_is_lost_while_its_row_is_locked_is_known_to_be_ones_own(place: Place) {
    let stage = Stage::quiet(&place).await;
    let engine = stage.engine.clone();
    let made = told_late(&stage, async move {
        engine.set_schedule("s", minutely(), Some(0)).await
    });
    let (made, upsert) = made.await.expect("it is made");
    assert_eq!((upsert, made.rev), (Upsert::Created, 1));
    let engine = stage.engine.clone();
    let other = Plan::new(Spec::every(minutes(5)), work());
    let changed = told_late(
        &stage,
        async move { engine.set_schedule("s", other, Some(1)).await },
    );
    let (changed, upsert) = changed.await.expect("it is changed");
    assert_eq!((upsert, changed.rev), (Upsert::Changed, 2));
    let engine = stage.engine.clone();
    let deleted = told_late(&stage, async move { engine.delete_schedule("s", Some(2)).await });
    assert_eq!(deleted.await, Ok(()));
    let none = stage.engine.schedule("s").await;
    assert_eq!(none.map_err(|error| error.kind()), Err(Kind::NotFound));
}

#[apply(on_each_store)]
async fn a_plan_that_cannot_be_is_refused_with_where_it_is_wrong(place: Place) {
    let stage = Stage::quiet(&place).await;
    let bad = Plan {
        max_runs: Some(0),
        exclude: Exclusions {
            calendars: (0..17).map(|n| format!("calendar-{n}")).collect(),
            ..Exclusions::default()
        },
        ..Plan::new(Spec::every(Duration::ZERO), work().priority(77))
    };
    let refused = stage.engine.set_schedule("s", bad, None).await;
    let refused = refused.expect_err("it cannot be");
    let pointers: Vec<&str> = refused.fields().iter().map(|f| f.pointer.as_str()).collect();
    assert_eq!(refused.kind(), Kind::Invalid);
    assert_eq!(
        pointers,
        ["/every", "/max_runs", "/exclude/calendars", "/job/priority"]
    );
    // At half past two on the day on which the clocks of its zone leave that out.
    let never = Cron {
        pattern: "30 2 * 3 0L".parse().expect("it is a pattern"),
        zone: "Europe/Ljubljana".parse().expect("it is a zone"),
        gap: Gap::Skip,
        fold: Default::default(),
    };
    let never = Plan::new(Spec::Cron(never), work());
    let refused = stage.engine.set_schedule("s", never, None).await;
    let refused = refused.expect_err("nothing comes of it");
    assert!(
        refused.to_string().contains("left out by the clocks"),
        "{refused}"
    );
    let unnamed = stage.engine.set_schedule("no spaces", minutely(), None).await;
    assert_eq!(unnamed.map_err(|error| error.kind()), Err(Kind::Invalid));
    let none = stage.engine.schedule("s").await;
    assert_eq!(none.map_err(|error| error.kind()), Err(Kind::NotFound));
}

#[apply(on_each_store)]
async fn what_comes_due_in_a_pause_is_skipped(place: Place) {
    let stage = Stage::with_caretaker(&place).await;
    set(&stage, minutely()).await;
    stage.advance(minutes(2)).await;
    let paused = stage.engine.pause_schedule("s", "the shop is closed", None).await;
    assert_eq!(paused.map(|row| row.standing.next), Ok(None));
    stage.advance(minutes(3)).await;
    let resumed = stage.engine.resume_schedule("s", None).await.expect("it goes on");
    assert_eq!(resumed.standing.next, Some(noon() + minutes(6)));
    let again = stage.engine.resume_schedule("s", None).await;
    assert_eq!(again, Ok(resumed));
    stage.advance(minutes(1)).await;
    assert_eq!(
        told(&stage.engine).await,
        ["1 fired", "2 fired", "3-5 paused", "6 fired"]
    );
}

#[apply(on_each_store)]
async fn an_edit_loses_no_instant_and_fires_none_twice(place: Place) {
    let stage = Stage::with_caretaker(&place).await;
    set(&stage, minutely()).await;
    stage.advance(minutes(3)).await;
    let halves = Plan {
        overlap: Overlap::Allow,
        ..Plan::new(Spec::every(minutes(2)), work())
    };
    set(&stage, halves).await;
    stage.advance(minutes(3)).await;
    assert_eq!(
        told(&stage.engine).await,
        ["1 fired", "2 fired", "3 fired", "4 fired", "6 fired"]
    );
}

#[apply(on_each_store)]
async fn a_run_out_of_turn_is_made_once_under_one_id(place: Place) {
    let stage = Stage::with_caretaker(&place).await;
    set(&stage, minutely()).await;
    stage
        .engine
        .pause_schedule("s", "", None)
        .await
        .expect("it is held");
    let id = JobId::named("by hand");
    assert_eq!(stage.engine.trigger_schedule("s", Some(id)).await, Ok(id));
    assert_eq!(stage.engine.trigger_schedule("s", Some(id)).await, Ok(id));
    let other = stage
        .engine
        .trigger_schedule("s", None)
        .await
        .expect("it is made");
    assert_ne!(other, id);
    let jobs = claim_all(&stage).await;
    assert_eq!(jobs.len(), 2);
    assert!(jobs.iter().all(|job| nominal(job) == noon()));
    let mine = stage.engine.enqueue(work()).await.expect("it is stored").id();
    let taken = stage.engine.trigger_schedule("s", Some(mine)).await;
    assert_eq!(taken.map_err(|error| error.kind()), Err(Kind::Conflict));
}

#[apply(on_each_store)]
async fn a_schedule_that_is_deleted_fires_nothing_more_and_leaves_its_jobs(place: Place) {
    let stage = Stage::with_caretaker(&place).await;
    let there = set(&stage, minutely()).await;
    stage.advance(minutes(1)).await;
    let late = stage.engine.delete_schedule("s", Some(there.rev)).await;
    assert_eq!(late.map_err(|error| error.kind()), Err(Kind::Conflict));
    assert_eq!(stage.engine.delete_schedule("s", None).await, Ok(()));
    stage.advance(minutes(2)).await;
    assert_eq!(claim_all(&stage).await.len(), 1);
    let gone = stage.engine.delete_schedule("s", None).await;
    assert_eq!(gone.map_err(|error| error.kind()), Err(Kind::NotFound));
    let again = set(&stage, minutely()).await;
    assert_ne!(again.id, there.id);
    assert_eq!(told(&stage.engine).await, Vec::<String>::new());
}

#[apply(on_each_store)]
async fn schedules_are_listed_page_by_page_by_their_names(place: Place) {
    let stage = Stage::quiet(&place).await;
    for name in ["c", "a", "b"] {
        let set = stage.engine.set_schedule(name, minutely(), None).await;
        set.expect("it is set");
    }
    let mut names = Vec::new();
    let mut after = None;
    loop {
        let page = stage.engine.schedules(after, 2).await.expect("the store answers");
        names.extend(page.items.iter().map(|row| row.name.to_string()));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(names, ["a", "b", "c"]);
}

#[apply(on_each_store)]
async fn a_ledger_is_read_page_by_page_and_between_two_instants(place: Place) {
    let stage = Stage::with_caretaker(&place).await;
    set(&stage, minutely()).await;
    stage.advance(minutes(10)).await;
    let mut page = LedgerPage {
        from: Some(noon() + minutes(4)),
        until: Some(noon() + minutes(8)),
        before: None,
        limit: 2,
    };
    let mut read = Vec::new();
    loop {
        let ledger = stage.engine.occurrences("s", page.clone()).await;
        let ledger = ledger.expect("the store answers");
        read.extend(ledger.items.iter().map(|entry| minute(entry.nominal_at)));
        page.before = ledger.next;
        if page.before.is_none() {
            break;
        }
    }
    assert_eq!(read, [8, 7, 6, 5, 4]);
}

#[apply(on_each_store)]
async fn schedules_go_by_a_calendar_as_soon_as_it_is_set(place: Place) {
    let stage = Stage::with_caretaker(&place).await;
    let engine = &stage.engine;
    let tomorrow = Calendar {
        dates: ["2026-06-02".parse().expect("a date")].into(),
    };
    let daily = Plan {
        exclude: Exclusions {
            calendars: vec!["holidays".to_owned()],
            ..Exclusions::default()
        },
        ..Plan::new(Spec::cron("0 9 * * *", "UTC").expect("it is a pattern"), work())
    };
    set(&stage, daily.clone()).await;
    let next = || async { engine.schedule("s").await.map(|row| row.standing.next) };
    let morning = noon() + hours(21);
    assert_eq!(next().await, Ok(Some(morning)));
    assert_eq!(engine.set_calendar("holidays", &tomorrow, Some(0)).await, Ok(1));
    assert_eq!(next().await, Ok(Some(morning + hours(24))));
    assert_eq!(engine.calendar("holidays").await, Ok((tomorrow, 1)));
    assert_eq!(engine.calendars().await, Ok(vec![("holidays".to_owned(), 1)]));
    let late = engine
        .set_calendar("holidays", &Calendar::default(), Some(0))
        .await;
    assert_eq!(late.map_err(|error| error.version_there()), Err(Some(1)));
    assert_eq!(engine.delete_calendar("holidays", None).await, Ok(()));
    assert_eq!(next().await, Ok(Some(morning)));
    let gone = engine.delete_calendar("holidays", None).await;
    assert_eq!(gone.map_err(|error| error.kind()), Err(Kind::NotFound));
}

#[apply(on_each_store)]
async fn what_was_skipped_is_made_up_for_while_the_schedule_fires(place: Place) {
    let stage = Stage::with_caretaker(&place).await;
    set(&stage, minutely()).await;
    stage
        .engine
        .pause_schedule("s", "", None)
        .await
        .expect("it is held");
    stage.advance(minutes(5)).await;
    stage.engine.resume_schedule("s", None).await.expect("it goes on");
    stage.advance(minutes(1)).await;
    let backfill = Backfill {
        from: noon() - minutes(1),
        until: noon() + minutes(3),
        dry_run: true,
    };
    let counted = stage.engine.backfill_schedule("s", backfill.clone()).await;
    let done = Backfilled {
        made: 5,
        left: 0,
        next: None,
    };
    assert_eq!(counted, Ok(done));
    assert_eq!(told(&stage.engine).await, ["1-5 paused", "6 fired"]);
    let wet = Backfill {
        dry_run: false,
        ..backfill
    };
    assert_eq!(stage.engine.backfill_schedule("s", wet.clone()).await, Ok(done));
    let nothing = Backfilled { made: 0, ..done };
    assert_eq!(stage.engine.backfill_schedule("s", wet).await, Ok(nothing));
    stage.advance(minutes(1)).await;
    let jobs = claim_all(&stage).await;
    assert_eq!(jobs.len(), 7);
    let page = LedgerPage {
        from: Some(noon() + seconds(1)),
        until: None,
        before: None,
        limit: PAGE_ITEMS,
    };
    let ledger = stage
        .engine
        .occurrences("s", page)
        .await
        .expect("the store answers");
    let places = ledger.items.iter().map(|entry| entry.count).sum::<u64>();
    assert_eq!((ledger.items.len(), places), (6, 7));
}

#[apply(on_each_store)]
async fn a_schedule_says_when_it_fires_and_what_holds_it(place: Place) {
    let stage = Stage::with_caretaker(&place).await;
    let explain = || async {
        stage
            .engine
            .explain_schedule("s")
            .await
            .expect("it is there")
            .join(" ")
    };
    let none = stage.engine.explain_schedule("s").await;
    assert_eq!(none.map_err(|error| error.kind()), Err(Kind::NotFound));
    set(&stage, with_overlap(Overlap::BufferOne)).await;
    assert_eq!(
        explain().await,
        "It fires every minute. It fires next at 2026-06-01 12:01 UTC, in 1m."
    );
    stage.advance(minutes(2)).await;
    assert_eq!(
        explain().await,
        "It fires every minute. It has made 1 run, the last one for 2026-06-01 12:01 UTC. As of its last look, 1 run of it had not \
         ended: one instant that comes meanwhile is fired when it has ended, others are skipped. The instant \
         2026-06-01 12:02 UTC waits for that."
    );
    stage
        .engine
        .pause_schedule("s", "the shop is closed", None)
        .await
        .expect("it is held");
    let held = explain().await;
    assert!(
        held.contains("paused since 2026-06-01 12:02 UTC (the shop is closed)"),
        "{held}"
    );
}

#[apply(on_each_store)]
async fn a_schedule_says_when_its_next_job_is_due_and_not_when_somebody_looks(place: Place) {
    let stage = Stage::with_caretaker(&place).await;
    set(&stage, with_overlap(Overlap::Skip)).await;
    stage.advance(minutes(1)).await;
    let hourly = Plan {
        spread: Some(minutes(10)),
        ..Plan::new(Spec::every(hours(1)), work())
    };
    let row = set(&stage, hourly).await;
    assert!(
        row.standing.next < Some(noon() + minutes(2)),
        "whether its live run ends is looked for"
    );
    let said = stage.engine.explain_schedule("s").await;
    let said = said.expect("it is there").join(" ");
    let at_one = said.contains("It fires next at 2026-06-01 13:0");
    assert!(at_one && !said.contains("at 2026-06-01 13:00 UTC"), "{said}");
}

#[apply(on_each_store)]
async fn a_schedule_that_no_node_fires_says_so(place: Place) {
    let stage = Stage::quiet(&place).await;
    set(&stage, minutely()).await;
    leap(&stage, minutes(5));
    let said = stage
        .engine
        .explain_schedule("s")
        .await
        .expect("it is there")
        .join(" ");
    assert!(
        said.contains("It is overdue since 2026-06-01 12:01 UTC: no node fires it."),
        "{said}"
    );
}
