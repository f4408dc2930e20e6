//! What a newer version, or somebody's hand, left in the file and this version cannot read: it harms only itself.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use punctual::clock::ManualClock;
use punctual::job::{Job, State};
use punctual::limits::{LEASE_MAX, UNREADABLE_DELAY};
use punctual::queue::{QueueName, QueueSettings};
use punctual::run::{Claim, ClaimFrom, Claimed, Outcome, RunId, SettleVerdict, Settlement};
use punctual::schedule::{Calendar, Exclusions, Overlap, Plan, Spec};
use punctual::source::Source;
use punctual::store::sqlite::{SqliteOptions, SqliteStore};
use punctual::store::{Depth, Filter, Page, Store};
use punctual::testing::FaultyStore;
use punctual::time::{Timestamp, minutes, seconds};
use punctual::{Engine, JobId, Kind, NewJob};

use super::{claim, connect, count, folder, insert, job, open};
use crate::rows::{a_bad_schedule_harms_only_itself, bad_rows_at_the_head_are_got_through, claim_by_name};
use crate::stage::advance;

/// Changes the row of this job so that it cannot be read.
fn spoil(path: &Path, name: &str, how: &str) {
    let sql = format!("update jobs set {how} where id = ?1");
    let changed = connect(path).execute(&sql, [JobId::named(name).0.as_bytes()]);
    assert_eq!(changed, Ok(1));
}

/// The `rev` and the due instant that the file holds for this job.
fn rev_and_due(path: &Path, name: &str) -> (i64, Timestamp) {
    let id = JobId::named(name);
    let read = connect(path).query_row(
        "select rev, due from jobs where id = ?1 and state = 0",
        [id.0.as_bytes()],
        |row| Ok((row.get(0)?, Timestamp::from_micros(row.get(1)?))),
    );
    read.expect("it waits")
}

#[tokio::test]
async fn a_due_row_that_cannot_be_read_is_put_off_and_keeps_no_other_from_its_turn() {
    let folder = folder();
    let path = folder.path().join("jobs.db");
    let clock = punctual::clock::ManualClock::new(Timestamp::EPOCH + seconds(1), 7);
    let options = SqliteOptions {
        clock: Arc::new(clock.clone()),
        ..SqliteOptions::default()
    };
    let store = SqliteStore::open(&path, options).await.expect("the file opens");
    insert(&store, &["a", "b", "c"].map(job)).await;
    for bad in ["a", "b"] {
        spoil(&path, bad, "options = '{\"on_lost\":\"telephone\"}', run = 7");
    }
    let claimed = claim(&store, 3).await;
    let ids: Vec<JobId> = claimed.jobs.iter().map(Job::id).collect();
    assert_eq!(ids, [JobId::named("c")]);
    let due = Timestamp::EPOCH + seconds(1) + UNREADABLE_DELAY;
    assert_eq!(claimed.next_due, Some(due), "a process that can read it may");
    assert_eq!(rev_and_due(&path, "a"), (2, due));
    assert_eq!(rev_and_due(&path, "b"), (2, due));
    assert_eq!(count(&store, State::Waiting).await, 2);
    assert_eq!(count(&store, State::Running).await, 1);

    clock.advance(UNREADABLE_DELAY);
    spoil(&path, "a", "options = null");
    let jobs = claim(&store, 3).await.jobs;
    assert_eq!((jobs.len(), jobs[0].id()), (1, JobId::named("a")));
    assert_eq!(jobs[0].status.attempt, 1, "it was never begun");
}

#[tokio::test]
async fn a_line_that_begins_with_many_rows_that_cannot_be_read_is_got_through() {
    let folder = folder();
    let path = folder.path().join("jobs.db");
    let store = open(&path).await;
    bad_rows_at_the_head_are_got_through(&store, async |name| spoil(&path, name, "tags = '{'")).await;
}

#[tokio::test]
async fn a_claim_by_ids_passes_over_what_cannot_be_read() {
    let folder = folder();
    let path = folder.path().join("jobs.db");
    let store = open(&path).await;
    insert(&store, &["a", "b"].map(job)).await;
    spoil(&path, "a", "tags = '{'");
    let jobs = claim_by_name(&store, &["a", "b"]).await;
    assert_eq!((jobs.len(), jobs[0].id()), (1, JobId::named("b")));
}

#[tokio::test]
async fn overdue_rows_that_cannot_be_read_take_no_others_place() {
    let folder = folder();
    let path = folder.path().join("jobs.db");
    let store = open(&path).await;
    let names = ["a", "b", "c", "d", "e", "f"];
    insert(&store, &names.map(job)).await;
    for (alarm, name) in names.iter().enumerate() {
        let tags = if alarm < 4 { "'{'" } else { "null" };
        spoil(&path, name, &format!("tags = {tags}, alarm = {}", alarm + 1));
    }
    let overdue = store.overdue(1, None).await.expect("the store reads");
    let ids: Vec<JobId> = overdue.jobs.iter().map(Job::id).collect();
    assert_eq!(ids, [JobId::named("e")]);
    assert_eq!(overdue.next, Some(Timestamp::from_micros(6)));
}

#[tokio::test]
async fn a_check_tells_of_a_lost_run_whose_row_cannot_be_read_and_which_nobody_takes_back() {
    let folder = folder();
    let path = folder.path().join("jobs.db");
    let clock = punctual::clock::ManualClock::new(Timestamp::EPOCH + seconds(1), 7);
    let options = SqliteOptions {
        clock: Arc::new(clock.clone()),
        ..SqliteOptions::default()
    };
    let store = SqliteStore::open(&path, options).await.expect("the file opens");
    insert(&store, &["a", "b"].map(job)).await;
    assert_eq!(claim(&store, 2).await.jobs.len(), 2);
    spoil(&path, "a", "tags = '{'");
    let notes = store
        .check(Depth::Quick)
        .await
        .expect("it answers")
        .notes
        .join(" ");
    assert!(
        !notes.contains("cannot be read"),
        "it is not overdue yet: {notes}"
    );
    clock.advance(LEASE_MAX);
    let notes = store
        .check(Depth::Quick)
        .await
        .expect("it answers")
        .notes
        .join(" ");
    let id = JobId::named("a").to_string();
    assert!(
        notes.contains("cannot be read: 1, ") && notes.contains(&id),
        "{notes}"
    );
    spoil(&path, "a", "tags = null");
    let notes = store.check(Depth::Quick).await.expect("it answers").notes;
    assert_eq!(notes.len(), 1, "{notes:?}");
}

/// Claims what is due in these queues.
async fn claim_from(engine: &Engine, queues: &[&str]) -> Claimed {
    let wish = Claim {
        worker: "w".into(),
        from: ClaimFrom::Queues(queues.iter().map(|queue| QueueName::from(*queue)).collect()),
        max: 9,
        lease: seconds(60),
        now: None,
    };
    let claimed = engine.claim(wish, seconds(0)).await;
    claimed.expect("the store gives jobs")
}

#[tokio::test]
async fn a_run_whose_row_cannot_be_read_keeps_no_other_from_being_settled() {
    let folder = folder();
    let path = folder.path().join("jobs.db");
    let engine = Engine::builder().caretaker(false).on(Arc::new(open(&path).await));
    let ids = ["a", "b", "c"].map(JobId::named);
    for id in ids {
        let new = NewJob::bytes("work", "{}").id(id);
        engine.enqueue(new).await.expect("it is stored");
    }
    let mut jobs = claim_from(&engine, &["default"]).await.jobs;
    jobs.sort_by_key(|job| ids.iter().position(|id| *id == job.id()));
    spoil(&path, "b", "tags = '{', rev = rev + 1");
    let settlements = jobs.iter().map(|job| Settlement {
        id: RunId {
            job: job.id(),
            run: job.status.run,
        },
        outcome: Outcome::Done(Bytes::from_static(b"1")),
        claimed: Some(job.clone()),
    });
    let verdicts = engine.settle(settlements.collect()).await;
    let [settled, refused] = [SettleVerdict::Settled, SettleVerdict::Refused];
    assert_eq!(verdicts, Ok(vec![settled, refused, settled]));
    let bad = engine.fetch(ids[1]).await.map_err(|error| error.kind());
    assert_eq!(bad, Err(Kind::Internal));
}

#[tokio::test]
async fn settings_that_cannot_be_read_hold_up_their_own_queue_only_until_they_are_set_anew() {
    let folder = folder();
    let path = folder.path().join("jobs.db");
    let engine = Engine::builder().caretaker(false).on(Arc::new(open(&path).await));
    let limited = QueueSettings {
        max_running: Some(5),
        ..QueueSettings::default()
    };
    for queue in ["bad", "good"] {
        let set = engine.set_queue(queue, limited.clone(), None).await;
        set.expect("it is set");
        let new = NewJob::bytes("work", "{}").queue(queue);
        engine.enqueue(new).await.expect("it is stored");
    }
    let changed = connect(&path).execute(
        "update records set rev = rev + 1, document = ?1 where name = 'bad'",
        [br#"{"max_running": "many"}"#],
    );
    assert_eq!(changed, Ok(1));

    let jobs = claim_from(&engine, &["bad", "good"]).await.jobs;
    let queues: Vec<&str> = jobs.iter().map(|job| job.body.queue.as_str()).collect();
    assert_eq!(queues, ["good"]);
    assert_eq!(engine.queue("good").await, Ok((limited.clone(), 1)));
    assert_eq!(engine.queue("bad").await, Ok((QueueSettings::unreadable(), 2)));

    assert_eq!(engine.set_queue("bad", limited, Some(2)).await, Ok(3));
    assert_eq!(claim_from(&engine, &["bad", "good"]).await.jobs.len(), 1);
}

#[tokio::test]
async fn a_row_that_cannot_be_read_keeps_nobody_from_the_others() {
    let folder = folder();
    let path = folder.path().join("jobs.db");
    let store = open(&path).await;
    insert(&store, &["a", "b", "c"].map(job)).await;
    let newer = r#"[{"attempt":1,"run":1,"started":1,"ended":2,"outcome":"evicted"}]"#;
    spoil(&path, "a", "tags = '{', alarm = 1");
    spoil(&path, "b", &format!("history = '{newer}', alarm = 2"));

    let overdue = store.overdue(10, None).await.expect("the store reads");
    let ids: Vec<JobId> = overdue.jobs.iter().map(Job::id).collect();
    assert_eq!((ids, overdue.next), (vec![JobId::named("b")], None));
    let page = Page {
        limit: 10,
        after: None,
    };
    let listed = store
        .list(Filter::default(), page)
        .await
        .expect("the store reads");
    let mut names: Vec<JobId> = listed.items.iter().map(|head| head.id).collect();
    names.sort_unstable();
    let mut readable = ["b", "c"].map(JobId::named);
    readable.sort_unstable();
    assert_eq!(names, readable);
    let error = store
        .fetch(&[JobId::named("a")])
        .await
        .expect_err("it cannot be read");
    assert_eq!(error.kind(), Kind::Internal);
}

#[tokio::test]
async fn a_schedule_that_cannot_be_read_is_told_and_harms_only_itself() {
    let folder = folder();
    let path = folder.path().join("jobs.db");
    let store = open(&path).await;
    a_bad_schedule_harms_only_itself(&store, async |name| {
        let sql =
            r#"update schedules set plan = replace(plan, '"spec"', '"weather":1,"spec"') where name = ?1"#;
        assert_eq!(connect(&path).execute(sql, [name]), Ok(1));
    })
    .await;
}

#[tokio::test]
async fn an_import_of_a_schedule_that_is_there_and_cannot_be_read_says_that_it_stays() {
    let folder = folder();
    let path = folder.path().join("jobs.db");
    let engine = Engine::builder().caretaker(false).on(Arc::new(open(&path).await));
    let plan = Plan::new(Spec::every(minutes(1)), NewJob::bytes("work", "{}"));
    let set = engine.set_schedule("bad", plan, None).await;
    let (row, _) = set.expect("it is set");
    let sql =
        "update schedules set plan = replace(plan, '\"spec\"', '\"weather\":1,\"spec\"') where name = 'bad'";
    assert_eq!(connect(&path).execute(sql, []), Ok(1));
    let error = engine.import_schedule(row).await.expect_err("it is there");
    assert_eq!(error.kind(), Kind::Conflict);
    assert!(error.to_string().contains("cannot be read here"), "{error}");
}

#[tokio::test]
async fn a_schedule_that_cannot_be_read_keeps_no_other_from_being_fired() {
    let folder = folder();
    let path = folder.path().join("jobs.db");
    let clock = ManualClock::new("2026-06-01T12:00:00Z".parse().expect("an instant"), 7);
    let store = FaultyStore::new(Arc::new(open(&path).await)).on_clock(Arc::new(clock.clone()));
    let store = Arc::new(store);
    let engine = Engine::builder().clock(Arc::new(clock.clone())).on(store.clone());
    for name in ["bad", "good"] {
        let plan = Plan {
            overlap: Overlap::Allow,
            ..Plan::new(Spec::every(minutes(1)), NewJob::bytes("work", "{}"))
        };
        let set = engine.set_schedule(name, plan, None).await;
        set.expect("it is set");
    }
    let sql =
        "update schedules set plan = replace(plan, '\"spec\"', '\"weather\":1,\"spec\"') where name = 'bad'";
    assert_eq!(connect(&path).execute(sql, []), Ok(1));
    advance(&clock, &store, minutes(3) + seconds(30)).await;
    let good = engine.schedule("good").await.expect("it can be read");
    assert_eq!((good.standing.fired, engine.totals().overdue), (3, 1));
    let bad = engine.schedule("bad").await;
    assert_eq!(bad.map_err(|error| error.kind()), Err(Kind::Internal));
    let listed = engine.schedules(None, 1).await.expect("the store answers");
    assert_eq!((listed.unreadable.len(), listed.next), (1, Some("bad".into())));
    let said = engine
        .explain_schedule("bad")
        .await
        .expect("it is there")
        .join(" ");
    assert!(
        said.starts_with("It cannot be read by this version of Punctual"),
        "{said}"
    );
    let stale = engine.delete_schedule("bad", Some(2)).await;
    assert_eq!(stale.map_err(|error| error.version_there()), Err(Some(1)));
    assert_eq!(engine.delete_schedule("bad", Some(1)).await, Ok(()));
    let gone = engine.schedule("bad").await;
    assert_eq!(gone.map_err(|error| error.kind()), Err(Kind::NotFound));
}

/// A calendar of this name, which a newer version wrote.
fn write_newer_calendar(path: &Path, name: &str) {
    let sql = r#"update records set document = cast('{"days":[]}' as blob), rev = rev + 1 where kind = 'calendar' and name = ?1"#;
    assert_eq!(connect(path).execute(sql, [name]), Ok(1));
}

fn resting(calendar: &str) -> Plan {
    Plan {
        overlap: Overlap::Allow,
        exclude: Exclusions {
            calendars: vec![calendar.to_owned()],
            ..Exclusions::default()
        },
        ..Plan::new(Spec::every(minutes(1)), NewJob::bytes("work", "{}"))
    }
}

#[tokio::test]
async fn what_rests_by_a_calendar_that_cannot_be_read_waits_until_that_is_set_anew() {
    let folder = folder();
    let path = folder.path().join("jobs.db");
    let clock = ManualClock::new("2026-06-01T12:00:00Z".parse().expect("an instant"), 7);
    let store = FaultyStore::new(Arc::new(open(&path).await)).on_clock(Arc::new(clock.clone()));
    let store = Arc::new(store);
    let engine = Engine::builder().clock(Arc::new(clock.clone())).on(store.clone());
    let feast = Calendar {
        dates: ["2026-12-25".parse().expect("a date")].into(),
    };
    for (name, calendar) in [("bad", "feasts"), ("good", "sales")] {
        assert_eq!(engine.set_calendar(calendar, &feast, None).await, Ok(1));
        let set = engine.set_schedule(name, resting(calendar), None).await;
        set.expect("it is set");
    }
    write_newer_calendar(&path, "feasts");
    advance(&clock, &store, minutes(1) + seconds(20)).await;
    let fired = async |name: &str| engine.schedule(name).await.map(|row| row.standing.fired);
    assert_eq!((fired("bad").await, fired("good").await), (Ok(0), Ok(1)));
    assert_eq!(engine.totals().overdue, 1);

    let said = engine.explain_schedule("bad").await.expect("it is there");
    assert!(said[1].starts_with("Calendar feasts cannot be read"), "{said:?}");
    let held = engine.pause_schedule("bad", "", None).await;
    let held = held.expect_err("nobody knows what came due");
    assert!(held.to_string().contains("set it anew, or delete it"), "{held}");
    let unknown = engine.preview(&resting("feasts"), None, 1).await;
    assert_eq!(unknown.map_err(|error| error.kind()), Err(Kind::Internal));
    let refused = engine.set_schedule("third", resting("feasts"), None).await;
    assert_eq!(refused.map_err(|error| error.kind()), Err(Kind::Internal));
    let row = engine.schedule("bad").await.expect("it is there");
    let calendars = engine.calendars_of(std::slice::from_ref(&row)).await;
    assert_eq!(calendars.map(|known| row.next_nominal(&known)), Ok(None));

    assert_eq!(engine.set_calendar("feasts", &feast, None).await, Ok(3));
    advance(&clock, &store, seconds(10)).await;
    assert_eq!(fired("bad").await, Ok(1));
    assert_eq!(engine.totals().overdue, 0);
}
