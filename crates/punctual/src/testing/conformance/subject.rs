//! The store under test, with the short forms that cases are written in.

use std::fmt::Debug;
use std::ops::Deref;
use std::sync::Arc;

use crate::change::{Applied, Change, Inserted, RecordApplied, RecordChange, RecordKind};
use crate::error::{Error, Kind};
use crate::job::{Job, JobId};
use crate::queue::{QueueName, QueueSettings};
use crate::run::{Beat, BeatRun, BeatVerdict, Claim, ClaimFrom, Claimed, RunId, WorkerId, WorkerInfo};
use crate::store::{Filter, Head, Page, Store, View};
use crate::testing::sample::{LEASE, NOW, id};
use crate::time::Timestamp;

/// No sample.
pub(super) const NOTHING: [u64; 0] = [];

#[derive(Clone)]
pub(super) struct Subject(Arc<dyn Store>);

impl Deref for Subject {
    type Target = dyn Store;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl Subject {
    pub(super) fn new(store: Arc<dyn Store>) -> Subject {
        Subject(store)
    }

    /// Inserts rows that nothing stands against.
    pub(super) async fn has(&self, jobs: &[Job]) {
        let answers = done(self.insert(jobs).await);
        assert_eq!(answers, vec![Inserted::Inserted; jobs.len()]);
    }

    pub(super) async fn insert_one(&self, job: Job) -> Inserted {
        only(done(self.insert(&[job]).await))
    }

    pub(super) async fn row(&self, n: u64) -> Option<Job> {
        only(done(self.fetch(&[id(n)]).await))
    }

    /// The row of sample `n`, which must be there.
    pub(super) async fn there(&self, n: u64) -> Job {
        let row = self.row(n).await;
        row.unwrap_or_else(|| panic!("sample {n} is not there"))
    }

    pub(super) async fn apply_one(&self, change: Change) -> Applied {
        only(done(self.apply(&[change]).await))
    }

    /// Claims from the queue `line`.
    pub(super) async fn claim_at(&self, max: usize, now: Timestamp) -> Claimed {
        done(self.claim(queues(&["line"], max, now)).await)
    }

    /// Claims from these queues; answers the numbers of the samples.
    pub(super) async fn claims(&self, names: &[&str], max: usize, now: Timestamp) -> Vec<u64> {
        numbers(&done(self.claim(queues(names, max, now)).await))
    }

    /// Inserts sample `n` made of `job` and claims it.
    pub(super) async fn runs(&self, job: Job) -> Job {
        self.has(std::slice::from_ref(&job)).await;
        let claimed = done(self.claim(ids(&[job.id()], 1, NOW)).await);
        only(claimed.jobs)
    }

    /// One heartbeat for these runs, without news.
    pub(super) async fn beat_at(&self, runs: &[RunId], now: Timestamp) -> Vec<BeatVerdict> {
        let runs = runs.iter().map(|run| BeatRun {
            id: *run,
            progress: None,
        });
        let beat = heartbeat(runs.collect(), Some(now));
        done(self.beat(beat).await).verdicts
    }

    pub(super) async fn set_queue(&self, name: &str, expect: u64, settings: &QueueSettings) {
        let answer = self.change_record(name, expect, Some(settings)).await;
        assert_eq!(answer, RecordApplied::Applied);
    }

    pub(super) async fn change_record(
        &self,
        name: &str,
        expect: u64,
        settings: Option<&QueueSettings>,
    ) -> RecordApplied {
        let change = RecordChange {
            kind: RecordKind::Queue,
            name: name.to_owned(),
            expect,
            becomes: settings.map(QueueSettings::to_json),
        };
        only(done(self.change_records(&[change]).await))
    }

    /// Every head that the filter lets through, page by page.
    pub(super) async fn walk(&self, filter: &Filter, limit: usize) -> Vec<Head> {
        let mut heads = Vec::new();
        let mut after = None;
        // More pages than any case can need.
        for _ in 0..10_000 {
            let listed = done(self.list(filter.clone(), Page { limit, after }).await);
            assert!(
                listed.items.len() <= limit,
                "a page has {} of {limit} items",
                listed.items.len()
            );
            heads.extend(listed.items);
            after = listed.next;
            if after.is_none() {
                return heads;
            }
        }
        panic!("the list has no end");
    }

    /// The numbers of the samples that the filter lets through.
    pub(super) async fn lists(&self, filter: Filter) -> Vec<u64> {
        let heads = self.walk(&filter, 100).await;
        heads.iter().map(|head| number(head.id)).collect()
    }

    /// Every row, by id.
    pub(super) async fn content(&self) -> Vec<Job> {
        let mut rows = Vec::new();
        let heads = self.walk(&view(View::All), 1_000).await;
        for heads in heads.chunks(500) {
            let ids: Vec<JobId> = heads.iter().map(|head| head.id).collect();
            rows.extend(done(self.fetch(&ids).await).into_iter().flatten());
        }
        rows
    }
}

pub(super) fn queues(names: &[&str], max: usize, now: Timestamp) -> Claim {
    Claim {
        worker: WorkerId::from("worker"),
        from: ClaimFrom::Queues(names.iter().map(|name| QueueName::from(*name)).collect()),
        max,
        lease: LEASE,
        now: Some(now),
    }
}

pub(super) fn ids(ids: &[JobId], max: usize, now: Timestamp) -> Claim {
    Claim {
        worker: WorkerId::from("worker"),
        from: ClaimFrom::Ids(ids.to_vec()),
        max,
        lease: LEASE,
        now: Some(now),
    }
}

pub(super) fn view(view: View) -> Filter {
    Filter {
        view,
        now: Some(NOW),
        ..Filter::default()
    }
}

pub(super) fn heartbeat(runs: Vec<BeatRun>, now: Option<Timestamp>) -> Beat {
    Beat {
        worker: worker_info("worker"),
        runs,
        lease: LEASE,
        stopped: false,
        now,
    }
}

pub(super) fn worker_info(name: &str) -> WorkerInfo {
    WorkerInfo {
        id: WorkerId::from(name),
        host: "höst".to_owned(),
        pid: u32::MAX,
        queues: vec![QueueName::from("line"), QueueName::from("a/b:c")],
        concurrency: 64,
        running: 3,
        started_at: NOW,
        stopping: false,
    }
}

/// The name of the run that this row is in.
pub(super) fn run_of(job: &Job) -> RunId {
    RunId {
        job: job.id(),
        run: job.status.run,
    }
}

/// Which sample has this id.
pub(super) fn number(of: JobId) -> u64 {
    of.0.as_u64_pair().1 & (u64::MAX >> 1)
}

pub(super) fn numbers(claimed: &Claimed) -> Vec<u64> {
    claimed.jobs.iter().map(|job| number(job.id())).collect()
}

pub(super) fn done<T>(answer: Result<T, Error>) -> T {
    answer.unwrap_or_else(|error| panic!("the store gave no answer: {error:?}"))
}

/// Holds that the store refused, and for the right reason.
pub(super) fn refused<T: Debug>(answer: Result<T, Error>) {
    let error = answer.expect_err("the store took what it must refuse");
    assert_eq!(error.kind(), Kind::Invalid, "{error:?}");
}

pub(super) fn only<T: Debug>(mut answers: Vec<T>) -> T {
    assert_eq!(answers.len(), 1, "one was asked for: {answers:?}");
    answers.remove(0)
}
