//! Rows, their indexes, and the two verbs that write what was decided.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::change::{Applied, Change, Holder, Inserted};
use crate::job::{Job, JobId, State};
use crate::queue::QueueName;
use crate::time::Timestamp;

/// Every job by its id, and the orders in which jobs are looked for. All indexes follow from the rows.
#[derive(Debug, Default)]
pub(super) struct Rows {
    jobs: BTreeMap<JobId, Job>,
    /// Waiting jobs of each queue and priority, by due instant.
    lines: BTreeMap<(QueueName, u8), BTreeSet<(Timestamp, JobId)>>,
    /// Waiting jobs by due instant.
    pub(super) waiting: BTreeSet<(Timestamp, JobId)>,
    /// Running jobs by the end of their lease.
    pub(super) running: BTreeSet<(Timestamp, JobId)>,
    /// Ended jobs, newest end first.
    pub(super) ended: BTreeSet<(Reverse<Timestamp>, JobId)>,
    /// Jobs that want to be looked at, by the instant at which they do.
    pub(super) alarms: BTreeSet<(Timestamp, JobId)>,
    /// Who holds each unique key.
    pub(super) keys: BTreeMap<String, JobId>,
    /// Jobs of each queue by state, in the order of [`State::ALL`].
    pub(super) counts: BTreeMap<QueueName, [u64; 5]>,
}

impl Rows {
    pub(super) fn get(&self, id: JobId) -> Option<&Job> {
        self.jobs.get(&id)
    }

    pub(super) fn all(&self) -> &BTreeMap<JobId, Job> {
        &self.jobs
    }

    /// A queue's waiting jobs by due instant, one line for each priority, the highest first.
    pub(super) fn lines_of(&self, queue: &QueueName) -> impl Iterator<Item = &BTreeSet<(Timestamp, JobId)>> {
        let first = (queue.clone(), u8::MIN);
        let last = (queue.clone(), u8::MAX);
        self.lines.range(first..=last).map(|(_, line)| line)
    }

    /// How many jobs of this queue are running.
    pub(super) fn running_in(&self, queue: &QueueName) -> u64 {
        self.counts
            .get(queue)
            .map_or(0, |jobs| jobs[State::Running as usize])
    }

    pub(super) fn insert(&mut self, job: &Job) -> Inserted {
        if let Some(there) = self.get(job.id()) {
            return Inserted::Exists {
                same: there.body.fingerprint == job.body.fingerprint,
            };
        }
        if let Some(holder) = self.holder(job) {
            return Inserted::Held(holder);
        }
        self.put(job.clone());
        Inserted::Inserted
    }

    /// Makes the change, and takes it back if a row that it wants to write stands against it.
    pub(super) fn apply(&mut self, change: &Change) -> Applied {
        let Some(before) = self.get(change.id).cloned() else {
            return Applied::Missing;
        };
        if before.status.rev != change.expect {
            return Applied::Stale(Box::new(before));
        }
        self.remove(change.id);
        match self.put_all(change, &before) {
            Ok(()) => Applied::Applied,
            Err(holder) => {
                self.put(before);
                Applied::Held(holder)
            }
        }
    }

    /// Puts in what the changed row becomes and what follows it: all, or nothing.
    fn put_all(&mut self, change: &Change, before: &Job) -> Result<(), Holder> {
        let becomes = change.becomes.as_ref().map(|status| Job {
            body: change.body.as_ref().unwrap_or(&before.body).clone(),
            status: status.clone(),
        });
        let mut done = Vec::new();
        for job in becomes.iter().chain(&change.then) {
            let taken = self.get(job.id()).map(Holder::of);
            if let Some(holder) = taken.or_else(|| self.holder(job)) {
                done.into_iter().for_each(|id| drop(self.remove(id)));
                return Err(holder);
            }
            done.push(job.id());
            self.put(job.clone());
        }
        Ok(())
    }

    /// Puts a row in place of the one with its id.
    pub(super) fn put(&mut self, job: Job) {
        self.remove(job.id());
        self.index(&job, true);
        self.jobs.insert(job.id(), job);
    }

    pub(super) fn remove(&mut self, id: JobId) -> Option<Job> {
        let job = self.jobs.remove(&id)?;
        self.index(&job, false);
        Some(job)
    }

    /// Which job holds the unique key that this one wants.
    fn holder(&self, job: &Job) -> Option<Holder> {
        let key = job.status.unique_key.as_ref()?;
        self.keys.get(key).and_then(|id| self.get(*id)).map(Holder::of)
    }

    /// Adds a row to every index, or takes it out of them.
    fn index(&mut self, job: &Job, present: bool) {
        let (id, body, status) = (job.id(), &job.body, &job.status);
        match status.state {
            State::Waiting => {
                let line = (body.queue.clone(), body.priority);
                keep(self.lines.entry(line).or_default(), (status.due, id), present);
                keep(&mut self.waiting, (status.due, id), present);
            }
            State::Running => keep(&mut self.running, (alarm(job), id), present),
            State::Succeeded | State::Failed | State::Cancelled => {
                keep(&mut self.ended, (Reverse(ended(job)), id), present);
            }
        }
        if let Some(alarm) = status.alarm {
            keep(&mut self.alarms, (alarm, id), present);
        }
        if let Some(key) = &status.unique_key {
            if present {
                self.keys.insert(key.clone(), id);
            } else {
                self.keys.remove(key);
            }
        }
        let count = &mut self.counts.entry(body.queue.clone()).or_default()[status.state as usize];
        *count = if present { *count + 1 } else { *count - 1 };
        self.forget_empty(job);
    }

    /// Lines and counts go with their last job.
    fn forget_empty(&mut self, job: &Job) {
        let line = (job.body.queue.clone(), job.body.priority);
        if self.lines.get(&line).is_some_and(BTreeSet::is_empty) {
            self.lines.remove(&line);
        }
        if self.counts.get(&line.0).is_some_and(|jobs| *jobs == [0; 5]) {
            self.counts.remove(&line.0);
        }
    }
}

/// Where a running job stands in its order. Every claim sets an alarm; a row that was inserted without one comes last.
pub(super) fn alarm(job: &Job) -> Timestamp {
    job.status.alarm.unwrap_or(Timestamp::MAX)
}

/// Where an ended job stands in its order. Every rule that ends a job says when; a row that was inserted without it
/// comes last.
pub(super) fn ended(job: &Job) -> Timestamp {
    job.status.ended_at.unwrap_or(Timestamp::MIN)
}

fn keep<T: Ord>(index: &mut BTreeSet<T>, entry: T, present: bool) {
    if present {
        index.insert(entry);
    } else {
        index.remove(&entry);
    }
}
