//! The two things that lanes write: new rows, and changes of rows.

use std::sync::Arc;

use crate::change::{Applied, Change, Inserted};
use crate::job::{Body, Job, Status};
use crate::signals::Signal;
use crate::store::{Answer, Store};

use super::lane::Write;

/// What a row takes beside what its user wrote, in bytes, more or less.
const ROW_BYTES: usize = 256;

/// Inserts new rows.
pub(super) struct Inserts(pub(super) Arc<dyn Store>);

impl Write for Inserts {
    type Item = Job;
    type Out = Inserted;

    fn bytes(job: &Job) -> usize {
        ROW_BYTES + body_bytes(&job.body)
    }

    fn takes_key(job: &Job) -> bool {
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

    fn tell(&self, signals: &[Signal]) {
        self.0.signals().send(signals);
    }
}

/// Applies changes.
pub(super) struct Changes(pub(super) Arc<dyn Store>);

impl Write for Changes {
    type Item = Change;
    type Out = Applied;

    fn bytes(change: &Change) -> usize {
        let status = change.becomes.as_ref().map_or(0, status_bytes);
        let body = change.body.as_ref().map_or(0, |body| body_bytes(body));
        ROW_BYTES + status + body + change.then.iter().map(Inserts::bytes).sum::<usize>()
    }

    fn takes_key(change: &Change) -> bool {
        change
            .becomes
            .as_ref()
            .is_some_and(|status| status.unique_key.is_some())
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
