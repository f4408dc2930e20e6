//! Redis away, flushed, restarted and lied to, under load.

use punctual::store::Depth;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use punctual::job::Job;
use punctual::time::Timestamp;
use tokio::task::JoinSet;

use super::lies::{Liar, entry};
use super::{House, JobId, Store, claim_from, insert, job, open, success, try_claim, until};
use crate::redis::server::Server;

/// Jobs that run while Redis comes to harm.
const JOBS: usize = 20_000;
const PROCESSES: usize = 4;

/// A job that is not due in the time of a test.
pub(super) fn later(name: &str) -> Job {
    let mut job = job(name);
    job.status.due = Timestamp::MAX;
    job
}

/// How often each job ran.
#[derive(Clone, Default)]
pub(super) struct Ran(Arc<Mutex<BTreeMap<JobId, u32>>>);

impl Ran {
    pub(super) fn note(&self, job: JobId) {
        *self.ran().entry(job).or_default() += 1;
    }

    pub(super) fn has_all(&self, jobs: &[JobId]) -> bool {
        let ran = self.ran();
        jobs.iter().all(|job| ran.contains_key(job))
    }

    pub(super) fn count(&self) -> usize {
        self.ran().len()
    }

    pub(super) fn more_than_once(&self) -> Vec<(JobId, u32)> {
        let ran = self.ran();
        let again = ran.iter().filter(|(_, times)| **times != 1);
        again.map(|(job, times)| (*job, *times)).collect()
    }

    fn ran(&self) -> MutexGuard<'_, BTreeMap<JobId, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stores its share of the jobs and runs whatever comes, until all have run.
async fn work_until_all_ran(store: Arc<dyn Store>, process: usize, ran: Ran) {
    let mut left: Vec<Job> = (process..JOBS)
        .step_by(PROCESSES)
        .map(|number| job(&format!("job {number}")))
        .collect();
    while ran.count() < JOBS {
        let batch = left.split_off(left.len().saturating_sub(100));
        if !batch.is_empty() {
            insert(&*store, &batch).await;
        }
        for _ in 0..8 {
            let claimed = try_claim(&*store, 15).await.expect("the store gives jobs").jobs;
            claimed.iter().for_each(|job| ran.note(job.id()));
            let ended: Vec<_> = claimed.iter().map(success).collect();
            store.apply(&ended).await.expect("the store takes changes");
            if claimed.is_empty() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
    }
}

/// Does harm to Redis, in all ways one after the other, until it is enough.
async fn harm_until(server: Server, enough: Arc<AtomicBool>) -> usize {
    let mut rounds = 0;
    while !enough.load(Ordering::Relaxed) {
        if let Some(mut liar) = Liar::new(server.url()).await {
            for number in 0..200 {
                let id = JobId::named(&format!("job {}", number * 7 % JOBS));
                liar.claim_to_stand(id, (number % 10) as u8, "default").await;
                liar.add("2:default", &entry(id)).await;
                let nobody = JobId::named(&format!("nobody {rounds} {number}"));
                liar.claim_to_stand(nobody, 0, "default").await;
            }
            if rounds % 3 == 1 {
                liar.flush().await;
            }
        }
        if rounds % 5 == 4 {
            tokio::task::block_in_place(|| server.restart());
        }
        rounds += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    rounds
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_job_runs_once_though_redis_is_flushed_killed_and_filled_with_lies() {
    let (Some(house), Some(server)) = (House::shared(), Server::start(&[])) else {
        return;
    };
    let (url, through) = (house.next(), server.url().to_owned());
    let (ran, enough) = (Ran::default(), Arc::new(AtomicBool::new(false)));
    let mut processes = JoinSet::new();
    for process in 0..PROCESSES {
        let store: Arc<dyn Store> = Arc::new(open(&url, &through).await);
        processes.spawn(work_until_all_ran(store, process, ran.clone()));
    }
    let harming = tokio::spawn(harm_until(server, Arc::clone(&enough)));
    processes.join_all().await;
    enough.store(true, Ordering::Relaxed);
    let rounds = harming.await.expect("it does not panic");
    assert!(rounds > 3, "there was no time to do harm: {rounds}");
    assert_eq!(ran.more_than_once(), []);
    assert_eq!(ran.count(), JOBS);
}

#[tokio::test]
async fn work_goes_on_without_redis_and_lines_serve_again_when_it_is_back() {
    let (Some(house), Some(server)) = (House::shared(), Server::start(&[])) else {
        return;
    };
    server.kill();
    let store = open(&house.next(), server.url()).await;
    let names = |round: u32| (0..3).map(move |number| format!("job {round} {number}"));
    let run = async |round: u32| {
        let jobs: Vec<Job> = names(round).map(|name| job(&name)).collect();
        insert(&store, &jobs).await;
        assert_eq!(claim_from(&store, &["default"], 5).await.len(), 3);
        assert_eq!(claim_from(&store, &["default"], 5).await, []);
    };
    let mut probes = 0;
    for round in 0..3 {
        run(2 * round).await;
        server.restart();
        until("jobs stand in lines again", async || {
            probes += 1;
            insert(&store, &[later(&format!("probe {probes}"))]).await;
            Liar::new(server.url()).await.is_some()
        })
        .await;
        run(2 * round + 1).await;
        server.kill();
    }
}

#[tokio::test]
async fn who_may_not_do_everything_in_redis_needs_no_more_rights_than_the_docs_say() {
    let (Some(house), Some(server)) = (House::shared(), Server::start(&[])) else {
        return;
    };
    let docs = include_str!("../../../../../docs/stores.md");
    let rights = docs
        .lines()
        .find_map(|line| line.strip_prefix("Its user needs `"));
    let rights = rights.expect("the docs say it").trim_end_matches("`.");
    let client = redis::Client::open(server.url()).expect("it is a URL");
    let mut connection = client
        .get_multiplexed_async_connection()
        .await
        .expect("it is there");
    let mut grant = redis::cmd("ACL");
    grant.arg("SETUSER").arg("ann").arg("on").arg(">secret");
    for right in rights.split(' ') {
        grant.arg(right);
    }
    let granted: Result<(), _> = grant.query_async(&mut connection).await;
    granted.expect("these are rights");

    let through = server.url().replace("redis://", "redis://ann:secret@");
    let store = open(&house.next(), &through).await;
    assert_eq!(claim_from(&store, &["default"], 5).await, []);
    insert(&store, &[job("a"), later("b")]).await;
    assert!(Liar::new(server.url()).await.is_some(), "jobs stand in lines");
    assert_eq!(claim_from(&store, &["default"], 5).await, [JobId::named("a")]);
    let notes = store
        .check(Depth::Quick)
        .await
        .expect("it is there")
        .notes
        .join(" ");
    assert!(notes.contains("which answers"), "{notes}");
    let mut denied = redis::cmd("ACL");
    denied.arg("LOG");
    let denied: Vec<redis::Value> = denied.query_async(&mut connection).await.expect("it tells");
    assert!(denied.is_empty(), "{denied:?}");
}
