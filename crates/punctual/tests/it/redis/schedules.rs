//! Schedules: what of them is the Redis store's own.

use std::collections::BTreeSet;
use std::sync::Arc;

use punctual::JobId;
use punctual::change::{Applied, Change, Forget, ScheduleApplied, ScheduleChange};
use punctual::job::Job;
use punctual::limits::{FIRED_PER_LOOK, SCRIPT_BYTES, SCRIPT_ITEMS};
use punctual::schedule::{AT_ONCE, Cause, Occurrence, OccurrenceKey, Outcome, Plan, Schedule};
use punctual::store::{ScheduleRows, Schedules, Store};
use punctual::time::{Timestamp, seconds};
use redis::Value;
use redis::aio::MultiplexedConnection;

use super::layout::{key, spoil};
use super::server::shared_namespace;
use super::{insert, job, open, tell};
use crate::rows::{a_bad_schedule_harms_only_itself, job_for, looks, make, making, schedule};

/// A change that makes as many jobs as one may, and tells of them.
fn firing(name: &str) -> ScheduleChange {
    let mut change = making(&schedule(name));
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

/// Makes these changes; answers the rows that they lead to.
async fn change(store: &dyn Store, changes: &[ScheduleChange]) -> Vec<Schedule> {
    let changed = store.change_schedules(changes).await.expect("it takes schedules");
    assert_eq!(changed, vec![ScheduleApplied::Applied; changes.len()]);
    changes
        .iter()
        .filter_map(|change| change.becomes.clone())
        .collect()
}

async fn read(store: &dyn Store, which: Schedules) -> ScheduleRows {
    store.schedules(which).await.expect("it reads schedules")
}

fn all() -> Schedules {
    Schedules::All {
        after: None,
        limit: 1_000,
    }
}

/// Does with a schedule all that can be done.
pub(super) async fn live_through_all(store: &dyn Store) {
    let row = change(store, &[firing("a")]).await.remove(0);
    assert_eq!(read(store, all()).await.items, std::slice::from_ref(&row));
    let entry = |second| OccurrenceKey {
        nominal_at: Timestamp::EPOCH + seconds(second),
        triggered: false,
    };
    let dropping = ScheduleChange {
        drops: vec![entry(7)],
        forget: Some(Forget {
            before: entry(5).nominal_at,
            keep: 10,
        }),
        ..ScheduleChange::to(&row, row.standing.clone())
    };
    let row = change(store, &[dropping]).await.remove(0);
    let left = store.occurrences(row.id, None, 1_000).await.expect("it reads");
    assert_eq!(left.len(), 10);
    let waited = job_for(&row, "waited for");
    insert(store, std::slice::from_ref(&waited)).await;
    let applied = store.apply(&[Change::delete(&waited)]).await.expect("it ends");
    assert_eq!(applied, [Applied::Applied]);
    let row = read(store, all()).await.items.remove(0);
    assert_eq!(row.standing.next, Some(AT_ONCE));
    change(store, &[ScheduleChange::delete(&row)]).await;
}

/// A connection of the test's own, and the name of a key of this schedule.
async fn beside(url: &str, name: &str, of: &Schedule) -> (MultiplexedConnection, Vec<u8>) {
    let client = redis::Client::open(url.split('?').next().unwrap_or(url)).expect("it is a URL");
    let connection = client.get_multiplexed_async_connection().await;
    let key = [key(url, name).as_bytes(), of.id.0.as_bytes()].concat();
    (connection.expect("it connects"), key)
}

#[tokio::test]
async fn a_schedule_that_cannot_be_read_is_told_and_harms_only_itself() {
    let Some(url) = shared_namespace() else { return };
    let store = open(&url).await;
    a_bad_schedule_harms_only_itself(&store, async |name| {
        let (mut connection, key) = beside(&url, "plan:", &schedule(name)).await;
        let mut get = redis::cmd("GET");
        let plan: String = get
            .arg(&key)
            .query_async(&mut connection)
            .await
            .expect("it is there");
        let plan = plan.replace(r#""spec""#, r#""weather":1,"spec""#);
        let mut set = redis::cmd("SET");
        let _: Value = set
            .arg(&key)
            .arg(plan)
            .query_async(&mut connection)
            .await
            .expect("it is set");
    })
    .await;
}

#[tokio::test]
async fn a_late_change_of_a_schedule_that_cannot_be_read_harms_none_of_its_batch() {
    let Some(url) = shared_namespace() else { return };
    let store = open(&url).await;
    let (bad, good) = (schedule("bad"), schedule("good"));
    make(&store, &[bad.clone(), good.clone()]).await;
    spoil(&url, "sched:", JobId(bad.id.0)).await;
    let answers = store
        .change_schedules(&[making(&bad), ScheduleChange::delete(&good)])
        .await
        .expect("the other change stands");
    assert!(
        matches!(
            answers[..],
            [ScheduleApplied::Refused(_), ScheduleApplied::Applied]
        ),
        "{answers:?}"
    );
}

#[tokio::test]
async fn a_schedule_of_which_next_to_nothing_is_left_keeps_its_place_and_its_name() {
    let Some(url) = shared_namespace() else { return };
    let store = open(&url).await;
    let (bad, good) = (schedule("bad"), schedule("good"));
    make(&store, &[bad.clone(), good.clone()]).await;
    let (mut connection, key) = beside(&url, "sched:", &bad).await;
    let mut set = redis::cmd("SET");
    let _: Value = set
        .arg(key)
        .arg("1?")
        .query_async(&mut connection)
        .await
        .expect("it is set");

    let jobs = [job_for(&bad, "a"), job_for(&good, "b")];
    insert(&store, &jobs).await;
    let ends: Vec<Change> = jobs.iter().map(Change::delete).collect();
    assert_eq!(store.apply(&ends).await, Ok(vec![Applied::Applied; 2]));
    let found = looks(&store).await;
    assert_eq!(found.items[0].standing.next, Some(AT_ONCE));
    let told = &found.unreadable[0];
    assert_eq!((told.id, told.rev, told.next), (bad.id, None, bad.standing.next));
    assert_eq!(read(&store, all()).await.unreadable[0].name, bad.name);
}

#[tokio::test]
async fn changes_that_make_many_jobs_are_several_scripts_and_one_answer() {
    let Some(url) = shared_namespace() else { return };
    let store = open(&url).await;
    // Each weighs most of what a script may write; and one more weighs little.
    let mut changes: Vec<ScheduleChange> = (0..5).map(|number| firing(&format!("s{number}"))).collect();
    changes.extend((0..SCRIPT_ITEMS).map(|number| making(&schedule(&format!("t{number:03}")))));
    let rows = change(&store, &changes).await;
    assert_eq!(read(&store, all()).await.items, rows);
    for fired in &changes[..5] {
        let ids: Vec<_> = fired.jobs.iter().map(Job::id).collect();
        let there = store.fetch(&ids).await.expect("it reads");
        assert!(there.iter().all(Option::is_some));
        let ledger = store.occurrences(fired.id, None, 1_000).await.expect("it reads");
        assert!(ledger.iter().rev().eq(&fired.ledger));
    }
}

#[tokio::test]
async fn schedules_with_large_payloads_are_read_in_several_answers() {
    let Some(url) = shared_namespace() else { return };
    let store = open(&url).await;
    let rows: Vec<Schedule> = (0..9)
        .map(|number| {
            let mut row = schedule(&format!("large-{number}"));
            let mut plan = Plan::clone(&row.plan);
            plan.job.payload = vec![b'x'; SCRIPT_BYTES / 2].into();
            row.plan = Arc::new(plan);
            row
        })
        .collect();
    make(&store, &rows).await;
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
    let mut making = firing("a");
    making.jobs.clear();
    let rows = change(&store, &[making]).await;
    assert_eq!(keys().await.len(), before.len() + 5);
    change(&store, &[ScheduleChange::delete(&rows[0])]).await;
    assert_eq!(keys().await, before);
}
