//! Claim and beat: the two verbs that move rows without deciding about them.

use std::collections::BTreeMap;

use super::Tables;
use super::rows::Rows;
use crate::change::RecordKind;
use crate::error::Error;
use crate::job::{Job, JobId, State};
use crate::queue::{QueueName, QueueSettings, Rate};
use crate::run::{Beat, BeatRun, BeatVerdict, Beaten, Claim, ClaimFrom, Claimed};
use crate::time::Timestamp;

impl Tables {
    pub(super) fn claim(&mut self, claim: &Claim, now: Timestamp) -> Result<Claimed, Error> {
        let (jobs, next_due) = match &claim.from {
            ClaimFrom::Queues(queues) => self.claim_queues(claim, queues, now)?,
            ClaimFrom::Ids(ids) => self.claim_ids(claim, ids, now)?,
        };
        let short = jobs.len() < claim.max;
        Ok(Claimed {
            jobs,
            next_due: next_due.filter(|_| short),
            now,
        })
    }

    fn claim_queues(&mut self, claim: &Claim, queues: &[QueueName], now: Timestamp) -> Result<Taken, Error> {
        let mut jobs = Vec::new();
        let mut next_due: Option<Timestamp> = None;
        for queue in queues {
            let mut gate = self.gate(queue)?;
            for id in self
                .rows
                .due(queue, now, gate.room(now).min(claim.max - jobs.len()))
            {
                gate.pass(now);
                jobs.push(self.start(id, claim, now));
            }
            let due = self.rows.next_due(queue, now);
            next_due = earlier(next_due, due.and_then(|due| gate.opens(due, now)));
            self.close(queue, &gate, now);
        }
        Ok((jobs, next_due))
    }

    fn claim_ids(&mut self, claim: &Claim, ids: &[JobId], now: Timestamp) -> Result<Taken, Error> {
        let mut gates: BTreeMap<QueueName, Gate> = BTreeMap::new();
        let mut jobs = Vec::new();
        let mut left = Vec::new();
        for id in ids {
            let Some(job) = self.rows.get(*id).filter(|job| can_start(job, now)) else {
                continue;
            };
            let (queue, due) = (job.body.queue.clone(), job.status.due);
            if !gates.contains_key(&queue) {
                gates.insert(queue.clone(), self.gate(&queue)?);
            }
            let gate = gates.get_mut(&queue).expect("it was put there just now");
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
        Ok((jobs, next_due))
    }

    /// Turns a waiting job into a running one.
    fn start(&mut self, id: JobId, claim: &Claim, now: Timestamp) -> Job {
        let mut job = self
            .rows
            .get(id)
            .expect("a line names only rows that are there")
            .clone();
        let status = &mut job.status;
        status.state = State::Running;
        status.rev += 1;
        status.run = status.rev;
        status.attempt += 1;
        status.started_at = Some(now);
        status.first_started_at.get_or_insert(now);
        status.alarm = Some(now + claim.lease);
        status.worker = Some(claim.worker.clone());
        self.rows.put(job.clone());
        job
    }

    /// What the queue's settings allow.
    fn gate(&self, queue: &QueueName) -> Result<Gate, Error> {
        let record = self.records.get(&(RecordKind::Queue, queue.as_str().to_owned()));
        let settings = match record {
            Some(record) => QueueSettings::from_json(&record.document)?,
            None => QueueSettings::default(),
        };
        let limit = settings.max_running.map_or(u64::MAX, u64::from);
        let full_at = self.buckets.get(queue).copied().unwrap_or(Timestamp::MIN);
        Ok(Gate {
            paused: settings.paused.is_some(),
            slots: limit.saturating_sub(self.rows.running_in(queue)),
            bucket: settings.rate.map(|rate| (rate, full_at)),
        })
    }

    /// Remembers how far the queue's rate is used up.
    fn close(&mut self, queue: &QueueName, gate: &Gate, now: Timestamp) {
        if let Some((rate, full_at)) = gate.bucket {
            self.buckets.insert(queue.clone(), rate.drawn(full_at, 0, now));
        }
    }

    pub(super) fn beat(&mut self, beat: &Beat, now: Timestamp) -> Beaten {
        self.note_worker(&beat.worker, now);
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
        job.status.alarm = job.status.alarm.max(Some(leased_until));
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

/// What a queue's settings still allow in the course of one claim.
struct Gate {
    paused: bool,
    /// How many more may run beside those that do.
    slots: u64,
    /// The queue's rate, and when its bucket is full again.
    bucket: Option<(Rate, Timestamp)>,
}

impl Gate {
    /// How many jobs may start.
    fn room(&self, now: Timestamp) -> usize {
        if self.paused {
            return 0;
        }
        let saved = self
            .bucket
            .map_or(u64::MAX, |(rate, full_at)| rate.room(full_at, now).into());
        usize::try_from(self.slots.min(saved)).unwrap_or(usize::MAX)
    }

    /// One job starts.
    fn pass(&mut self, now: Timestamp) {
        self.slots -= 1;
        if let Some((rate, full_at)) = &mut self.bucket {
            *full_at = rate.drawn(*full_at, 1, now);
        }
    }

    /// From when on a job that is due then may start, as far as time alone tells: nobody knows when a pause ends or
    /// a slot becomes free.
    fn opens(&self, due: Timestamp, now: Timestamp) -> Option<Timestamp> {
        if self.paused || self.slots == 0 {
            return None;
        }
        let next = self.bucket.map(|(rate, full_at)| rate.next(full_at, now));
        Some(next.map_or(due, |next| next.max(due)))
    }
}

impl Rows {
    /// The first so many jobs of a queue that may start now.
    fn due(&self, queue: &QueueName, now: Timestamp, count: usize) -> Vec<JobId> {
        let lines = self
            .lines
            .range((queue.clone(), u8::MIN)..=(queue.clone(), u8::MAX));
        lines
            .flat_map(|(_, line)| line.iter().take_while(|(due, _)| *due <= now))
            .filter(|(_, id)| self.get(*id).is_some_and(|job| can_start(job, now)))
            .map(|(_, id)| *id)
            .take(count)
            .collect()
    }

    /// The earliest due instant of a queue's jobs that may start sooner or later.
    fn next_due(&self, queue: &QueueName, now: Timestamp) -> Option<Timestamp> {
        let lines = self
            .lines
            .range((queue.clone(), u8::MIN)..=(queue.clone(), u8::MAX));
        lines
            .filter_map(|(_, line)| {
                line.iter()
                    .find(|(_, id)| self.get(*id).is_some_and(|job| can_start(job, now)))
                    .map(|(due, _)| *due)
            })
            .min()
    }
}

/// Whether the job waits and its start deadline, if it has one, is still to come.
fn can_start(job: &Job, now: Timestamp) -> bool {
    job.status.state == State::Waiting && job.status.alarm.is_none_or(|deadline| deadline > now)
}

fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    [one, other].into_iter().flatten().min()
}
