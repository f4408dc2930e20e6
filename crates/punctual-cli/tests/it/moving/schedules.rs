//! Schedules and their ledgers, moved.

use std::fs;
use std::path::Path;
use std::time::Duration;

use punctual::engine::{Backfill, LedgerPage};
use punctual::schedule::{Calendar, MisfireMode, Occurrence, Overlap, Plan, Spec};
use punctual::{Engine, NewJob, Timestamp};

use super::{assert_same, done, lines, store};
use crate::house::namespace;

/// Longer than anything here takes on a loaded machine.
const DEADLINE: Duration = Duration::from_secs(60);
/// Between two looks at what comes about.
const BETWEEN: Duration = Duration::from_millis(20);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
/// Every so often it fires, whose ledger is long.
const OFTEN: Duration = Duration::from_secs(1200);
/// More of its instants than a page of a ledger has entries, and none so old that it is forgotten.
const MANY: u32 = 1_010;

fn plan(spec: Spec) -> Plan {
    Plan::new(spec, NewJob::new("mail", &7).expect("it is JSON"))
}

fn in_a_runtime<T>(done: impl Future<Output = Result<T, punctual::Error>>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let done = async { tokio::time::timeout(DEADLINE, done).await };
    let done = runtime.block_on(done).expect("it comes about in time");
    done.expect("the store can do it")
}

async fn open(here: &Path, file: &str) -> Result<Engine, punctual::Error> {
    let file = here.join(file);
    Engine::open(&format!("sqlite:{}", file.display())).await
}

/// A store with a schedule of each kind, some of which have fired, and which nobody has open any more.
async fn filled(here: &Path) -> Result<(), punctual::Error> {
    let engine = open(here, "a.db").await?;
    let dates = Calendar::from_json(br#"{"dates":["2030-12-25"]}"#)?;
    engine.set_calendar("feast", &dates, None).await?;
    let now = Timestamp::from_micros(i64::try_from(micros_now()).expect("it is not that late"));
    let mut often = plan(Spec::every(OFTEN));
    often.exclude.calendars = vec!["feast".to_owned()];
    often.overlap = Overlap::Allow;
    engine.set_schedule("often", often, None).await?;
    let mut backfill = Backfill {
        from: now - MANY * OFTEN,
        until: now,
        dry_run: false,
    };
    while let Some(from) = engine.backfill_schedule("often", backfill.clone()).await?.next {
        backfill.from = from;
    }
    let mut nightly = plan(Spec::cron("30 2 * * mon-fri", "Europe/Ljubljana")?);
    nightly.misfire.mode = MisfireMode::All;
    nightly.spread = Some(HOUR);
    engine.set_schedule("nightly", nightly, None).await?;
    engine
        .pause_schedule("nightly", "the printer burns", None)
        .await?;
    engine.trigger_schedule("nightly", None).await?;
    engine
        .set_schedule("at", plan(Spec::at([now + 9_000 * HOUR])), None)
        .await?;
    engine
        .set_schedule("after", plan(Spec::after(SECOND)), None)
        .await?;
    for (name, overlap) in [
        ("tick", Overlap::Allow),
        ("owes", Overlap::BufferOne),
        ("skips", Overlap::Skip),
    ] {
        let mut ticks = plan(Spec::every(SECOND));
        ticks.overlap = overlap;
        engine.set_schedule(name, ticks, None).await?;
    }
    until(async || {
        Ok(ledger(&engine, "tick").await?.len() >= 3 && ledger(&engine, "skips").await?.len() >= 2)
    })
    .await?;
    engine.close().await
}

/// Asks again and again until it is so, or the runtime has waited long enough.
async fn until(is_so: impl AsyncFn() -> Result<bool, punctual::Error>) -> Result<(), punctual::Error> {
    while !is_so().await? {
        tokio::time::sleep(BETWEEN).await;
    }
    Ok(())
}

fn micros_now() -> u128 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.expect("it is later").as_micros()
}

/// What the plan made of its instants, latest first.
async fn ledger(engine: &Engine, name: &str) -> Result<Vec<Occurrence>, punctual::Error> {
    let page = LedgerPage {
        from: None,
        until: None,
        before: None,
        limit: 1_000,
    };
    Ok(engine.occurrences(name, page).await?.items)
}

#[test]
fn schedules_of_every_kind_move_with_their_ledgers_through_every_kind_of_store_and_go_on_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    in_a_runtime(filled(here));
    let told = done(here, "sqlite:a.db", &["export", "a.jsonl"]);
    assert!(told.ends_with(", 1 record and 7 schedules\n"), "{told}");
    let first = lines(here, "a.jsonl");
    let entries = first
        .iter()
        .filter(|line| line.starts_with("{\"occurrence\""))
        .count();
    assert!(entries > 1_000, "{entries}");

    let through = ["postgres", "redis"].into_iter().filter_map(namespace);
    let mut from = "a.jsonl".to_owned();
    for (n, url) in through.chain(["sqlite:b.db".to_owned()]).enumerate() {
        let added = done(here, &url, &["import", &from]);
        assert!(added.ends_with(", 1 record and 7 schedules added\n"), "{added}");
        let again = done(here, &url, &["import", &from]);
        assert!(again.starts_with("0 jobs and 0 records added; "), "{again}");
        from = format!("{n}.jsonl");
        done(here, &url, &["export", &from]);
        let moved = lines(here, &from);
        assert_same(&url, &first[1..], moved[1..].iter().map(String::as_str));
    }

    // Where they came to they go on: each instant once, and none left out.
    let made = in_a_runtime(async {
        let engine = open(here, "b.db").await?;
        let before = engine.schedule("tick").await?.standing.fired;
        until(async || Ok(engine.schedule("tick").await?.standing.fired >= before + 2)).await?;
        let made = ledger(&engine, "tick").await?;
        engine.close().await?;
        Ok(made)
    });
    for pair in made.windows(2) {
        assert_eq!(pair[0].nominal_at, pair[1].until + SECOND, "{made:?}");
    }
}

#[test]
fn an_import_of_a_schedule_that_was_broken_off_goes_on_and_fires_nothing_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    in_a_runtime(filled(here));
    done(here, "sqlite:a.db", &["export", "a.jsonl"]);
    let first = lines(here, "a.jsonl");
    let schedule = |line: &String| line.starts_with("{\"schedule\"") && line.contains("\"name\":\"often\"");
    let place = first.iter().position(schedule).expect("it is there");
    fs::write(here.join("part.jsonl"), first[..place + 300].join("\n")).expect("it is ours");
    let ended = store(here, "sqlite:b.db", &["import", "part.jsonl"]);
    assert_eq!(ended.code, 64, "{ended:?}");
    let row = in_a_runtime(async {
        let engine = open(here, "b.db").await?;
        let row = engine.schedule("often").await?;
        engine.close().await?;
        Ok(row)
    });
    let reason = row.standing.paused.map(|pause| pause.reason);
    assert_eq!(
        (reason.as_deref(), row.standing.next),
        (Some("(being imported)"), None)
    );
    done(here, "sqlite:b.db", &["import", "a.jsonl"]);
    done(here, "sqlite:b.db", &["export", "b.jsonl"]);
    let again = lines(here, "b.jsonl");
    let often = |lines: &[String]| lines.iter().find(|line| schedule(line)).cloned();
    assert_eq!(often(&first), often(&again));

    // Another schedule of the name stays, and so does one whose plan was changed there.
    for (change, to, told) in [
        (
            "\"schedule\":{\"id\":\"0",
            "\"schedule\":{\"id\":\"1",
            "another schedule has the name often",
        ),
        (
            "\"every\":\"20m\"",
            "\"every\":\"2h\"",
            "has another plan here, which stays",
        ),
    ] {
        let other = first[place].replacen(change, to, 1);
        assert_ne!(other, first[place], "{}", first[place]);
        let text = [
            &*first[0],
            &*other,
            "{\"end\":{\"records\":0,\"jobs\":0,\"schedules\":1}}",
        ]
        .join("\n");
        fs::write(here.join("other.jsonl"), text).expect("it is ours");
        let refused = store(here, "sqlite:b.db", &["import", "other.jsonl"]);
        assert_eq!(refused.code, 65, "{refused:?}");
        assert!(
            refused.stderr.contains("other.jsonl:2:") && refused.stderr.contains(told),
            "{refused:?}"
        );
    }
}
