//! What is overdue, counts, what the store says of itself, and signals.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;

use super::subject::{Subject, done, only, refused, run_of};
use super::{Case, case};
use crate::change::{Applied, Change};
use crate::job::{Job, State};
use crate::limits;
use crate::queue::{Counts, QueueName};
use crate::signals::Signal;
use crate::store::Depth;
use crate::testing::sample::{Draft, LEASE, NOW, full, id, job, jobs, shuffled};
use crate::time::{Timestamp, hours, minutes, seconds};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case(
            "overdue are the jobs whose alarm has passed, earliest first",
            overdue,
        ),
        case("overdue tells the next alarm after those it shows", next_alarm),
        case("a beat takes a run from what is overdue", beat_and_overdue),
        case("overdue is bounded", overdue_bounds),
        case(
            "overdue without a stepped time reads the store's clock",
            overdue_clock,
        ),
        case("counts are exact after every kind of write", counts),
        case(
            "counts tell how long the oldest ready job has been due",
            oldest_ready,
        ),
        case("a store says what it is", report),
        case("a hint is heard by every listener", signals),
        case(
            "a listener that fell behind is told to look at everything",
            slow_listener,
        ),
    ]
}

async fn overdue(store: Subject) {
    let rows = vec![
        job(5).running("w", NOW - hours(1)),
        job(4).deadline(NOW - minutes(30)),
        job(2).running("w", NOW),
        job(3).deadline(NOW),
        job(1).running("w", Timestamp::from_micros(NOW.as_micros() + 1)),
        job(6),
        full(7, State::Failed),
    ];
    store.has(&shuffled(rows.clone())).await;
    let overdue = done(store.overdue(10, Some(NOW)).await);
    assert_eq!(overdue.jobs, rows[..4]);
    assert_eq!(overdue.next, rows[4].status.alarm);
    assert_eq!(overdue.now, NOW);
}

async fn next_alarm(store: Subject) {
    let nothing = done(store.overdue(10, Some(NOW)).await);
    assert_eq!((nothing.jobs, nothing.next), (Vec::new(), None));
    let leased = |n: u64| job(n).running("w", NOW + seconds(n));
    store.has(&[leased(3), leased(1), leased(2)]).await;
    for (limit, at, shown, next) in [
        (5, 0, 0, Some(1)),
        (5, 1, 1, Some(2)),
        (1, 3, 1, Some(2)),
        (0, 3, 0, Some(1)),
        (5, 3, 3, None),
    ] {
        let overdue = done(store.overdue(limit, Some(NOW + seconds(at))).await);
        let expected: Vec<_> = (1..=shown).map(leased).collect();
        assert_eq!(overdue.jobs, expected);
        assert_eq!(overdue.next, next.map(|n| NOW + seconds(n)));
    }
}

async fn beat_and_overdue(store: Subject) {
    let first = store.runs(job(1)).await;
    store.runs(job(2)).await;
    store.beat_at(&[run_of(&first)], NOW + seconds(1)).await;
    let overdue = done(store.overdue(10, Some(NOW + LEASE)).await);
    assert_eq!(only(overdue.jobs).id(), id(2));
    assert_eq!(overdue.next, Some(NOW + seconds(1) + LEASE));
}

async fn overdue_bounds(store: Subject) {
    let rows: Vec<_> = (0..limits::CHORE_ROWS as u64)
        .map(|n| job(n).running("w", NOW))
        .collect();
    store.has(&rows).await;
    store.has(&[job(5_000).running("w", NOW)]).await;
    refused(store.overdue(limits::CHORE_ROWS + 1, Some(NOW)).await);
    let overdue = done(store.overdue(limits::CHORE_ROWS, Some(NOW)).await);
    assert_eq!(overdue.jobs, rows);
    assert_eq!(overdue.next, Some(NOW));
}

async fn overdue_clock(store: Subject) {
    store
        .has(&[
            job(1).running("w", Timestamp::EPOCH),
            job(2).running("w", Timestamp::MAX),
        ])
        .await;
    let overdue = done(store.overdue(10, None).await);
    assert_eq!(only(overdue.jobs).id(), id(1));
    assert_eq!(overdue.next, Some(Timestamp::MAX));
}

/// Counts as queue, then jobs by state.
async fn counted(store: &Subject) -> Vec<(String, [u64; 5])> {
    let counts = done(store.counts().await).queues.into_iter();
    counts
        .map(|counts| (counts.queue.to_string(), counts.jobs))
        .collect()
}

async fn counts(store: Subject) {
    assert_eq!(counted(&store).await, []);
    store.has(&jobs(1..=6)).await;
    store
        .has(&[job(7).queue("b"), job(8).queue("a").ended(State::Succeeded, NOW)])
        .await;
    store.insert_one(job(1)).await;
    let expected = [
        ("a", [0, 0, 1, 0, 0]),
        ("b", [1, 0, 0, 0, 0]),
        ("line", [6, 0, 0, 0, 0]),
    ];
    assert_eq!(counted(&store).await, named(&expected));

    let running = store.claim_at(4, NOW).await.jobs;
    store.beat_at(&[run_of(&running[3])], NOW).await;
    let end = |job: &Job, state| Change::to(job, job.clone().ended(state, NOW).status);
    let changes = [
        end(&running[0], State::Succeeded),
        end(&running[1], State::Failed),
        end(&running[2], State::Cancelled),
        Change::delete(&job(5)),
        Change::delete(&job(7).queue("b")),
        Change {
            body: Some(job(6).queue("a").body),
            ..Change::to(&job(6), job(6).status)
        },
        end(&running[0], State::Failed),
    ];
    let mut answers = done(store.apply(&changes).await);
    assert!(matches!(answers.pop(), Some(Applied::Stale(_))));
    assert_eq!(answers, vec![Applied::Applied; 6]);
    let expected = [("a", [1, 0, 1, 0, 0]), ("line", [0, 1, 1, 1, 1])];
    assert_eq!(counted(&store).await, named(&expected));

    let again = Change {
        then: vec![job(9)],
        ..Change::delete(&store.there(3).await)
    };
    store.apply_one(again).await;
    let expected = [("a", [1, 0, 1, 0, 0]), ("line", [1, 1, 1, 1, 0])];
    assert_eq!(counted(&store).await, named(&expected));
}

fn named(counts: &[(&str, [u64; 5])]) -> Vec<(String, [u64; 5])> {
    counts
        .iter()
        .map(|(queue, jobs)| ((*queue).to_owned(), *jobs))
        .collect()
}

async fn oldest_ready(store: Subject) {
    // Only two instants are known to lie on either side of every machine's clock.
    let old = Timestamp::EPOCH;
    store
        .has(&[
            job(1).due(old + hours(1)).priority(9),
            job(2).due(old),
            job(3).due(Timestamp::MAX),
        ])
        .await;
    store.has(&[job(4).queue("later").due(Timestamp::MAX)]).await;
    let asked = done(store.overdue(0, None).await).now;
    let counts = done(store.counts().await).queues;
    let answered = done(store.overdue(0, None).await).now;
    let of = |name: &str| -> Counts {
        let queue = QueueName::from(name);
        counts
            .iter()
            .find(|counts| counts.queue == queue)
            .expect("it has jobs")
            .clone()
    };
    let oldest = of("line").oldest_ready.expect("two are ready");
    assert!(
        oldest >= asked.since(old) && oldest <= answered.since(old),
        "{oldest:?}"
    );
    assert_eq!(of("later").oldest_ready, None);
}

async fn report(store: Subject) {
    let report = done(store.check(Depth::Quick).await);
    assert!(!report.store.is_empty());
    assert!(!report.version.is_empty());
}

/// How long a hint may take before it counts as lost.
const PATIENCE: Duration = Duration::from_secs(10);

/// Waits for this hint, whatever comes before it.
async fn hears(listener: &mut BoxStream<'static, Signal>, wanted: &Signal) {
    let heard = async {
        while let Some(signal) = listener.next().await {
            if signal == *wanted {
                return true;
            }
        }
        false
    };
    let heard = tokio::time::timeout(PATIENCE, heard).await;
    assert_eq!(heard, Ok(true), "nobody heard {wanted:?}");
}

async fn signals(store: Subject) {
    let mut listeners = [store.signals().listen(), store.signals().listen()];
    let hints = [
        Signal::Ended(id(1)),
        Signal::Due(QueueName::from("line"), NOW),
        Signal::Cancel(id(2)),
        Signal::Schedule(NOW),
    ];
    store.signals().send(&hints);
    for listener in &mut listeners {
        for hint in &hints {
            hears(listener, hint).await;
        }
    }
}

async fn slow_listener(store: Subject) {
    let mut slow = store.signals().listen();
    for n in 0..limits::SIGNALS as u64 * 3 {
        store.signals().send(&[Signal::Ended(id(n))]);
    }
    hears(&mut slow, &Signal::Lost).await;
    store.signals().send(&[Signal::Cancel(id(1))]);
    hears(&mut slow, &Signal::Cancel(id(1))).await;
}
