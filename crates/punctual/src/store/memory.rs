//! The memory store: the reference model, the specification one can run.
//!
//! It is as plain as can be: one lock around ordered maps, each verb one function that can be read beside the
//! documentation of [`Store`]. Other stores are compared with it, answer by answer, over random histories
//! (`testing::model`). It is also a store for tests and for work that may be forgotten: everything in it ends with it.

mod claim;
mod list;
mod output;
mod rows;
mod schedules;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future;

use self::output::Kept;
use self::rows::Rows;
use self::schedules::Plans;
use crate::change::{
    Applied, Change, Inserted, Record, RecordApplied, RecordChange, RecordKind, ScheduleApplied,
    ScheduleChange,
};
use crate::clock::{Clock, SystemClock};
use crate::error::Error;
use crate::job::{Job, JobId, State};
use crate::limits;
use crate::queue::{Counts, QueueName};
use crate::run::{Beat, Beaten, Claim, Claimed, RunId, WorkerId, WorkerSeen};
use crate::schedule::{Occurrence, OccurrenceKey, ScheduleId};
use crate::signals::{LocalSignals, Signals};
use crate::store::{
    Answer, Counted, Depth, Filter, Listed, Output, Overdue, Page, Report, ScheduleRows, Schedules, Store,
    checks,
};
use crate::time::Timestamp;

/// A store in this process, which ends with it. See the [module](self).
///
/// ```
/// use punctual::store::{Depth, Store, memory::MemoryStore};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let store = MemoryStore::default();
/// assert!(!store.check(Depth::Quick).await?.durable);
/// # Ok::<(), punctual::Error>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    tables: Mutex<Tables>,
    signals: LocalSignals,
}

impl MemoryStore {
    /// An empty store whose clock is this one.
    pub fn new(clock: Arc<dyn Clock>) -> MemoryStore {
        MemoryStore {
            clock,
            tables: Mutex::default(),
            signals: LocalSignals::new(),
        }
    }

    /// The instant that the caller takes for now, or that of the store's clock.
    fn now(&self, stepped: Option<Timestamp>) -> Timestamp {
        stepped.unwrap_or_else(|| self.clock.now())
    }

    /// An answer that is worked out when it is awaited, under the lock.
    fn answer<'a, T: Send + 'a>(
        &'a self,
        work: impl FnOnce(&mut Tables) -> Result<T, Error> + Send + 'a,
    ) -> Answer<'a, T> {
        future::lazy(move |_| work(&mut self.tables.lock().unwrap_or_else(PoisonError::into_inner))).boxed()
    }
}

/// An empty store with the machine's clock.
impl Default for MemoryStore {
    fn default() -> MemoryStore {
        MemoryStore::new(Arc::new(SystemClock::new()))
    }
}

impl Store for MemoryStore {
    fn insert<'a>(&'a self, jobs: &'a [Job]) -> Answer<'a, Vec<Inserted>> {
        self.answer(move |tables| {
            checks::insert(jobs)?;
            Ok(jobs.iter().map(|job| tables.rows.insert(job)).collect())
        })
    }

    fn claim(&self, claim: Claim) -> Answer<'_, Claimed> {
        self.answer(move |tables| {
            checks::claim(&claim)?;
            Ok(tables.claim(&claim, self.now(claim.now)))
        })
    }

    fn beat(&self, beat: Beat) -> Answer<'_, Beaten> {
        self.answer(move |tables| {
            checks::beat(&beat)?;
            Ok(tables.beat(&beat, self.now(beat.now)))
        })
    }

    fn apply<'a>(&'a self, changes: &'a [Change]) -> Answer<'a, Vec<Applied>> {
        self.answer(move |tables| {
            checks::apply(changes)?;
            Ok(changes.iter().map(|change| tables.apply(change)).collect())
        })
    }

    fn fetch<'a>(&'a self, ids: &'a [JobId]) -> Answer<'a, Vec<Option<Job>>> {
        self.answer(move |tables| {
            checks::fetch(ids.len())?;
            Ok(ids.iter().map(|id| tables.rows.get(*id).cloned()).collect())
        })
    }

    fn list(&self, filter: Filter, page: Page) -> Answer<'_, Listed> {
        self.answer(move |tables| {
            checks::list(&filter, &page)?;
            Ok(tables.rows.list(&filter, &page, self.now(filter.now)))
        })
    }

    fn overdue(&self, limit: usize, now: Option<Timestamp>) -> Answer<'_, Overdue> {
        self.answer(move |tables| {
            checks::overdue(limit)?;
            Ok(tables.overdue(limit, self.now(now)))
        })
    }

    fn counts(&self) -> Answer<'_, Counted> {
        self.answer(move |tables| Ok(tables.counts(self.clock.now())))
    }

    fn workers(&self) -> Answer<'_, Vec<WorkerSeen>> {
        self.answer(move |tables| Ok(tables.workers(self.clock.now())))
    }

    fn change_records<'a>(&'a self, changes: &'a [RecordChange]) -> Answer<'a, Vec<RecordApplied>> {
        self.answer(move |tables| {
            checks::change_records(changes)?;
            Ok(changes
                .iter()
                .map(|change| tables.change_record(change))
                .collect())
        })
    }

    fn records<'a>(
        &'a self,
        kind: RecordKind,
        after: Option<&'a str>,
        limit: usize,
    ) -> Answer<'a, Vec<Record>> {
        self.answer(move |tables| {
            checks::records(limit)?;
            Ok(tables.records(kind, after, limit))
        })
    }

    fn change_schedules<'a>(&'a self, changes: &'a [ScheduleChange]) -> Answer<'a, Vec<ScheduleApplied>> {
        self.answer(move |tables| {
            checks::change_schedules(changes)?;
            let Tables { plans, rows, .. } = tables;
            Ok(changes.iter().map(|change| plans.change(change, rows)).collect())
        })
    }

    fn schedules(&self, which: Schedules) -> Answer<'_, ScheduleRows> {
        self.answer(move |tables| {
            checks::schedules(&which)?;
            Ok(tables.plans.rows(&which))
        })
    }

    fn occurrences(
        &self,
        schedule: ScheduleId,
        before: Option<OccurrenceKey>,
        limit: usize,
    ) -> Answer<'_, Vec<Occurrence>> {
        self.answer(move |tables| {
            checks::occurrences(limit)?;
            Ok(tables.plans.occurrences(schedule, before, limit))
        })
    }

    fn append_output<'a>(&'a self, run: RunId, bytes: &'a [u8]) -> Answer<'a, bool> {
        self.answer(move |tables| {
            let held = tables.rows.held(run).is_some();
            if held {
                tables.outputs.entry(run).or_default().append(bytes);
            }
            Ok(held)
        })
    }

    fn output(&self, run: RunId, from: u64) -> Answer<'_, Output> {
        self.answer(move |tables| {
            let nothing = Kept::default();
            Ok(tables.outputs.get(&run).unwrap_or(&nothing).read(from))
        })
    }

    fn check(&self, _: Depth) -> Answer<'_, Report> {
        let report = Report {
            store: "memory",
            version: env!("CARGO_PKG_VERSION").to_owned(),
            schema: 0,
            durable: false,
            notes: vec!["Everything in it ends with its process.".to_owned()],
            clock_ahead_micros: 0,
            latency: Duration::ZERO,
        };
        self.answer(move |_| Ok(report))
    }

    fn signals(&self) -> &dyn Signals {
        &self.signals
    }
}

/// All that the store holds.
#[derive(Debug, Default)]
struct Tables {
    rows: Rows,
    plans: Plans,
    records: BTreeMap<(RecordKind, String), Record>,
    /// When the bucket of each queue with a rate is full again.
    buckets: BTreeMap<QueueName, Timestamp>,
    workers: BTreeMap<WorkerId, WorkerSeen>,
    outputs: BTreeMap<RunId, Kept>,
}

impl Tables {
    fn apply(&mut self, change: &Change) -> Applied {
        let applied = self.rows.apply(change);
        if applied != Applied::Applied {
            return applied;
        }
        if change.becomes.is_none() {
            self.forget_outputs(change.id);
        }
        if let Some(schedule) = change.pokes {
            self.plans.poke(schedule);
        }
        applied
    }

    fn forget_outputs(&mut self, job: JobId) {
        let runs = RunId { job, run: u64::MIN }..=RunId { job, run: u64::MAX };
        let runs: Vec<RunId> = self.outputs.range(runs).map(|(run, _)| *run).collect();
        runs.iter().for_each(|run| drop(self.outputs.remove(run)));
    }

    fn overdue(&self, limit: usize, now: Timestamp) -> Overdue {
        let mut alarms = self.rows.alarms.iter().peekable();
        let mut jobs = Vec::new();
        while jobs.len() < limit
            && let Some((_, id)) = alarms.next_if(|(alarm, _)| *alarm <= now)
        {
            jobs.extend(self.rows.get(*id).cloned());
        }
        let next = alarms.peek().map(|(alarm, _)| *alarm);
        Overdue { jobs, next, now }
    }

    fn counts(&self, now: Timestamp) -> Counted {
        let queues = self.rows.counts.iter().map(|(queue, jobs)| Counts {
            queue: queue.clone(),
            jobs: *jobs,
            oldest_ready: self
                .rows
                .oldest_due(queue)
                .and_then(|due| (due <= now).then(|| now.since(due))),
        });
        Counted {
            queues: queues.collect(),
            age: Duration::ZERO,
        }
    }

    /// Keeps a worker's news, and drops workers that are forgotten so that no more are kept than were lately alive.
    fn note_worker(&mut self, beat: &Beat, now: Timestamp) {
        self.workers.retain(|_, seen| remembered(seen.beat_at, now));
        let id = &beat.worker.id;
        if beat.stopped {
            self.workers.remove(id);
            return;
        }
        let seen = WorkerSeen {
            worker: beat.worker.clone(),
            beat_at: now,
            lease: beat.lease,
        };
        self.workers.insert(id.clone(), seen);
    }

    fn workers(&self, now: Timestamp) -> Vec<WorkerSeen> {
        let workers = self.workers.values();
        let workers = workers.filter(|seen| remembered(seen.beat_at, now));
        workers.cloned().collect()
    }

    fn change_record(&mut self, change: &RecordChange) -> RecordApplied {
        let name = (change.kind, change.name.clone());
        let there = self.records.get(&name);
        if there.map_or(0, |record| record.rev) != change.expect {
            return RecordApplied::Stale(there.cloned());
        }
        if let Some(document) = &change.becomes {
            let record = Record {
                kind: change.kind,
                name: change.name.clone(),
                rev: change.expect + 1,
                document: document.clone(),
            };
            self.records.insert(name, record);
        } else {
            self.records.remove(&name);
            match change.kind {
                RecordKind::Queue => drop(self.buckets.remove(&QueueName::from(change.name.as_str()))),
                RecordKind::TokenKey | RecordKind::Calendar => {}
            }
        }
        RecordApplied::Applied
    }

    fn records(&self, kind: RecordKind, after: Option<&str>, limit: usize) -> Vec<Record> {
        let from = match after {
            Some(name) => Bound::Excluded((kind, name.to_owned())),
            None => Bound::Included((kind, String::new())),
        };
        let records = self.records.range((from, Bound::Unbounded));
        let records = records.take_while(|((other, _), _)| *other == kind);
        records.map(|(_, record)| record.clone()).take(limit).collect()
    }
}

impl Rows {
    /// The row that this run still holds.
    fn held(&self, run: RunId) -> Option<&Job> {
        self.get(run.job)
            .filter(|job| job.status.state == State::Running && job.status.run == run.run)
    }

    /// The earliest due instant among a queue's waiting jobs.
    fn oldest_due(&self, queue: &QueueName) -> Option<Timestamp> {
        let firsts = self.lines_of(queue).filter_map(|line| line.first());
        firsts.map(|(due, _)| *due).min()
    }
}

fn remembered(beat_at: Timestamp, now: Timestamp) -> bool {
    beat_at + limits::WORKER_FORGOTTEN >= now
}
