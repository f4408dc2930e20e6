//! Plays each step on both stores.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

use bytes::Bytes;

use super::Told;
use super::decide::{self, Known};
use super::step::{Asked, Row, Seen, Setting, Step};
use crate::change::{RecordChange, RecordKind};
use crate::job::{JobId, Phase};
use crate::limits::LEASE_MIN;
use crate::queue::QueueName;
use crate::run::{Beat, BeatRun, Claim, ClaimFrom, RunId, WorkerId, WorkerInfo};
use crate::store::memory::MemoryStore;
use crate::store::{Answer, Filter, Store, View};
use crate::testing::sample::{NOW, id};
use crate::time::{Timestamp, milliseconds};

/// What a step comes to: nothing, or a difference.
pub(super) type Played = Result<(), Told>;

/// The model and the store under test, which live through the same.
pub(super) struct Twins {
    pub(super) memory: Arc<dyn Store>,
    pub(super) store: Arc<dyn Store>,
    pub(super) now: Timestamp,
    /// Every job that was ever spoken of.
    pub(super) jobs: BTreeSet<u8>,
    /// Every run that was ever claimed.
    pub(super) runs: BTreeSet<RunId>,
    known: Known,
}

impl Twins {
    pub(super) fn new(store: Arc<dyn Store>) -> Twins {
        Twins {
            memory: Arc::new(MemoryStore::default()),
            store,
            now: NOW,
            jobs: BTreeSet::new(),
            runs: BTreeSet::new(),
            known: Known::default(),
        }
    }

    pub(super) async fn play(&mut self, step: &Step) -> Played {
        match step {
            Step::Pass(length) => {
                self.now = self.now + milliseconds(u64::from(*length));
                Ok(())
            }
            Step::Insert(rows) => self.insert(rows).await,
            Step::Claim { queues, max, lease } => {
                let mut names: Vec<QueueName> = Vec::new();
                for queue in queues.iter().map(|queue| QueueName::from(decide::queue(*queue))) {
                    if !names.contains(&queue) {
                        names.push(queue);
                    }
                }
                self.claim(ClaimFrom::Queues(names), *max, *lease).await
            }
            Step::ClaimIds { jobs, max } => self.claim(ClaimFrom::Ids(ids(jobs)), *max, 1_000).await,
            Step::Beat { runs, news } => self.beat(runs, *news).await,
            Step::Change(decisions) => {
                let mut then = decisions.iter().flat_map(|decision| &decision.then);
                self.jobs.extend(then.by_ref().map(|row| row.job));
                self.learn(decisions.iter().map(|decision| decision.job)).await;
                let changes = self.known.decide(decisions, self.now);
                same(&changes, self.memory.apply(&changes), self.store.apply(&changes)).await?;
                self.learn(decisions.iter().map(|decision| decision.job)).await;
                Ok(())
            }
            Step::Set(settings) => self.set(settings).await,
            Step::Schedule(steps) => self.schedule(steps).await,
            Step::Print { job, seen, bytes } => {
                let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(*bytes as usize).collect();
                let run = self.run(*job, *seen);
                let (memory, store) = (&self.memory, &self.store);
                same(
                    &run,
                    memory.append_output(run, &bytes),
                    store.append_output(run, &bytes),
                )
                .await?;
                Ok(())
            }
            Step::Fetch(jobs) => {
                let ids = ids(jobs);
                same(&ids, self.memory.fetch(&ids), self.store.fetch(&ids)).await?;
                Ok(())
            }
            Step::List { view, asked, limit } => self.list(&self.filter(*view, *asked), *limit).await,
            Step::Overdue(limit) => {
                let now = Some(self.now);
                same(
                    limit,
                    self.memory.overdue(*limit, now),
                    self.store.overdue(*limit, now),
                )
                .await?;
                Ok(())
            }
            Step::Look => self.look().await,
        }
    }

    async fn insert(&mut self, rows: &[Row]) -> Played {
        self.jobs.extend(rows.iter().map(|row| row.job));
        let rows: Vec<_> = rows.iter().map(|row| decide::row(row, self.now)).collect();
        same(&rows, self.memory.insert(&rows), self.store.insert(&rows)).await?;
        Ok(())
    }

    async fn claim(&mut self, from: ClaimFrom, max: usize, lease: u32) -> Played {
        let claim = Claim {
            worker: WorkerId::from("worker"),
            from,
            max,
            lease: LEASE_MIN + milliseconds(u64::from(lease)),
            now: Some(self.now),
        };
        let (memory, store) = (self.memory.claim(claim.clone()), self.store.claim(claim.clone()));
        let claimed = same(&claim, memory, store).await?;
        let runs = claimed.iter().flat_map(|claimed| &claimed.jobs).map(|job| RunId {
            job: job.id(),
            run: job.status.run,
        });
        self.runs.extend(runs);
        Ok(())
    }

    async fn beat(&mut self, runs: &[(u8, Seen)], news: bool) -> Played {
        let runs: BTreeSet<RunId> = runs.iter().map(|(job, seen)| self.run(*job, *seen)).collect();
        let told = |run: RunId| BeatRun {
            id: run,
            progress: news.then(|| Bytes::from(format!("{}", run.run % 100))),
        };
        let beat = Beat {
            worker: WorkerInfo {
                id: WorkerId::from("worker"),
                host: "here".to_owned(),
                pid: 1,
                queues: Vec::new(),
                concurrency: 1,
                running: 1,
                started_at: NOW,
                stopping: false,
            },
            runs: runs.into_iter().map(told).collect(),
            lease: LEASE_MIN + milliseconds(700),
            stopped: false,
            now: Some(self.now),
        };
        let (memory, store) = (self.memory.beat(beat.clone()), self.store.beat(beat.clone()));
        same(&beat, memory, store).await?;
        Ok(())
    }

    async fn set(&mut self, settings: &[Setting]) -> Played {
        let there = self
            .memory
            .records(RecordKind::Queue, None, 100)
            .await
            .unwrap_or_default();
        let change = |setting: &Setting| {
            let name = decide::queue(setting.queue);
            let stored = there.iter().find(|record| record.name == name);
            RecordChange {
                kind: RecordKind::Queue,
                expect: stored.map_or(0, |record| record.rev) + u64::from(setting.off_by),
                name,
                becomes: setting.becomes.map(|becomes| decide::settings(becomes).to_json()),
            }
        };
        let changes: Vec<_> = settings.iter().map(change).collect();
        let (memory, store) = (
            self.memory.change_records(&changes),
            self.store.change_records(&changes),
        );
        same(&changes, memory, store).await?;
        Ok(())
    }

    fn filter(&self, view: View, asked: Asked) -> Filter {
        let mut filter = Filter {
            view,
            now: Some(self.now),
            ..Filter::default()
        };
        let ago = |length: u32| self.now - milliseconds(u64::from(length));
        match asked {
            Asked::All => {}
            Asked::Queue(number) => filter.queue = Some(QueueName::from(decide::queue(number))),
            Asked::Key(number) => filter.unique_key = Some(decide::key(number)),
            Asked::Ready => filter.phase = Some(Phase::Ready),
            Asked::Retrying => filter.phase = Some(Phase::Retrying),
            Asked::DueBefore(length) => filter.due_before = Some(ago(length)),
            Asked::EndedBefore(length) => filter.ended_before = Some(ago(length)),
            Asked::TagAndKind => {
                filter.tag = Some("even".to_owned());
                filter.kind = Some("third".to_owned());
            }
        }
        filter
    }

    /// The last run that this job was claimed for, or the one before it; one that never was, if there is none.
    fn run(&self, job: u8, seen: Seen) -> RunId {
        let job = id(u64::from(job));
        let runs = self
            .runs
            .range(RunId { job, run: 0 }..=RunId { job, run: u64::MAX });
        let back = usize::from(seen == Seen::Earlier);
        runs.rev().nth(back).copied().unwrap_or(RunId { job, run: 0 })
    }

    /// Learns how these jobs stand, from the model.
    async fn learn(&mut self, numbers: impl Iterator<Item = u8>) {
        for number in numbers {
            let rows = self
                .memory
                .fetch(&[id(u64::from(number))])
                .await
                .unwrap_or_default();
            for row in rows.iter().flatten() {
                self.known.learn(number, row);
            }
        }
    }
}

fn ids(jobs: &[u8]) -> Vec<JobId> {
    jobs.iter().map(|job| id(u64::from(*job))).collect()
}

/// Holds that both stores answer the same, or refuse for the same kind of reason. Gives the answer.
pub(super) async fn same<T: Debug + PartialEq>(
    asked: &impl Debug,
    memory: Answer<'_, T>,
    store: Answer<'_, T>,
) -> Result<Option<T>, Told> {
    let (memory, store) = (memory.await, store.await);
    let alike = match (&memory, &store) {
        (Ok(memory), Ok(store)) => memory == store,
        (Err(memory), Err(store)) => memory.kind() == store.kind(),
        _ => false,
    };
    if alike {
        return Ok(memory.ok());
    }
    Err(Told {
        asked: format!("{asked:?}"),
        memory: format!("{memory:?}"),
        store: format!("{store:?}"),
    })
}
