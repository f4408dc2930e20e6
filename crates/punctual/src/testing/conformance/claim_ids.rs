//! Claims of certain jobs.

use super::subject::{NOTHING, Subject, done, ids, numbers, refused};
use super::{Case, case};
use crate::job::State;
use crate::limits;
use crate::queue::QueueSettings;
use crate::testing::sample::{Draft, NOW, id, job, jobs};
use crate::time::{hours, minutes};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case(
            "certain jobs are claimed in the order asked for, whatever their queue",
            order,
        ),
        case("of certain jobs only those are claimed that may start", may_start),
        case(
            "certain jobs are claimed at most once each, and no more than asked for",
            at_most,
        ),
        case(
            "a claim of certain jobs tells when the next of them is due",
            next_due,
        ),
        case("a claim of certain jobs honours their queues' settings", settings),
        case("a claim of too many ids is refused", bounds),
    ]
}

async fn order(store: Subject) {
    store
        .has(&[job(1).priority(0), job(2).queue("b"), job(3), job(4)])
        .await;
    let claimed = done(store.claim(ids(&[id(3), id(2), id(1)], 5, NOW)).await);
    assert_eq!(numbers(&claimed), [3, 2, 1]);
    assert_eq!(claimed.now, NOW);
    assert_eq!(store.there(2).await, claimed.jobs[1]);
    assert_eq!(store.there(4).await, job(4));
}

async fn may_start(store: Subject) {
    let rows = [
        job(1).due(NOW + minutes(1)),
        job(2).deadline(NOW),
        job(3).running("other", NOW),
        job(4).ended(State::Failed, NOW),
        job(5),
    ];
    store.has(&rows).await;
    let wanted: Vec<_> = (1..=6).map(id).collect();
    assert_eq!(numbers(&done(store.claim(ids(&wanted, 9, NOW)).await)), [5]);
    assert_eq!(store.content().await[..4], rows[..4]);
}

async fn at_most(store: Subject) {
    store.has(&jobs(1..=4)).await;
    let wanted = [id(2), id(2), id(3), id(4)];
    assert_eq!(numbers(&done(store.claim(ids(&wanted, 2, NOW)).await)), [2, 3]);
    assert_eq!(numbers(&done(store.claim(ids(&wanted, 2, NOW)).await)), [4]);
    assert_eq!(numbers(&done(store.claim(ids(&[], 2, NOW)).await)), NOTHING);
}

async fn next_due(store: Subject) {
    store
        .has(&[
            job(1).due(NOW + hours(1)),
            job(2).due(NOW + minutes(1)),
            job(3),
            job(4),
        ])
        .await;
    let claimed = done(store.claim(ids(&[id(1), id(3)], 1, NOW)).await);
    assert_eq!(claimed.next_due, None);
    let claimed = done(store.claim(ids(&[id(1), id(3)], 1, NOW)).await);
    assert_eq!(claimed.next_due, Some(NOW + hours(1)));
    let claimed = done(store.claim(ids(&[id(1), id(2), id(9)], 5, NOW)).await);
    assert_eq!(claimed.next_due, Some(NOW + minutes(1)));
}

async fn settings(store: Subject) {
    let one_at_once = QueueSettings {
        max_running: Some(1),
        ..QueueSettings::default()
    };
    let paused = QueueSettings {
        paused: Some(String::new()),
        ..QueueSettings::default()
    };
    store.set_queue("single", 0, &one_at_once).await;
    store.set_queue("paused", 0, &paused).await;
    store
        .has(&[
            job(1).queue("single"),
            job(2).queue("single"),
            job(3).queue("paused"),
        ])
        .await;
    store
        .has(&[job(4).queue("paused").due(NOW + hours(1)), job(5)])
        .await;
    let wanted: Vec<_> = (1..=5).rev().map(id).collect();
    let claimed = done(store.claim(ids(&wanted, 9, NOW)).await);
    assert_eq!(numbers(&claimed), [5, 2]);
    assert_eq!(claimed.next_due, None);
}

async fn bounds(store: Subject) {
    store.has(&[job(1)]).await;
    let wanted: Vec<_> = (0..limits::CLAIM_JOBS as u64 + 1).map(id).collect();
    refused(store.claim(ids(&wanted, 1, NOW)).await);
    refused(store.claim(ids(&wanted[..1], limits::CLAIM_JOBS + 1, NOW)).await);
    assert_eq!(store.content().await, [job(1)]);
    assert_eq!(numbers(&done(store.claim(ids(&wanted[1..], 1, NOW)).await)), [1]);
}
