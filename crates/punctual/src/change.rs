//! Changes: what a rule decided, for a store to make so if and only if nobody changed the row meanwhile.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::job::{Backoff, Body, Job, JobId, OnLost, Options, Start, State, Status};
use crate::schedule::{Occurrence, Schedule, ScheduleId, ScheduleName, Standing};
use crate::time::Timestamp;

/// One decided write of one job. All of it happens, or nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The row.
    pub id: JobId,
    /// The `rev` that the row must have; otherwise the change is stale.
    pub expect: u64,
    /// What the status becomes, with `rev = expect + 1`; unset, the row is deleted.
    pub becomes: Option<Status>,
    /// What the body becomes, when it changes too; only a job that no run holds afterwards may change it.
    pub body: Option<Arc<Body>>,
    /// Jobs to insert with it.
    pub then: Vec<Job>,
}

impl Change {
    /// The change of `job` to `status`, whose `rev` is set here: one above the row's.
    pub fn to(job: &Job, mut status: Status) -> Change {
        status.rev = job.status.rev + 1;
        Change {
            id: job.id(),
            expect: job.status.rev,
            becomes: Some(status),
            body: None,
            then: Vec::new(),
        }
    }

    /// The deletion of `job`.
    pub fn delete(job: &Job) -> Change {
        Change::deletion(job.id(), job.status.rev)
    }

    /// The deletion of the job `id`, if its `rev` is `expect`.
    pub fn deletion(id: JobId, expect: u64) -> Change {
        Change {
            id,
            expect,
            becomes: None,
            body: None,
            then: Vec::new(),
        }
    }
}

/// What a change of one job came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Applied {
    /// It is done and durable.
    Applied,
    /// The row has another `rev`; this is the row.
    Stale(Box<Job>),
    /// There is no such row.
    Missing,
    /// It would take a unique key that another job holds, or the id of another job for one of `then`.
    Held(Holder),
}

/// What an insert of one job came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Inserted {
    /// The row is there and durable.
    Inserted,
    /// A row with this id was there before.
    Exists {
        /// Whether it was made from the same job: their fingerprints are equal.
        same: bool,
    },
    /// Another job holds the unique key.
    Held(Holder),
}

/// The job that holds a unique key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its id.
    pub id: JobId,
    /// The version of its row.
    pub rev: u64,
    /// Its state.
    pub state: State,
    /// Until when it holds the key at least.
    pub key_until: Option<Timestamp>,
}

impl Holder {
    /// The holder that this row is.
    pub fn of(job: &Job) -> Holder {
        Holder {
            id: job.id(),
            rev: job.status.rev,
            state: job.status.state,
            key_until: job.status.key_until,
        }
    }
}

/// What an operator may change of a job that has not started. What is unset stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Edit {
    /// When it may start; a delay begins with the edit.
    pub start: Option<Start>,
    /// A new priority.
    pub priority: Option<u8>,
    /// A new payload.
    pub payload: Option<Bytes>,
    /// New tags, in place of the old.
    pub tags: Option<Vec<String>>,
    /// New limits and policies.
    pub options: OptionsEdit,
}

/// What an edit does to limits and policies. What is unset stays; `Some(None)` gives a value up, so that its default is in
/// force again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OptionsEdit {
    /// See [`Options::timeout`].
    pub timeout: Option<Option<Duration>>,
    /// See [`Options::max_attempts`].
    pub max_attempts: Option<Option<u32>>,
    /// See [`Options::backoff`].
    pub backoff: Option<Option<Backoff>>,
    /// See [`Options::max_elapsed`].
    pub max_elapsed: Option<Option<Duration>>,
    /// See [`Options::start_deadline`].
    pub start_deadline: Option<Option<Timestamp>>,
    /// See [`Options::on_lost`].
    pub on_lost: Option<Option<OnLost>>,
}

impl OptionsEdit {
    /// What `options` become.
    pub fn of(self, options: Options) -> Options {
        Options {
            timeout: self.timeout.unwrap_or(options.timeout),
            max_attempts: self.max_attempts.unwrap_or(options.max_attempts),
            backoff: self.backoff.unwrap_or(options.backoff),
            max_elapsed: self.max_elapsed.unwrap_or(options.max_elapsed),
            start_deadline: self.start_deadline.unwrap_or(options.start_deadline),
            on_lost: self.on_lost.unwrap_or(options.on_lost),
        }
    }
}

/// Puts all of these in place of what there is.
impl From<Options> for OptionsEdit {
    fn from(options: Options) -> OptionsEdit {
        OptionsEdit {
            timeout: Some(options.timeout),
            max_attempts: Some(options.max_attempts),
            backoff: Some(options.backoff),
            max_elapsed: Some(options.max_elapsed),
            start_deadline: Some(options.start_deadline),
            on_lost: Some(options.on_lost),
        }
    }
}

/// One decided write of one schedule, with all that comes of it. All of it happens, or nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct ScheduleChange {
    /// The schedule.
    pub id: ScheduleId,
    /// Its name.
    pub name: ScheduleName,
    /// The `rev` that the row must have; 0: there must be no schedule of this name.
    pub expect: u64,
    /// What the row becomes, with `rev = expect + 1`; unset, it is deleted with its ledger.
    pub becomes: Option<Schedule>,
    /// Jobs to insert with it. One whose id is there already stays as it is.
    pub jobs: Vec<Job>,
    /// Entries of its ledger to write, in place of those with the same key.
    pub ledger: Vec<Occurrence>,
}

impl ScheduleChange {
    /// The change of `schedule` to this standing, whose `rev` is one above the row's.
    pub fn to(schedule: &Schedule, standing: Standing) -> ScheduleChange {
        let becomes = Schedule {
            rev: schedule.rev + 1,
            standing,
            ..schedule.clone()
        };
        ScheduleChange {
            id: schedule.id,
            name: schedule.name.clone(),
            expect: schedule.rev,
            becomes: Some(becomes),
            jobs: Vec::new(),
            ledger: Vec::new(),
        }
    }
}

/// A small document with a version: the settings of a queue, later also keys, calendars and audit entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What it is.
    pub kind: RecordKind,
    /// Its name among its kind.
    pub name: String,
    /// Its version, 1 and up.
    pub rev: u64,
    /// JSON, at most [`RECORD_BYTES`](crate::limits::RECORD_BYTES).
    pub document: Bytes,
}

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    /// The settings of the queue of that name.
    Queue,
    /// What [tokens](crate::run::token) of deferred runs are signed with: one for the whole store.
    TokenKey,
}

impl RecordKind {
    /// All of them, in the order in which they are moved: a pause comes before its queue's jobs.
    pub const ALL: [RecordKind; 2] = [RecordKind::Queue, RecordKind::TokenKey];

    /// Its name in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            RecordKind::Queue => "queue",
            RecordKind::TokenKey => "token_key",
        }
    }
}

/// One decided write of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordChange {
    /// What it is.
    pub kind: RecordKind,
    /// Its name among its kind.
    pub name: String,
    /// The `rev` that it must have; 0: it must not exist.
    pub expect: u64,
    /// What the document becomes, with `rev = expect + 1`; unset, the record is deleted.
    pub becomes: Option<Bytes>,
}

/// What a change of a record came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordApplied {
    /// It is done and durable.
    Applied,
    /// It has another `rev`; this is the record, or nothing where it does not exist.
    Stale(Option<Record>),
}
