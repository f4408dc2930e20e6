//! Claim and beat: the two verbs that move rows without deciding about them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::Tables;
use super::rows::Rows;
use crate::change::RecordKind;
use crate::job::{Job, JobId, State};
use crate::queue::{Gate, QueueName, QueueSettings};
use crate::run::{Beat, BeatRun, BeatVerdict, Beaten, Claim, ClaimFrom, Claimed};
use crate::time::Timestamp;

impl Tables {
    pub(super) fn claim(&mut self, claim: &Claim, now: Timestamp) -> Claimed {
        let (jobs, next_due) = match &claim.from {
            ClaimFrom::Queues(queues) => self.claim_queues(claim, queues, now),
            ClaimFrom::Ids(ids) => self.claim_ids(claim, ids, now),
        };
        let short = jobs.len() < claim.max;
        Claimed {
            jobs,
            next_due: next_due.filter(|_| short),
            now,
        }
    }

    fn claim_queues(&mut self, claim: &Claim, queues: &[QueueName], now: Timestamp) -> Taken {
        let mut jobs = Vec::new();
        let mut opens = Vec::new();
        for queue in queues {
            let mut gate = self.gate(queue);
            for id in self
                .rows
                .due(queue, now, gate.room(now).min(claim.max - jobs.len()))
            {
                gate.pass(now);
                jobs.push(self.start(id, claim, now));
            }
            let due = self.rows.next_due(queue, now);
            opens.extend(due.and_then(|due| gate.opens(due, now)));
            self.close(queue, &gate, now);
        }
        (jobs, opens.into_iter().min())
    }

    fn claim_ids(&mut self, claim: &Claim, ids: &[JobId], now: Timestamp) -> Taken {
        let mut gates: BTreeMap<QueueName, Gate> = BTreeMap::new();
        let mut jobs = Vec::new();
        let mut left = Vec::new();
        for id in ids {
            let Some(job) = self.rows.get(*id).filter(|job| can_start(job, now)) else {
                continue;
            };
            let (queue, due) = (job.body.queue.clone(), job.status.due);
            let gate = match gates.entry(queue.clone()) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => new.insert(self.gate(&queue)),
            };
            if due <= now && gate.room(now) > 0 && jobs.len() < claim.max {
                gate.pass(now);
                jobs.push(self.start(*id, claim, now));
            } else {
                left.push((queue, due));
            }
        }
        let next_due = left
            .iter()
            .filter_map(|(queue, due)| gates[queue].opens(*due, now));
        let next_due = next_due.min();
        gates
            .iter()
            .for_each(|(queue, gate)| self.close(queue, gate, now));
        (jobs, next_due)
    }

    /// Turns a waiting job into a running one.
    fn start(&mut self, id: JobId, claim: &Claim, now: Timestamp) -> Job {
        let mut job = self
            .rows
            .get(id)
            .expect("a line names only rows that are there")
            .clone();
        claim.start(&mut job.status, now);
        self.rows.put(job.clone());
        job
    }

    /// What the queue's settings allow.
    fn gate(&self, queue: &QueueName) -> Gate {
        let record = self.records.get(&(RecordKind::Queue, queue.as_str().to_owned()));
        let settings = match record {
            Some(record) => {
                QueueSettings::from_json(&record.document).unwrap_or_else(|_| QueueSettings::unreadable())
            }
            None => QueueSettings::default(),
        };
        let full_at = self.buckets.get(queue).copied().unwrap_or(Timestamp::MIN);
        Gate::new(&settings, self.rows.running_in(queue), full_at)
    }

    /// Remembers how far the queue's rate is used up.
    fn close(&mut self, queue: &QueueName, gate: &Gate, now: Timestamp) {
        if let Some(full_at) = gate.full_at(now) {
            self.buckets.insert(queue.clone(), full_at);
        }
    }

    pub(super) fn beat(&mut self, beat: &Beat, now: Timestamp) -> Beaten {
        self.note_worker(beat, now);
        let leased_until = now + beat.lease;
        let verdicts = beat.runs.iter().map(|run| self.beat_run(run, leased_until));
        Beaten {
            verdicts: verdicts.collect(),
            now,
        }
    }

    fn beat_run(&mut self, run: &BeatRun, leased_until: Timestamp) -> BeatVerdict {
        let Some(mut job) = self.rows.held(run.id).cloned() else {
            return BeatVerdict::Lost;
        };
        job.status.rev += 1;
        // An unset alarm is below every set one.
        if !job.status.deferred {
            job.status.alarm = job.status.alarm.max(Some(leased_until));
        }
        if let Some(progress) = &run.progress {
            job.status.progress = Some(progress.clone());
        }
        let cancelled = job.status.cancel.is_some();
        self.rows.put(job);
        if cancelled {
            BeatVerdict::Cancel
        } else {
            BeatVerdict::Held
        }
    }
}

type Taken = (Vec<Job>, Option<Timestamp>);

impl Rows {
    /// The first so many jobs of a queue that may start now.
    fn due(&self, queue: &QueueName, now: Timestamp, count: usize) -> Vec<JobId> {
        self.lines_of(queue)
            .flat_map(|line| line.iter().take_while(|(due, _)| *due <= now))
            .filter(|(_, id)| self.get(*id).is_some_and(|job| can_start(job, now)))
            .map(|(_, id)| *id)
            .take(count)
            .collect()
    }

    /// The earliest due instant of a queue's jobs that may start sooner or later.
    fn next_due(&self, queue: &QueueName, now: Timestamp) -> Option<Timestamp> {
        let firsts = self.lines_of(queue).filter_map(|line| {
            line.iter()
                .find(|(_, id)| self.get(*id).is_some_and(|job| can_start(job, now)))
        });
        firsts.map(|(due, _)| *due).min()
    }
}

/// Whether the job waits and its start deadline, if it has one, is still to come.
fn can_start(job: &Job, now: Timestamp) -> bool {
    job.status.state == State::Waiting && job.status.alarm.is_none_or(|deadline| deadline > now)
}
