//! Several tasks at once: of those who want the same, exactly one gets it.

use std::collections::BTreeSet;

use bytes::Bytes;
use tokio::task::JoinSet;

use super::subject::{Subject, done, only, queues};
use super::{Case, case};
use crate::change::{Applied, Change, Inserted, RecordApplied, RecordChange, RecordKind};
use crate::job::State;
use crate::queue::{QueueSettings, Rate};
use crate::testing::sample::{Draft, NOW, job, jobs, shuffled};
use crate::time::hours;

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("claims that race take each job once", claims),
        case(
            "claims that race stay within what may run at once",
            claims_under_a_limit,
        ),
        case("claims that race stay within a rate", claims_under_a_rate),
        case("of changes that race for one rev exactly one is made", changes),
        case("of inserts that race for one key exactly one wins", keys),
        case("of inserts that race for one id exactly one wins", inserts),
        case(
            "batches that race in different orders all get their answers",
            opposite_orders,
        ),
        case(
            "of record changes that race for one rev exactly one is made",
            records,
        ),
        case("counts are exact after a race", counts),
    ]
}

/// Tasks in a race.
const TASKS: u64 = 16;

/// Lets so many tasks race, and gathers what they brought.
async fn race<T, W>(store: &Subject, run: impl Fn(Subject, u64) -> W) -> Vec<T>
where
    T: Send + 'static,
    W: Future<Output = T> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        tasks.spawn(run(store.clone(), task));
    }
    tasks.join_all().await
}

/// Claims a few at a time until nothing comes any more.
async fn claim_all(store: Subject, max: usize) -> Vec<u64> {
    let mut taken = Vec::new();
    loop {
        let numbers = store.claims(&["line"], max, NOW).await;
        if numbers.is_empty() {
            return taken;
        }
        taken.extend(numbers);
        tokio::task::yield_now().await;
    }
}

async fn claims(store: Subject) {
    store.has(&jobs(0..500)).await;
    let taken = race(&store, |store, _| claim_all(store, 7)).await;
    let taken: Vec<u64> = taken.into_iter().flatten().collect();
    assert_eq!(taken.len(), 500);
    assert_eq!(taken.into_iter().collect::<BTreeSet<_>>().len(), 500);
}

async fn claims_under_a_limit(store: Subject) {
    let settings = QueueSettings {
        max_running: Some(10),
        ..QueueSettings::default()
    };
    store.set_queue("line", 0, &settings).await;
    store.has(&jobs(0..100)).await;
    let taken = race(&store, |store, _| claim_all(store, 3)).await;
    assert_eq!(taken.concat().len(), 10);
}

async fn claims_under_a_rate(store: Subject) {
    let settings = QueueSettings {
        rate: Some(Rate {
            n: 1,
            per: hours(1),
            burst: 10,
        }),
        ..QueueSettings::default()
    };
    store.set_queue("line", 0, &settings).await;
    store.has(&jobs(0..100)).await;
    let taken = race(&store, |store, _| claim_all(store, 3)).await;
    assert_eq!(taken.concat().len(), 10);
}

async fn changes(store: Subject) {
    store.has(&jobs(0..20)).await;
    let made = race(&store, |store, task| async move {
        let changes: Vec<_> = shuffled(jobs(0..20))
            .iter()
            .map(|job| {
                let mut status = job.status.clone();
                status.result = Some(Bytes::from(task.to_string()));
                Change::to(job, status)
            })
            .collect();
        done(store.apply(&changes).await)
    });
    let made = made.await.concat();
    assert_eq!(
        made.iter().filter(|answer| **answer == Applied::Applied).count(),
        20
    );
    let stale = made.iter().filter(|answer| matches!(answer, Applied::Stale(_)));
    assert_eq!(stale.count(), 20 * (TASKS as usize - 1));
}

async fn keys(store: Subject) {
    let answers = race(&store, |store, task| async move {
        let rows: Vec<_> = (0..20)
            .map(|n| job(task * 100 + n).key(&format!("key {n}")))
            .collect();
        done(store.insert(&shuffled(rows)).await)
    });
    let answers = answers.await.concat();
    let (won, lost): (Vec<_>, Vec<_>) = answers
        .into_iter()
        .partition(|answer| *answer == Inserted::Inserted);
    assert_eq!(won.len(), 20);
    assert!(lost.iter().all(|answer| matches!(answer, Inserted::Held(_))));
    assert_eq!(store.content().await.len(), 20);
}

async fn inserts(store: Subject) {
    let answers = race(&store, |store, task| async move {
        let rows = jobs(0..20).into_iter();
        let rows = rows.map(|job| if task % 2 == 0 { job } else { job.other() });
        done(store.insert(&shuffled(rows.collect())).await)
    });
    let answers = answers.await.concat();
    assert_eq!(
        answers
            .iter()
            .filter(|answer| **answer == Inserted::Inserted)
            .count(),
        20
    );
    let same = |same| {
        answers
            .iter()
            .filter(|answer| **answer == Inserted::Exists { same })
            .count()
    };
    assert_eq!(same(true) + same(false), 20 * (TASKS as usize - 1));
    assert_eq!(same(false), 20 * TASKS as usize / 2);
}

async fn opposite_orders(store: Subject) {
    let answers = race(&store, |store, task| async move {
        let mut rows: Vec<_> = (0..50)
            .map(|n| job(task * 100 + n).key(&format!("key {n}")))
            .collect();
        if task % 2 == 0 {
            rows.reverse();
        }
        let inserted = done(store.insert(&rows).await);
        let there: Vec<_> = rows
            .into_iter()
            .zip(inserted)
            .filter(|(_, answer)| *answer == Inserted::Inserted)
            .map(|(job, _)| job)
            .collect();
        let changes: Vec<_> = there
            .iter()
            .map(|job| Change::to(job, job.clone().ended(State::Succeeded, NOW).status))
            .collect();
        done(store.apply(&changes).await)
    });
    let answers = answers.await.concat();
    assert_eq!(answers, vec![Applied::Applied; 50]);
}

async fn records(store: Subject) {
    for expect in 0..5 {
        let answers = race(&store, |store, task| async move {
            let settings = QueueSettings {
                paused: Some(task.to_string()),
                ..QueueSettings::default()
            };
            let change = RecordChange {
                kind: RecordKind::Queue,
                name: "line".to_owned(),
                expect,
                becomes: Some(settings.to_json()),
            };
            only(done(store.change_records(&[change]).await))
        });
        let made = answers
            .await
            .into_iter()
            .filter(|answer| *answer == RecordApplied::Applied);
        assert_eq!(made.count(), 1);
    }
}

async fn counts(store: Subject) {
    store.has(&jobs(0..300)).await;
    let ended = race(&store, |store, task| async move {
        store.has(&jobs(1_000 + task * 10..1_010 + task * 10)).await;
        let claimed = done(store.claim(queues(&["line"], 5, NOW)).await).jobs;
        let changes: Vec<_> = claimed
            .iter()
            .skip(1)
            .map(|job| Change::to(job, job.clone().ended(State::Failed, NOW).status))
            .collect();
        done(store.apply(&changes).await).len() as u64
    });
    let ended: u64 = ended.await.into_iter().sum();
    let counts = only(done(store.counts().await).queues);
    let waiting = 300 + TASKS * 10 - TASKS - ended;
    assert_eq!(counts.jobs, [waiting, TASKS, 0, ended, 0]);
}
