//! Jobs that stand in no line though they wait.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use punctual::change::Change;
use punctual::job::Job;
use punctual::limits::{DISPATCH_IDLE, DISPATCH_LINE, RESCAN};
use punctual::queue::QueueName;
use punctual::run::{Claim, ClaimFrom, WorkerId};
use punctual::time::{Timestamp, milliseconds, seconds};
use punctual::{JobId, minutes};

use super::lies::Liar;
use super::trouble::later;
use super::way::Way;
use super::{Store, claim_from, in_queue, insert, job, open, servers, until};

/// How many jobs a claim takes at most.
const MAX: usize = 5;
/// How much time goes on from one claim to the next.
const STEP: std::time::Duration = milliseconds(100);

/// What a claim at this instant gives.
async fn claim_at(store: &dyn Store, queues: &[&str], now: Timestamp) -> Vec<JobId> {
    let claim = Claim {
        worker: WorkerId::from("w"),
        from: ClaimFrom::Queues(queues.iter().map(|queue| QueueName::from(*queue)).collect()),
        max: MAX,
        lease: seconds(60),
        now: Some(now),
    };
    let claimed = store.claim(claim).await.expect("the store gives jobs");
    claimed.jobs.iter().map(Job::id).collect()
}

fn busy(name: &str, queue: &str, priority: u8) -> Job {
    let mut job = in_queue(name, queue);
    std::sync::Arc::make_mut(&mut job.body).priority = priority;
    job
}

/// The entry of a job is lost, while jobs of this queue and priority keep a worker of these queues busy: now they are as many
/// as it has room for, now one fewer.
async fn is_found_beside(busy_queue: &str, priority: u8, queues: &[&str]) {
    let Some((house, redis)) = servers() else { return };
    let store = open(&house.next(), &redis).await;
    let mut now = Timestamp::EPOCH + minutes(1);
    assert_eq!(claim_at(&store, queues, now).await, []);
    let lost = job("lost");
    insert(&store, std::slice::from_ref(&lost)).await;
    let mut liar = Liar::new(&redis).await.expect("there are lines");
    liar.lose(lost.id(), 5, "default").await;

    let (mut stored, mut claimed) = (BTreeSet::from([lost.id()]), Vec::new());
    let by = now + RESCAN + 3 * STEP;
    for round in 0.. {
        let number = if round % 3 == 2 { MAX - 1 } else { MAX };
        let jobs: Vec<Job> = (0..number)
            .map(|number| busy(&format!("busy {round} {number}"), busy_queue, priority))
            .collect();
        insert(&store, &jobs).await;
        stored.extend(jobs.iter().map(Job::id));
        claimed.extend(claim_at(&store, queues, now).await);
        if claimed.contains(&lost.id()) {
            break;
        }
        assert!(now < by, "it is not found beside {busy_queue} at {priority}");
        now = now + STEP;
    }
    // What it came before is left, and nothing else.
    claimed.extend(claim_at(&store, queues, now + RESCAN).await);
    assert_eq!(claimed.len(), stored.len(), "each is claimed once");
    assert_eq!(BTreeSet::from_iter(claimed), stored);
}

#[tokio::test]
async fn a_job_whose_entry_was_lost_runs_beside_a_busier_priority() {
    is_found_beside("default", 0, &["default"]).await;
    is_found_beside("default", 5, &["default"]).await;
}

#[tokio::test]
async fn a_job_whose_entry_was_lost_runs_beside_a_busy_queue() {
    is_found_beside("busy", 5, &["busy", "default"]).await;
    is_found_beside("busy", 5, &["default", "busy"]).await;
}

#[tokio::test]
async fn what_finds_no_room_in_its_line_is_claimed_from_postgres() {
    let Some((house, redis)) = servers() else { return };
    let store = open(&house.next(), &redis).await;
    assert_eq!(claim_from(&store, &["default"], 5).await, []);
    insert(&store, &[later("for a line")]).await;
    let mut liar = Liar::new(&redis).await.expect("there are lines");
    fill(&mut liar, "5:default").await;
    let full = liar.length("5:default").await;

    let jobs: Vec<Job> = (0..20).map(|number| job(&format!("job {number}"))).collect();
    insert(&store, &jobs).await;
    assert_eq!(liar.length("5:default").await, full, "there is no room");
    let mut claimed = Vec::new();
    while claimed.len() < jobs.len() {
        let some = claim_from(&store, &["default"], 7).await;
        assert!(!some.is_empty(), "the rest is claimed at once: {}", claimed.len());
        claimed.extend(some);
    }
    let mut expected: Vec<JobId> = jobs.iter().map(Job::id).collect();
    expected.sort_unstable();
    assert_eq!(claimed, expected, "in their order, each once");
}

/// Fills a line with entries of nobody, due in the end of time.
async fn fill(liar: &mut Liar, line: &str) {
    let key = liar.key(&format!("line:{line}"));
    for from in (0..DISPATCH_LINE).step_by(1_000) {
        let mut add = redis::cmd("ZADD");
        add.arg(&key);
        for number in from..from + 1_000 {
            let id = JobId::named(&format!("nobody {number}"));
            add.arg(0).arg([&[255; 8][..], id.0.as_bytes()].concat());
        }
        liar.ask::<()>(&add).await.expect("the server is there");
    }
}

#[tokio::test]
async fn what_a_dispatch_keeps_in_redis_goes_by_itself_when_nobody_uses_it_any_more() {
    let Some((house, redis)) = servers() else { return };
    let store = open(&house.next(), &redis).await;
    assert_eq!(claim_from(&store, &["default"], 5).await, []);
    let jobs: Vec<Job> = (0..10).map(|n| busy(&format!("job {n}"), "default", n)).collect();
    insert(&store, &jobs).await;
    let mut liar = Liar::new(&redis).await.expect("there are lines");
    let mut keys = redis::cmd("KEYS");
    keys.arg([&liar.key("")[..], b"*"].concat());
    let keys: Vec<Vec<u8>> = liar.ask(&keys).await.expect("the server is there");
    assert_eq!(keys.len(), 12, "ten lines, their places and their trust");
    for key in keys {
        let mut ask = redis::cmd("TTL");
        ask.arg(&key);
        let left: i64 = liar.ask(&ask).await.expect("the server is there");
        let name = String::from_utf8_lossy(&key).into_owned();
        assert!(
            (1..=DISPATCH_IDLE.as_secs().cast_signed()).contains(&left),
            "{name}: {left}"
        );
        let mut expire = redis::cmd("EXPIRE");
        expire.arg(&key).arg(0);
        liar.ask::<()>(&expire).await.expect("the server is there");
    }
    let mut claimed = Vec::new();
    until("every job is found all the same", async || {
        claimed.extend(claim_from(&store, &["default"], 3).await);
        claimed.len() == jobs.len()
    })
    .await;
    assert_eq!(
        claimed,
        jobs.iter().map(Job::id).collect::<Vec<_>>(),
        "in their order"
    );
}

#[tokio::test]
async fn jobs_that_came_with_a_change_without_an_answer_are_found_at_once() {
    let Some((house, redis)) = servers() else { return };
    let way = Way::to(&house.next()).await;
    let store = open(&way.url, &redis).await;
    for number in 0..10 {
        let mut before = job(&format!("before-{number}"));
        before.status.due = "2100-01-01T00:00:00Z".parse().expect("an instant");
        insert(&store, std::slice::from_ref(&before)).await;
        assert_eq!(claim_from(&store, &["default"], 5).await, []);
        let then = job(&format!("then-{number}"));
        let mut change = Change::delete(&before);
        change.then = vec![then.clone()];
        way.loses_commit.store(true, Ordering::Relaxed);
        let error = store.apply(&[change]).await.expect_err("its answer is lost");
        assert!(error.is_unknown(), "{error:?}");
        assert_eq!(claim_from(&store, &["default"], 5).await, [then.id()]);
    }
}
