//! Moving: all that a store keeps, as plain data, out of one store and into another.
//!
//! A job is moved as its whole row, with the output of its runs; nothing of it is decided anew. Each row is as it was at one
//! instant, but the rows of a store that is in use are of no single one.
//!
//! ```text
//!  one store ── records, jobs with their output, schedules with their ledgers, a page at a time ──▶ another store
//!               what is there already, by its name, is left as it is there
//! ```

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use tracing::Instrument;

use crate::change::{Inserted, Record, RecordApplied, RecordChange, RecordKind};
use crate::error::Error;
use crate::job::Job;
use crate::limits::{EXPORT_JOBS, IMPORT_JOBS, PAGE_ITEMS};
use crate::rules::whole;
use crate::store::{Cursor, Filter, Page};

use super::{Core, Engine};

mod output;
mod parked;
mod schedules;

pub use schedules::Arrival;

/// Who holds what is parked until it is whole, for people who look at it.
const HOLDER: &str = "(being imported)";

/// A job on its way from one store to another.
#[derive(Clone, Debug, PartialEq)]
pub struct Moved {
    /// Its row.
    pub job: Job,
    /// What its runs have put out, those that are in its history and the last one, oldest first. A run that put nothing out
    /// is not among them.
    pub output: Vec<Kept>,
}

/// What is kept of one run's output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// The run.
    pub run: u64,
    /// What it put out, as far as its first half of [`OUTPUT_BYTES`](crate::limits::OUTPUT_BYTES) reaches, or all of it.
    pub head: Bytes,
    /// How many bytes are missing behind it.
    pub left_out: u64,
    /// What came last.
    pub tail: Bytes,
}

/// A page of an export.
#[derive(Clone, Debug, PartialEq)]
pub struct Exported {
    /// The jobs.
    pub jobs: Vec<Moved>,
    /// Where the next page begins; unset at the end.
    pub next: Option<Cursor>,
}

/// What an import of one thing came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Imported {
    /// It is there now, and durable.
    Added,
    /// It was there already, and is as it was.
    There,
}

impl Engine {
    /// A page of whole jobs, by their ids, from behind `after` on. A job that is there from the first page to the last is in one
    /// of them, as it was at one instant.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the store cannot be read; `Internal` if a row cannot: an export leaves none out.
    pub async fn export(&self, after: Option<Cursor>) -> Result<Exported, Error> {
        let span = tracing::debug_span!("export");
        self.core.export(after).instrument(span).await
    }

    /// A page of records of a kind whose names come after `after`, in the order of their names. The last page is empty.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the store cannot be read.
    pub async fn export_records(&self, kind: RecordKind, after: Option<&str>) -> Result<Vec<Record>, Error> {
        let span = tracing::debug_span!("export_records");
        let records = self.core.store.records(kind, after, PAGE_ITEMS);
        records.instrument(span).await
    }

    /// Inserts whole jobs, in whatever state, and answers for each in order. A job that is there, under its id, is left as it is
    /// there. One that runs keeps its lease, and is taken back when that ends unless its worker beats here. A call that is
    /// dropped has inserted any part of the batch; the same call again inserts the rest.
    ///
    /// # Errors
    ///
    /// `Invalid` with every field of a row that no rule can have made. `Conflict`: another job has its id, or holds its unique
    /// key. `Unavailable`: nothing of that job was stored, or of one with output, not all. `Internal`: it is not known.
    pub async fn import(&self, jobs: Vec<Moved>) -> Vec<Result<Imported, Error>> {
        let span = tracing::debug_span!("import", jobs = jobs.len());
        self.core.import(jobs).instrument(span).await
    }

    /// Writes a record unless there is one of its name.
    ///
    /// # Errors
    ///
    /// `Conflict` if there is one with another document; `Invalid` if its kind cannot have this document.
    pub async fn import_record(
        &self,
        kind: RecordKind,
        name: &str,
        document: Bytes,
    ) -> Result<Imported, Error> {
        let span = tracing::debug_span!("import_record", kind = kind.as_str(), name);
        let imported = self.core.import_record(kind, name, document);
        imported.instrument(span).await
    }
}

impl Core {
    async fn export(&self, after: Option<Cursor>) -> Result<Exported, Error> {
        let page = Page {
            limit: EXPORT_JOBS,
            after,
        };
        let listed = self.store.list(Filter::default(), page).await?;
        let ids: Vec<_> = listed.items.iter().map(|head| head.id).collect();
        let mut jobs = Vec::with_capacity(ids.len());
        for row in self.fetch_each(&ids).await? {
            // One that was deleted meanwhile is none of the store's any more.
            if let Some(job) = row? {
                let output = self.export_output(&job).await?;
                jobs.push(Moved { job, output });
            }
        }
        Ok(Exported {
            jobs,
            next: listed.next,
        })
    }

    async fn import(&self, jobs: Vec<Moved>) -> Vec<Result<Imported, Error>> {
        let mut imported: Vec<Result<Imported, Error>> = Vec::with_capacity(jobs.len());
        let (mut plain, mut with_output) = (Vec::new(), Vec::new());
        for (place, moved) in jobs.into_iter().enumerate() {
            let checked = self.check_open().and_then(|()| whole::check(&moved.job));
            imported.push(checked.map(|()| Imported::There));
            match imported[place] {
                Err(_) => {}
                Ok(_) if moved.output.is_empty() => plain.push((place, moved.job)),
                Ok(_) => with_output.push((place, moved)),
            }
        }
        let inserts = plain.iter().map(|(_, job)| (job.clone(), ()));
        let inserted = self.inserts.submit_all(inserts).await;
        for ((place, job), inserted) in plain.iter().zip(inserted) {
            imported[*place] = inserted.and_then(|inserted| told(job, inserted));
        }
        // Each takes several writes, one after the other: those of many share their commits.
        let each = with_output
            .into_iter()
            .map(async |(place, moved)| (place, self.import_with_output(moved).await));
        let mut each = stream::iter(each).buffer_unordered(IMPORT_JOBS);
        while let Some((place, done)) = each.next().await {
            imported[place] = done;
        }
        imported
    }

    async fn import_record(&self, kind: RecordKind, name: &str, document: Bytes) -> Result<Imported, Error> {
        let change = RecordChange {
            kind,
            name: name.to_owned(),
            expect: 0,
            becomes: Some(document.clone()),
        };
        match self.store.change_records(&[change]).await?.pop() {
            Some(RecordApplied::Applied) => Ok(Imported::Added),
            Some(RecordApplied::Stale(Some(there))) if there.document == document => Ok(Imported::There),
            _ => Err(Error::conflict(match kind {
                RecordKind::Queue => format!("the queue {name} has other settings here, which stay"),
                RecordKind::TokenKey => {
                    "the store has another key for tokens, which stays: tokens of runs that were deferred elsewhere \
                     are not known here"
                        .to_owned()
                }
                RecordKind::Calendar => format!("the calendar {name} has other dates here, which stay"),
            })),
        }
    }
}

/// What an insert of this row came to.
fn told(job: &Job, inserted: Inserted) -> Result<Imported, Error> {
    match inserted {
        Inserted::Inserted => Ok(Imported::Added),
        Inserted::Exists { same: true } => Ok(Imported::There),
        Inserted::Exists { same: false } => {
            Err(Error::conflict(format!("another job has the id {}", job.id())))
        }
        Inserted::Held(holder) => Err(Error::conflict(format!(
            "job {} cannot have its unique key, which job {} holds",
            job.id(),
            holder.id
        ))),
    }
}
