//! The two things that lanes write: new rows, and changes of rows.

use std::sync::Arc;

use crate::change::{Applied, Change, Inserted};
use crate::job::{Body, Job, Status};
use crate::queue::QueueName;
use crate::schedule::AT_ONCE;
use crate::signals::Signal;
use crate::store::{Answer, Store};
use crate::time::Timestamp;

use super::lane::{Told, Write};

/// What a row takes beside what its user wrote, in bytes, more or less.
const ROW_BYTES: usize = 256;

/// Inserts new rows.
pub(super) struct Inserts(pub(super) Arc<dyn Store>);

impl Write for Inserts {
    type Item = Job;
    type Tell = ();
    type Out = Inserted;

    fn bytes(job: &Job) -> usize {
        ROW_BYTES + body_bytes(&job.body)
    }

    fn may_wait(job: &Job) -> bool {
        job.status.unique_key.is_some()
    }

    fn write<'a>(&'a self, jobs: &'a [Job]) -> Answer<'a, Vec<Inserted>> {
        self.0.insert(jobs)
    }

    fn repeated(_: &Job, out: Inserted) -> Inserted {
        match out {
            Inserted::Exists { same: true } => Inserted::Inserted,
            out => out,
        }
    }

    fn stands(out: &Inserted) -> bool {
        *out == Inserted::Inserted
    }

    fn gather(job: &Job, (): &(), told: &mut Told) {
        told.due(&job.body.queue, job.status.due);
    }

    fn tell(&self, signals: &[Signal]) {
        self.0.signals().send(signals);
    }
}

/// What others are told of a change once it stands, beside the jobs that come with it.
#[derive(Clone, Debug, Default)]
pub(super) struct Tell {
    /// The job's queue has work that is due then.
    pub(super) due: Option<(QueueName, Timestamp)>,
    /// What happened to the job itself.
    pub(super) job: Option<Signal>,
}

/// Applies changes.
pub(super) struct Changes(pub(super) Arc<dyn Store>);

impl Write for Changes {
    type Item = Change;
    type Tell = Tell;
    type Out = Applied;

    fn bytes(change: &Change) -> usize {
        let status = change.becomes.as_ref().map_or(0, status_bytes);
        let body = change.body.as_ref().map_or(0, |body| body_bytes(body));
        ROW_BYTES + status + body + change.then.iter().map(Inserts::bytes).sum::<usize>()
    }

    fn may_wait(change: &Change) -> bool {
        let status = change.becomes.as_ref();
        change.pokes.is_some() || status.is_some_and(|status| status.unique_key.is_some())
    }

    fn write<'a>(&'a self, changes: &'a [Change]) -> Answer<'a, Vec<Applied>> {
        self.0.apply(changes)
    }

    fn repeated(change: &Change, out: Applied) -> Applied {
        let stands = match &out {
            Applied::Stale(row) => stands_in(change, Some(row)),
            Applied::Missing => stands_in(change, None),
            Applied::Applied | Applied::Held(_) => false,
        };
        if stands { Applied::Applied } else { out }
    }

    fn stands(out: &Applied) -> bool {
        *out == Applied::Applied
    }

    fn gather(change: &Change, tell: &Tell, told: &mut Told) {
        tell.job.iter().cloned().for_each(|signal| told.signal(signal));
        tell.due.iter().for_each(|(queue, at)| told.due(queue, *at));
        for job in &change.then {
            told.due(&job.body.queue, job.status.due);
        }
        if change.pokes.is_some() {
            told.look(AT_ONCE);
        }
    }

    fn tell(&self, signals: &[Signal]) {
        self.0.signals().send(signals);
    }
}

/// Whether `row` is what `change` made of it, so that a change of which no answer came can be taken for done.
pub(super) fn stands_in(change: &Change, row: Option<&Job>) -> bool {
    match (&change.becomes, row) {
        (Some(becomes), Some(row)) => {
            row.status == *becomes && change.body.as_ref().is_none_or(|body| *body == row.body)
        }
        (None, None) => true,
        _ => false,
    }
}

fn body_bytes(body: &Body) -> usize {
    body.payload.len() + body.tags.iter().map(String::len).sum::<usize>()
}

fn status_bytes(status: &Status) -> usize {
    let errors = status.history.iter().filter_map(|attempt| attempt.error.as_ref());
    status.result.as_ref().map_or(0, |result| result.len()) + errors.map(String::len).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{Defaults, JobId, NewJob};
    use crate::rules;

    fn job(queue: &str) -> Job {
        let defaults = Defaults::default();
        let moment = rules::Moment {
            now: Timestamp::EPOCH,
            defaults: &defaults,
            retention: defaults.retention,
            chance: 0.0,
        };
        let new = NewJob::bytes("work", "{}").queue(queue);
        let admitted = rules::admit::admit(new, JobId::named(queue), &moment);
        admitted.expect("it may be inserted").job
    }

    #[test]
    fn the_queues_of_jobs_that_come_with_a_change_are_told_of_too() {
        let gone = job("a");
        let mut change = Change::delete(&gone);
        change.then = vec![job("b"), job("c")];
        let mut told = Told::default();
        Changes::gather(&change, &Tell::default(), &mut told);
        let due = |queue: &str| Signal::Due(QueueName::from(queue), Timestamp::EPOCH);
        assert_eq!(told.into_signals(), [due("b"), due("c")]);
    }
}
