//! The lines of an export: all that a store keeps, each thing whole on a line of its own.
//!
//! The first line says what the file is, the last one that it is whole. Records come before jobs, so that a queue is paused
//! before its jobs are there, and schedules after them, each with its ledger behind it, so that the jobs are there on which a
//! schedule waits. What is not set is left out. A field that is not known is an error, since what it says would be
//! lost.

use bytes::Bytes;
use punctual::Error;
use punctual::change::{Record, RecordKind};
use punctual::engine::Moved;
use punctual::schedule::{Occurrence, Reason, Schedule};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::faults::Faults;
use super::json::{self, Blob};
use super::read::{given, optional_object};

mod job;
mod ledger;
mod origin;
mod output;
mod schedule;
mod standing;

pub use job::KeptJob;
pub use ledger::KeptOccurrence;
pub use output::KeptOutput;
pub use schedule::KeptSchedule;

/// One line: exactly one of these.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportLine {
    /// The first line.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "optional_object"
    )]
    pub punctual_export: Option<Header>,
    /// A record.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "optional_object"
    )]
    pub record: Option<KeptRecord>,
    /// A job.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "optional_object"
    )]
    pub job: Option<Box<KeptJob>>,
    /// A schedule, without its ledger.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "optional_object"
    )]
    pub schedule: Option<Box<KeptSchedule>>,
    /// An entry of the ledger of the schedule whose line came last.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "optional_object"
    )]
    pub occurrence: Option<KeptOccurrence>,
    /// The last line.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "optional_object"
    )]
    pub end: Option<End>,
}

/// What an export is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The version of the format.
    pub format: u32,
    /// The version of Punctual that wrote it.
    pub version: String,
    /// The kind of store that it was read from.
    pub store: String,
}

/// How much an export holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// Records.
    pub records: u64,
    /// Jobs.
    pub jobs: u64,
    /// Schedules.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub schedules: u64,
    /// Entries of their ledgers.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub occurrences: u64,
}

/// A record.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptRecord {
    /// `queue`, `token_key` or `calendar`.
    pub kind: String,
    /// Its name among its kind.
    pub name: String,
    /// What it says.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub document: Option<Box<RawValue>>,
    /// In place of `document`: bytes that are no JSON on one line, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document_base64: Option<String>,
}

impl Header {
    /// The version of the format that is written, and the newest one that is read.
    pub const FORMAT: u32 = 1;

    /// The header of an export that is read from this kind of store.
    pub fn of(store: &str) -> Header {
        Header {
            format: Header::FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            store: store.to_owned(),
        }
    }
}

impl ExportLine {
    /// The first line.
    pub fn header(header: Header) -> ExportLine {
        ExportLine {
            punctual_export: Some(header),
            ..ExportLine::default()
        }
    }

    /// The line of a record.
    pub fn record(record: &Record) -> ExportLine {
        let document = Blob::exact(&record.document);
        ExportLine {
            record: Some(KeptRecord {
                kind: record.kind.as_str().to_owned(),
                name: record.name.clone(),
                document: document.json,
                document_base64: document.base64,
            }),
            ..ExportLine::default()
        }
    }

    /// The line of a job.
    pub fn job(moved: &Moved) -> ExportLine {
        ExportLine {
            job: Some(Box::new(KeptJob::of(moved))),
            ..ExportLine::default()
        }
    }

    /// The line of a schedule.
    pub fn schedule(schedule: &Schedule) -> ExportLine {
        ExportLine {
            schedule: Some(Box::new(KeptSchedule::of(schedule))),
            ..ExportLine::default()
        }
    }

    /// The line of an entry of a ledger.
    pub fn occurrence(entry: &Occurrence) -> ExportLine {
        ExportLine {
            occurrence: Some(KeptOccurrence::of(entry)),
            ..ExportLine::default()
        }
    }

    /// The last line.
    pub fn end(end: End) -> ExportLine {
        ExportLine {
            end: Some(end),
            ..ExportLine::default()
        }
    }
}

impl KeptRecord {
    /// The kind, the name and the document.
    ///
    /// # Errors
    ///
    /// `Invalid` with what is wrong, under the pointers of its line.
    pub fn read(self) -> Result<(RecordKind, String, Bytes), Error> {
        let mut faults = Faults::default();
        let known = RecordKind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == self.kind);
        if known.is_none() {
            faults.add(
                "/record/kind",
                format!("there is no {:?}; write queue, token_key or calendar", self.kind),
            );
        }
        let document = blob(
            &mut faults,
            "/record/document",
            self.document.as_deref(),
            self.document_base64.as_deref(),
        );
        let document = faults.required("/record/document", document);
        let name = self.name;
        faults.or(())?;
        known
            .zip(document)
            .map(|(kind, document)| (kind, name, document))
            .ok_or_else(|| Error::invalid("this is no record"))
    }
}

/// The bytes that stand in a field or, in base64, in the one beside it.
fn blob(faults: &mut Faults, pointer: &str, json: Option<&RawValue>, base64: Option<&str>) -> Option<Bytes> {
    let beside = format!("{pointer}_base64");
    let (pointer, read) = match (json, base64) {
        (Some(_), Some(_)) => (&*beside, Err(format!("there is {pointer} already"))),
        (None, Some(text)) => (&*beside, json::from_base64(text)),
        (Some(json), None) => (pointer, json::from_json(json)),
        (None, None) => return None,
    };
    read.map_err(|message| faults.add(pointer, message)).ok()
}

/// The reason of this name.
fn reason(faults: &mut Faults, pointer: &str, name: &str) -> Option<Reason> {
    let known = Reason::ALL.into_iter().find(|reason| reason.as_str() == name);
    if known.is_none() {
        faults.add(
            pointer,
            format!("nothing is skipped for {name:?} in this version"),
        );
    }
    known
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}
