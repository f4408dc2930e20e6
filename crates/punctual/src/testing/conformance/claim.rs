//! Claims from queues.

use super::subject::{NOTHING, Subject, done, number, numbers, queues, refused};
use super::{Case, case};
use crate::job::{Job, State};
use crate::limits;
use crate::run::{Claim, WorkerId};
use crate::testing::sample::{Draft, LEASE, NOW, REV, full, job, jobs, shuffled};
use crate::time::{Timestamp, hours, milliseconds, minutes, seconds};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case(
            "a claim turns a due job into a running one and changes nothing else",
            becomes_running,
        ),
        case(
            "a further run keeps when the first one of its life began",
            further_run,
        ),
        case("a job is claimed once", claimed_once),
        case("a claim takes by priority, then due instant, then id", order),
        case(
            "a claim takes from its queues in the order given",
            order_of_queues,
        ),
        case("a claim takes from no other queue", other_queues),
        case("a job is never claimed before it is due", never_early),
        case(
            "a job whose start deadline has come is not claimed",
            start_deadline,
        ),
        case("only waiting jobs are claimed", only_waiting),
        case("a claim takes at most as many as it asks for", at_most),
        case(
            "a claim that comes short tells the next due instant of its queues",
            next_due,
        ),
        case("a claim that is filled tells no due instant", no_next_due),
        case(
            "a claim without a stepped time reads the store's clock",
            clock_of_the_store,
        ),
        case("a thousand jobs are claimed at once", a_thousand),
        case("a claim beyond its bounds is refused", bounds),
    ]
}

/// What a claim makes of a waiting row.
fn started(job: Job) -> Job {
    job.status(|status| {
        status.state = State::Running;
        status.rev += 1;
        status.run = status.rev;
        status.attempt += 1;
        status.first_started_at.get_or_insert(NOW);
        status.started_at = Some(NOW);
        status.alarm = Some(NOW + LEASE);
        status.worker = Some(WorkerId::from("worker"));
    })
}

async fn becomes_running(store: Subject) {
    store.has(&[job(1)]).await;
    let claimed = store.claim_at(1, NOW).await;
    assert_eq!(claimed.jobs, [started(job(1))]);
    assert_eq!(claimed.now, NOW);
    assert_eq!(store.there(1).await, started(job(1)));
}

async fn further_run(store: Subject) {
    let waiting = full(1, State::Waiting);
    store.has(std::slice::from_ref(&waiting)).await;
    let claimed = store.claim_at(1, NOW).await;
    assert_eq!(claimed.jobs[0].status.first_started_at, Some(NOW - hours(2)));
    assert_eq!(claimed.jobs[0].status.run, REV + 1);
    assert_eq!(claimed.jobs, [started(waiting.clone())]);
    assert_eq!(store.there(1).await, started(waiting));
}

async fn claimed_once(store: Subject) {
    store.has(&[job(1)]).await;
    assert_eq!(store.claims(&["line"], 5, NOW).await, [1]);
    assert_eq!(store.claims(&["line"], 5, NOW + LEASE + hours(1)).await, NOTHING);
}

async fn order(store: Subject) {
    let rows = vec![
        job(7).priority(0),
        job(3).priority(1).due(NOW - seconds(2)),
        job(5).priority(1).due(NOW - seconds(1)),
        job(4).priority(1),
        job(6).priority(1),
        job(1).priority(8).due(Timestamp::MIN),
        job(2).priority(9).due(NOW - hours(1)),
    ];
    store.has(&shuffled(rows)).await;
    assert_eq!(store.claims(&["line"], 2, NOW).await, [7, 3]);
    assert_eq!(store.claims(&["line"], 9, NOW).await, [5, 4, 6, 1, 2]);
}

async fn order_of_queues(store: Subject) {
    store
        .has(&[
            job(1).queue("a").priority(9),
            job(2).queue("b").priority(0),
            job(3).queue("c"),
        ])
        .await;
    store
        .has(&[job(4).queue("a").priority(9), job(5).queue("b")])
        .await;
    assert_eq!(store.claims(&["c", "a", "b"], 4, NOW).await, [3, 1, 4, 2]);
    assert_eq!(store.claims(&["c", "a", "b"], 4, NOW).await, [5]);
}

async fn other_queues(store: Subject) {
    store
        .has(&[job(1).queue("lines"), job(2).queue("Line"), job(3).queue("lin")])
        .await;
    let claimed = store.claim_at(5, NOW).await;
    assert_eq!(claimed.jobs, []);
    assert_eq!(claimed.next_due, None);
    assert_eq!(store.claims(&[], 5, NOW).await, NOTHING);
}

async fn never_early(store: Subject) {
    let instant = NOW + seconds(1);
    store.has(&[job(1).due(instant)]).await;
    let just_before = Timestamp::from_micros(instant.as_micros() - 1);
    let claimed = store.claim_at(5, just_before).await;
    assert_eq!(claimed.jobs, []);
    assert_eq!(claimed.next_due, Some(instant));
    assert_eq!(store.there(1).await, job(1).due(instant));
    assert_eq!(store.claims(&["line"], 5, instant).await, [1]);
}

async fn start_deadline(store: Subject) {
    let rows = [
        job(1).deadline(NOW),
        job(2).deadline(NOW - hours(1)).due(NOW - hours(2)),
        job(3).deadline(Timestamp::from_micros(NOW.as_micros() + 1)),
        job(4),
    ];
    store.has(&rows).await;
    let claimed = store.claim_at(5, NOW).await;
    assert_eq!(numbers(&claimed), [3, 4]);
    assert_eq!(claimed.next_due, None);
    assert_eq!(store.there(1).await, rows[0]);
    assert_eq!(store.there(2).await, rows[1]);
}

async fn only_waiting(store: Subject) {
    let rows = [
        job(1).running("other", NOW - hours(1)),
        job(2).ended(State::Succeeded, NOW),
        job(3).ended(State::Failed, NOW),
        job(4).ended(State::Cancelled, NOW),
    ];
    store.has(&rows).await;
    assert_eq!(store.claims(&["line"], 5, NOW).await, NOTHING);
    assert_eq!(store.content().await, rows);
}

async fn at_most(store: Subject) {
    store.has(&jobs(1..=5)).await;
    assert_eq!(store.claims(&["line"], 0, NOW).await, NOTHING);
    assert_eq!(store.claims(&["line"], 3, NOW).await, [1, 2, 3]);
    assert_eq!(store.claims(&["line"], 3, NOW).await, [4, 5]);
}

async fn next_due(store: Subject) {
    let rows = [
        job(1).queue("a").due(NOW + minutes(3)).priority(0),
        job(2).queue("a").due(NOW + minutes(2)).priority(9),
        job(3).queue("b").due(NOW + minutes(1)),
        job(4).queue("c").due(NOW + milliseconds(1)),
        job(5).queue("a"),
    ];
    store.has(&rows).await;
    let claimed = done(store.claim(queues(&["a", "b"], 5, NOW)).await);
    assert_eq!(numbers(&claimed), [5]);
    assert_eq!(claimed.next_due, Some(NOW + minutes(1)));
    let claimed = done(store.claim(queues(&["a"], 5, NOW)).await);
    assert_eq!(claimed.next_due, Some(NOW + minutes(2)));
    let claimed = done(store.claim(queues(&["nowhere"], 5, NOW)).await);
    assert_eq!(claimed.next_due, None);
}

async fn no_next_due(store: Subject) {
    store.has(&[job(1), job(2), job(3).due(NOW + hours(1))]).await;
    let claimed = store.claim_at(2, NOW).await;
    assert_eq!(numbers(&claimed), [1, 2]);
    assert_eq!(claimed.next_due, None);
    assert_eq!(store.claim_at(1, NOW).await.next_due, Some(NOW + hours(1)));
}

async fn clock_of_the_store(store: Subject) {
    store
        .has(&[job(1).due(Timestamp::EPOCH), job(2).due(Timestamp::MAX)])
        .await;
    let claim = Claim {
        now: None,
        ..queues(&["line"], 5, NOW)
    };
    let claimed = done(store.claim(claim).await);
    assert_eq!(numbers(&claimed), [1]);
    assert_eq!(claimed.next_due, Some(Timestamp::MAX));
    let status = &claimed.jobs[0].status;
    assert_eq!(status.started_at, Some(claimed.now));
    assert_eq!(status.alarm, Some(claimed.now + LEASE));
}

async fn a_thousand(store: Subject) {
    let jobs: Vec<_> = (0..limits::CLAIM_JOBS as u64 + 5)
        .map(|n| job(n).priority((n % 10) as u8))
        .collect();
    for batch in shuffled(jobs).chunks(limits::FLUSH_ITEMS) {
        store.has(batch).await;
    }
    let claimed = store.claim_at(limits::CLAIM_JOBS, NOW).await;
    let mut places: Vec<_> = claimed
        .jobs
        .iter()
        .map(|job| (job.body.priority, job.id()))
        .collect();
    assert_eq!(places.len(), limits::CLAIM_JOBS);
    assert!(places.is_sorted(), "they are out of order");
    places.dedup();
    assert_eq!(places.len(), limits::CLAIM_JOBS);
    let claimed = store.claim_at(limits::CLAIM_JOBS, NOW).await;
    assert!(claimed.jobs.iter().all(|job| number(job.id()) % 10 == 9));
    assert_eq!(claimed.jobs.len(), 5);
}

async fn bounds(store: Subject) {
    store.has(&[job(1)]).await;
    refused(store.claim(queues(&["line"], limits::CLAIM_JOBS + 1, NOW)).await);
    refused(store.claim(queues(&["line", "a", "line"], 1, NOW)).await);
    let names: Vec<String> = (0..=limits::CLAIM_QUEUES).map(|n| format!("queue-{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    refused(store.claim(queues(&names, 1, NOW)).await);
    for lease in [
        limits::LEASE_MIN - milliseconds(1),
        limits::LEASE_MAX + milliseconds(1),
    ] {
        let claim = queues(&["line"], 1, NOW);
        refused(store.claim(Claim { lease, ..claim }).await);
    }
    let worker = WorkerId::from("w".repeat(limits::NAME_BYTES + 1));
    let claim = queues(&["line"], 1, NOW);
    refused(store.claim(Claim { worker, ..claim }).await);
    assert_eq!(store.content().await, [job(1)]);
    done(store.claim(queues(&names[1..], limits::CLAIM_JOBS, NOW)).await);
}
