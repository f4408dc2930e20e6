//! Changes: what a rule decided, for a store to make so if and only if nobody changed the row meanwhile.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::error::Error;
use crate::job::{Backoff, Body, Job, JobId, OnLost, Options, Start, State, Status};
use crate::schedule::{Occurrence, OccurrenceKey, Schedule, ScheduleId, ScheduleName, Standing};
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
    /// A schedule that waits for the end of this job, and is to be looked at now: `rev + 1`, its
    /// [next look](crate::schedule::Standing::next) [`AT_ONCE`](crate::schedule::AT_ONCE). Nothing, if it is not there.
    pub pokes: Option<ScheduleId>,
}

impl Change {
    /// The change of `job` to `status`, whose `rev` is set here: one above the row's. If that ends it, it pokes the schedule
    /// that waits for its end.
    pub fn to(job: &Job, mut status: Status) -> Change {
        status.rev = job.status.rev + 1;
        Change {
            pokes: waits_for_end(job).filter(|_| status.state.is_ended()),
            becomes: Some(status),
            ..Change::deletion(job.id(), job.status.rev)
        }
    }

    /// The deletion of `job`. If it was live, it pokes the schedule that waits for its end.
    pub fn delete(job: &Job) -> Change {
        Change {
            pokes: waits_for_end(job),
            ..Change::deletion(job.id(), job.status.rev)
        }
    }

    /// The deletion of the job `id`, which has ended, if its `rev` is `expect`.
    pub fn deletion(id: JobId, expect: u64) -> Change {
        Change {
            id,
            expect,
            becomes: None,
            body: None,
            then: Vec::new(),
            pokes: None,
        }
    }
}

/// The schedule that waits for the end of this live job.
fn waits_for_end(job: &Job) -> Option<ScheduleId> {
    let origin = job.body.origin.as_ref().filter(|origin| origin.pokes)?;
    (!job.status.state.is_ended()).then_some(origin.schedule)
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
    /// Whether it becomes another plan. If not, a store need not write the plan that is there.
    pub replans: bool,
    /// Jobs to insert with it. One whose id is there already stays as it is. None has a unique key.
    pub jobs: Vec<Job>,
    /// Entries of its ledger to write, in place of those with the same [key](Occurrence::key).
    pub ledger: Vec<Occurrence>,
    /// Entries of its ledger to drop, by their keys; none of them is written too.
    pub drops: Vec<OccurrenceKey>,
    /// Old entries of its ledger to drop, once the others are written.
    pub forget: Option<Forget>,
}

/// Which entries of a ledger are too old or too many: from the oldest on, up to the first one that is neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forget {
    /// Old is what stands for nothing [until](Occurrence::until) then or later: a pause of two months that ended yesterday is
    /// not.
    pub before: Timestamp,
    /// Too many are all but the latest so many.
    pub keep: usize,
}

/// What a change of one schedule came to.
#[derive(Clone, Debug, PartialEq)]
pub enum ScheduleApplied {
    /// It is done and durable.
    Applied,
    /// The row has another `rev`, or another schedule has the name; this is that row. Nothing, where there is none.
    Stale(Option<Box<Schedule>>),
    /// This change alone could not be made, for this reason, and the others of its batch were not held up by it. Its row moved on
    /// and cannot be read, so that it cannot be shown as stale (`Internal`); or another transaction
    /// [has locked](Error::is_locked) it, and the same change may be sent again.
    Refused(Error),
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
            becomes: Some(becomes),
            ..ScheduleChange::delete(schedule)
        }
    }

    /// The deletion of `schedule` with its ledger. Its jobs stay.
    pub fn delete(schedule: &Schedule) -> ScheduleChange {
        ScheduleChange::deletion(schedule.id, schedule.name.clone(), schedule.rev)
    }

    /// The deletion of the schedule `id` of this name, whatever else is known of it, if its `rev` is `expect`.
    pub fn deletion(id: ScheduleId, name: ScheduleName, expect: u64) -> ScheduleChange {
        ScheduleChange {
            id,
            name,
            expect,
            becomes: None,
            replans: false,
            jobs: Vec::new(),
            ledger: Vec::new(),
            drops: Vec::new(),
            forget: None,
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
    /// The dates of the [calendar](crate::schedule::Calendar) of that name.
    Calendar,
}

impl RecordKind {
    /// All of them, in the order in which they are moved: a pause comes before its queue's jobs, and a calendar before the
    /// schedules that name it.
    pub const ALL: [RecordKind; 3] = [RecordKind::Queue, RecordKind::TokenKey, RecordKind::Calendar];

    /// Its name in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            RecordKind::Queue => "queue",
            RecordKind::TokenKey => "token_key",
            RecordKind::Calendar => "calendar",
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
