//! Schedules: what of them is the Redis store's own.

use std::collections::BTreeSet;
use std::sync::Arc;

use punctual::change::{Applied, Change, Forget, ScheduleApplied, ScheduleChange};
use punctual::job::{Job, Origin};
use punctual::limits::{FIRED_PER_LOOK, SCRIPT_BYTES, SCRIPT_ITEMS};
use punctual::schedule::{
    AT_ONCE, Cause, Occurrence, OccurrenceKey, Outcome, Plan, Schedule, ScheduleId, ScheduleName, Spec,
    Standing,
};
use punctual::store::redis::RedisStore;
use punctual::store::{Depth, ScheduleRows, Schedules, Store};
use punctual::time::{Timestamp, seconds};
use punctual::{Kind, NewJob};
use redis::Value;

use super::layout::{key, spoil};
use super::server::shared_namespace;
use super::{insert, job, open, tell};

/// A schedule that is to be made, with a payload of so many bytes.
fn schedule_of(name: &str, payload_bytes: usize) -> ScheduleChange {
    let payload = vec![b'x'; payload_bytes];
    let row = Schedule {
        id: ScheduleId(punctual::JobId::named(name).0),
        name: ScheduleName::from(name),
        rev: 0,
        created_at: Timestamp::EPOCH,
        plan: Arc::new(Plan::new(
            Spec::After(seconds(60)),
            NewJob::bytes("test", payload),
        )),
        standing: Standing::new(Timestamp::EPOCH),
    };
    let standing = Standing {
        next: Some(Timestamp::EPOCH + seconds(60)),
        ..row.standing.clone()
    };
    ScheduleChange {
        replans: true,
        ..ScheduleChange::to(&row, standing)
    }
}

fn schedule(name: &str) -> ScheduleChange {
    schedule_of(name, 2)
}

/// A change that makes as many jobs as one may, and tells of them.
fn firing(name: &str) -> ScheduleChange {
    let mut change = schedule(name);
    for number in 0..FIRED_PER_LOOK {
        let job = job(&format!("{name} {number}"));
        let nominal_at = Timestamp::EPOCH + seconds(number as u64);
        change.ledger.push(Occurrence {
            schedule: change.id,
            nominal_at,
            until: nominal_at,
            count: 1,
            at: nominal_at,
            cause: Cause::Planned,
            outcome: Outcome::Fired {
                job: job.id(),
                missed: 0,
            },
        });
        change.jobs.push(job);
    }
    change
}

/// Makes these schedules; answers their rows.
async fn make(store: &RedisStore, changes: &[ScheduleChange]) -> Vec<Schedule> {
    let made = store.change_schedules(changes).await.expect("it takes schedules");
    assert!(
        made.iter().all(|made| *made == ScheduleApplied::Applied),
        "{made:?}"
    );
    changes
        .iter()
        .filter_map(|change| change.becomes.clone())
        .collect()
}

async fn read(store: &RedisStore, which: Schedules) -> ScheduleRows {
    store.schedules(which).await.expect("it reads schedules")
}

fn all() -> Schedules {
    Schedules::All {
        after: None,
        limit: 1_000,
    }
}

/// A job for whose end this schedule waits.
fn waited_for(name: &str, schedule: &Schedule) -> Job {
    let mut job = job(name);
    Arc::make_mut(&mut job.body).origin = Some(Origin {
        schedule: schedule.id,
        name: schedule.name.clone(),
        nominal_at: Timestamp::EPOCH,
        missed: 0,
        pokes: true,
    });
    job
}

/// Does with a schedule all that can be done.
pub(super) async fn live_through_all(store: &RedisStore) {
    let row = make(store, &[firing("a")]).await.remove(0);
    assert_eq!(read(store, all()).await.items, std::slice::from_ref(&row));
    let entry = |second| OccurrenceKey {
        nominal_at: Timestamp::EPOCH + seconds(second),
        triggered: false,
    };
    let change = ScheduleChange {
        drops: vec![entry(7)],
        forget: Some(Forget {
            before: entry(5).nominal_at,
            keep: 10,
        }),
        ..ScheduleChange::to(&row, row.standing.clone())
    };
    let row = make(store, &[change]).await.remove(0);
    let left = store.occurrences(row.id, None, 1_000).await.expect("it reads");
    assert_eq!(left.len(), 10);
    let waited = waited_for("waited for", &row);
    insert(store, std::slice::from_ref(&waited)).await;
    let applied = store.apply(&[Change::delete(&waited)]).await.expect("it ends");
    assert_eq!(applied, [Applied::Applied]);
    let row = read(store, all()).await.items.remove(0);
    assert_eq!(row.standing.next, Some(AT_ONCE));
    make(store, &[ScheduleChange::delete(&row)]).await;
}

#[tokio::test]
async fn a_schedule_that_cannot_be_read_is_named_and_poked_and_harms_no_other() {
    let Some(url) = shared_namespace() else { return };
    let store = open(&url).await;
    let rows = make(&store, &[schedule("bad"), schedule("good")]).await;
    let (bad, good) = (&rows[0], &rows[1]);
    insert(&store, &[waited_for("a", bad)]).await;
    spoil(&url, "sched:", punctual::JobId(bad.id.0)).await;

    let names = Schedules::Named(vec![bad.name.clone(), good.name.clone()]);
    let next = Schedules::Next {
        after: None,
        limit: 10,
    };
    for which in [all(), names, next.clone()] {
        let found = read(&store, which).await;
        assert_eq!(found.items, std::slice::from_ref(good));
        let [unreadable] = &found.unreadable[..] else {
            panic!("one of them: {found:?}");
        };
        assert_eq!((unreadable.id, &unreadable.name), (bad.id, &bad.name));
        assert_eq!(unreadable.next, bad.standing.next);
        assert!(unreadable.why.contains("newer"), "{unreadable:?}");
    }

    // Whoever can read it looks at it as soon as its job has ended.
    let end = Change::delete(&waited_for("a", bad));
    assert_eq!(store.apply(&[end]).await.expect("it ends"), [Applied::Applied]);
    let found = read(&store, next).await;
    assert_eq!(found.unreadable[0].next, Some(AT_ONCE));

    // It cannot be shown to who is late; what else they change stands.
    let late = ScheduleChange::to(bad, bad.standing.clone());
    let error = store.change_schedules(std::slice::from_ref(&late)).await;
    assert_eq!(error.expect_err("it cannot be shown").kind(), Kind::Internal);
    let answers = store
        .change_schedules(&[late, ScheduleChange::delete(good)])
        .await
        .expect("the other change stands");
    assert_eq!(answers, [ScheduleApplied::Stale(None), ScheduleApplied::Applied]);

    let report = store.check(Depth::Quick).await.expect("it checks");
    let note = report.notes.iter().find(|note| note.contains("Schedules"));
    assert!(note.is_some_and(|note| note.contains("bad")), "{report:?}");
}

#[tokio::test]
async fn a_schedule_of_which_next_to_nothing_is_left_harms_no_other() {
    let Some(url) = shared_namespace() else { return };
    let store = open(&url).await;
    let rows = make(&store, &[schedule("bad"), schedule("good")]).await;
    let waited = [waited_for("a", &rows[0]), waited_for("b", &rows[1])];
    insert(&store, &waited).await;
    let client = redis::Client::open(url.split('?').next().unwrap_or(&url)).expect("it is a URL");
    let mut connection = client
        .get_multiplexed_async_connection()
        .await
        .expect("it connects");
    let mut set = redis::cmd("SET");
    set.arg([key(&url, "sched:").as_bytes(), rows[0].id.0.as_bytes()].concat())
        .arg("1?");
    let _: Value = set.query_async(&mut connection).await.expect("it is set");

    let ends: Vec<Change> = waited.iter().map(Change::delete).collect();
    let applied = store.apply(&ends).await.expect("the jobs end");
    assert_eq!(applied, [Applied::Applied, Applied::Applied]);
    let found = read(&store, all()).await;
    assert_eq!(found.items[0].standing.next, Some(AT_ONCE));
    assert_eq!(found.unreadable[0].id, rows[0].id);
    assert_eq!(found.unreadable[0].name, rows[0].name);
}

#[tokio::test]
async fn changes_that_make_many_jobs_are_several_scripts_and_one_answer() {
    let Some(url) = shared_namespace() else { return };
    let store = open(&url).await;
    // Each weighs most of what a script may write; and one more weighs little.
    let mut changes: Vec<ScheduleChange> = (0..5).map(|number| firing(&format!("s{number}"))).collect();
    changes.extend((0..SCRIPT_ITEMS).map(|number| schedule(&format!("t{number:03}"))));
    let rows = make(&store, &changes).await;
    assert_eq!(read(&store, all()).await.items, rows);
    for change in &changes[..5] {
        let ids: Vec<_> = change.jobs.iter().map(Job::id).collect();
        let there = store.fetch(&ids).await.expect("it reads");
        assert!(there.iter().all(Option::is_some));
        let ledger = store.occurrences(change.id, None, 1_000).await.expect("it reads");
        assert!(ledger.iter().rev().eq(&change.ledger));
    }
}

#[tokio::test]
async fn schedules_with_large_payloads_are_read_in_several_answers() {
    let Some(url) = shared_namespace() else { return };
    let store = open(&url).await;
    let names: Vec<String> = (0..9)
        .map(|number| format!("large {number}").replace(' ', "-"))
        .collect();
    let changes: Vec<_> = names
        .iter()
        .map(|name| schedule_of(name, SCRIPT_BYTES / 2))
        .collect();
    let rows = make(&store, &changes).await;
    assert_eq!(read(&store, all()).await.items, rows);
    let first = Schedules::All {
        after: Some(rows[0].name.clone()),
        limit: 7,
    };
    assert_eq!(read(&store, first).await.items, rows[1..8]);
    let twice = [&rows[8].name, &rows[0].name, &rows[8].name].map(Clone::clone);
    let named = read(&store, Schedules::Named(twice.to_vec())).await.items;
    assert_eq!(named, [rows[8].clone(), rows[0].clone(), rows[8].clone()]);
}

#[tokio::test]
async fn a_deleted_schedule_leaves_nothing_behind() {
    let Some(url) = shared_namespace() else { return };
    let store = open(&url).await;
    let keys = async || {
        let Value::Array(keys) = tell(&url, &["KEYS", &key(&url, "*")]).await else {
            panic!("a list of keys");
        };
        keys.into_iter()
            .map(|key| format!("{key:?}"))
            .collect::<BTreeSet<_>>()
    };
    let before = keys().await;
    let mut change = firing("a");
    change.jobs.clear();
    let rows = make(&store, &[change]).await;
    assert_eq!(keys().await.len(), before.len() + 5);
    make(&store, &[ScheduleChange::delete(&rows[0])]).await;
    assert_eq!(keys().await, before);
}
