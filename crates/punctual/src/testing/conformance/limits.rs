//! What a queue's settings hold back.

use super::subject::{NOTHING, Subject, done, numbers, queues};
use super::{Case, case};
use crate::change::{Applied, Change, RecordApplied};
use crate::job::State;
use crate::queue::{QueueSettings, Rate};
use crate::testing::sample::{Draft, NOW, job, jobs};
use crate::time::{hours, milliseconds, minutes, seconds};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("a paused queue gives no job and tells no due instant", pause),
        case("a queue gives jobs again when its pause is lifted", resume),
        case("no more jobs run at once than a queue allows", max_running),
        case("a job that ends makes room for the next one", room_again),
        case("a queue that allows none to run gives no job", none_at_once),
        case("no more jobs start at once than a queue's rate saves up", burst),
        case(
            "a queue whose rate is used up tells when the next job may start",
            next_start,
        ),
        case("of two limits the narrower one holds", both_limits),
        case(
            "a new rate holds at once, for what was used up before it",
            changed_rate,
        ),
        case("a queue whose settings are deleted is open", deleted_settings),
        case("what holds for one queue does not hold for another", other_queue),
    ]
}

fn paused() -> QueueSettings {
    QueueSettings {
        paused: Some("for \"tests\"".to_owned()),
        ..QueueSettings::default()
    }
}

fn at_once(max_running: u32) -> QueueSettings {
    QueueSettings {
        max_running: Some(max_running),
        ..QueueSettings::default()
    }
}

fn rate(n: u32, burst: u32) -> QueueSettings {
    let per = seconds(1);
    QueueSettings {
        rate: Some(Rate { n, per, burst }),
        ..QueueSettings::default()
    }
}

async fn pause(store: Subject) {
    store.set_queue("line", 0, &paused()).await;
    store.has(&[job(1), job(2).due(NOW + hours(1))]).await;
    let claimed = store.claim_at(5, NOW).await;
    assert_eq!(claimed.jobs, []);
    assert_eq!(claimed.next_due, None);
    assert_eq!(store.there(1).await, job(1));
}

async fn resume(store: Subject) {
    store.has(&[job(1)]).await;
    store.set_queue("line", 0, &paused()).await;
    assert_eq!(store.claims(&["line"], 5, NOW).await, NOTHING);
    store.set_queue("line", 1, &QueueSettings::default()).await;
    assert_eq!(store.claims(&["line"], 5, NOW).await, [1]);
}

async fn max_running(store: Subject) {
    store.set_queue("line", 0, &at_once(3)).await;
    let elsewhere = job(9).running("other", NOW - hours(1));
    store
        .has(&[elsewhere.status(|status| status.deferred = true)])
        .await;
    store.has(&jobs(1..=5)).await;
    store.has(&[job(6).due(NOW + hours(1))]).await;
    let claimed = store.claim_at(10, NOW).await;
    assert_eq!(numbers(&claimed), [1, 2]);
    assert_eq!(claimed.next_due, None);
    assert_eq!(store.claims(&["line"], 10, NOW).await, NOTHING);
}

async fn room_again(store: Subject) {
    store.set_queue("line", 0, &at_once(1)).await;
    store.has(&jobs(1..=2)).await;
    store.has(&[job(3).due(NOW + hours(1))]).await;
    let running = store.claim_at(5, NOW).await.jobs.remove(0);
    let ended = running.clone().ended(State::Succeeded, NOW).status;
    assert_eq!(
        store.apply_one(Change::to(&running, ended)).await,
        Applied::Applied
    );
    assert_eq!(store.claims(&["line"], 5, NOW).await, [2]);
    assert_eq!(
        store.apply_one(Change::delete(&store.there(2).await)).await,
        Applied::Applied
    );
    let claimed = store.claim_at(5, NOW).await;
    assert_eq!(claimed.jobs, []);
    assert_eq!(claimed.next_due, Some(NOW + hours(1)));
}

async fn none_at_once(store: Subject) {
    store.set_queue("line", 0, &at_once(0)).await;
    store.has(&[job(1), job(2).due(NOW + hours(1))]).await;
    let claimed = store.claim_at(5, NOW).await;
    assert_eq!(claimed.jobs, []);
    assert_eq!(claimed.next_due, None);
}

async fn burst(store: Subject) {
    store.set_queue("line", 0, &rate(2, 3)).await;
    store.has(&jobs(1..=9)).await;
    assert_eq!(store.claims(&["line"], 2, NOW).await, [1, 2]);
    assert_eq!(store.claims(&["line"], 9, NOW).await, [3]);
    assert_eq!(store.claims(&["line"], 9, NOW).await, NOTHING);
    assert_eq!(store.claims(&["line"], 9, NOW + milliseconds(499)).await, NOTHING);
    assert_eq!(store.claims(&["line"], 9, NOW + milliseconds(500)).await, [4]);
    assert_eq!(
        store.claims(&["line"], 9, NOW + milliseconds(1_600)).await,
        [5, 6]
    );
    assert_eq!(store.claims(&["line"], 9, NOW + hours(1)).await, [7, 8, 9]);
}

async fn next_start(store: Subject) {
    store.set_queue("line", 0, &rate(1, 1)).await;
    store.has(&jobs(1..=2)).await;
    store.has(&[job(3).due(NOW + minutes(5))]).await;
    let claimed = store.claim_at(5, NOW).await;
    assert_eq!(numbers(&claimed), [1]);
    assert_eq!(claimed.next_due, Some(NOW + seconds(1)));
    let claimed = store.claim_at(5, NOW + seconds(1)).await;
    assert_eq!(numbers(&claimed), [2]);
    assert_eq!(claimed.next_due, Some(NOW + minutes(5)));
}

async fn both_limits(store: Subject) {
    let settings = QueueSettings {
        max_running: Some(2),
        ..rate(1, 3)
    };
    store.set_queue("line", 0, &settings).await;
    store.has(&jobs(1..=9)).await;
    let claimed = store.claim_at(9, NOW).await;
    assert_eq!(numbers(&claimed), [1, 2]);
    assert_eq!(claimed.next_due, None);
    for running in &claimed.jobs {
        let ended = running.clone().ended(State::Failed, NOW).status;
        store.apply_one(Change::to(running, ended)).await;
    }
    let claimed = store.claim_at(9, NOW).await;
    assert_eq!(numbers(&claimed), [3]);
    assert_eq!(claimed.next_due, Some(NOW + seconds(1)));
}

async fn changed_rate(store: Subject) {
    let hourly = QueueSettings {
        rate: Some(Rate {
            n: 1,
            per: hours(1),
            burst: 5,
        }),
        ..QueueSettings::default()
    };
    store.set_queue("line", 0, &hourly).await;
    store.has(&jobs(1..=20)).await;
    assert_eq!(store.claims(&["line"], 20, NOW).await.len(), 5);
    store.set_queue("line", 1, &rate(10, 2)).await;
    // The bucket is as empty as it was, and fills at the new rate.
    let claimed = store.claim_at(20, NOW).await;
    assert_eq!(claimed.jobs, []);
    assert_eq!(claimed.next_due, Some(NOW + milliseconds(100)));
    assert_eq!(
        store.claims(&["line"], 20, NOW + milliseconds(100)).await.len(),
        1
    );
}

async fn deleted_settings(store: Subject) {
    store.set_queue("line", 0, &rate(1, 1)).await;
    store.has(&jobs(1..=3)).await;
    assert_eq!(store.claims(&["line"], 9, NOW).await, [1]);
    let deleted = store.change_record("line", 1, None).await;
    assert_eq!(deleted, RecordApplied::Applied);
    store.set_queue("line", 0, &rate(1, 1)).await;
    assert_eq!(store.claims(&["line"], 9, NOW).await, [2]);
    assert_eq!(store.change_record("line", 1, None).await, RecordApplied::Applied);
    assert_eq!(store.claims(&["line"], 9, NOW).await, [3]);
}

async fn other_queue(store: Subject) {
    store.set_queue("paused", 0, &paused()).await;
    store.set_queue("single", 0, &at_once(1)).await;
    store.set_queue("slow", 0, &rate(1, 1)).await;
    for (queue, from) in [("paused", 10), ("single", 20), ("slow", 30), ("open", 40)] {
        let rows: Vec<_> = jobs(from..from + 3)
            .into_iter()
            .map(|job| job.queue(queue))
            .collect();
        store.has(&rows).await;
    }
    store
        .has(&[job(1).queue("open").due(NOW + milliseconds(500))])
        .await;
    let claimed = done(
        store
            .claim(queues(&["paused", "single", "slow", "open"], 9, NOW))
            .await,
    );
    assert_eq!(numbers(&claimed), [20, 30, 40, 41, 42]);
    assert_eq!(claimed.next_due, Some(NOW + milliseconds(500)));
}
