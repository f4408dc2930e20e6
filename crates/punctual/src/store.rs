//! The store seam: the verbs that every store serves.
//!
//! A store speaks plain data in batches; one is a batch of one. It knows no retry policy and decides nothing:
//! [`apply`](Store::apply), [`change_schedules`](Store::change_schedules) and [`change_records`](Store::change_records) write
//! what a rule decided, if and only if nobody changed the row meanwhile. No unfenced update exists, not even for operators.
//! [`claim`](Store::claim) and [`beat`](Store::beat) move rows without deciding about them.
//!
//! The [memory store](memory) is the specification that one can run; `testing::conformance` is the one that a
//! third party's store can be held against.
//!
//! ```text
//!            insert                    claim                     apply
//!  NewJob ───────────▶  waiting  ─────────────────▶  running  ───────────▶  succeeded
//!                          ▲      rev+1, run = rev      │                   failed
//!                          └──────────── apply ─────────┘                   cancelled
//!                             (retry, snooze, release)
//! ```

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::change::{
    Applied, Change, Inserted, Record, RecordApplied, RecordChange, RecordKind, ScheduleApplied,
    ScheduleChange,
};
use crate::error::Error;
use crate::job::{Failure, Job, JobId, Phase, State};
use crate::queue::{Counts, QueueName};
use crate::run::{Beat, Beaten, Claim, Claimed, RunId, WorkerId, WorkerSeen};
use crate::schedule::{Occurrence, OccurrenceKey, Schedule, ScheduleId, ScheduleName};
use crate::time::Timestamp;

pub(crate) mod checks;
#[cfg(any(feature = "postgres", feature = "redis", feature = "sqlite"))]
mod codec;
#[cfg(all(feature = "postgres", feature = "redis"))]
pub mod dispatch;
#[cfg(any(feature = "postgres", feature = "redis", feature = "sqlite"))]
mod findings;
pub mod memory;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod pieces;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "redis")]
pub mod redis;
#[cfg(feature = "sqlite")]
pub mod sqlite;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod stored_gate;
pub mod url;

/// What a verb returns: an answer that comes later, or the reason why none can be given.
///
/// [`Kind::Unavailable`](crate::Kind::Unavailable) says that nothing was written.
/// [`Kind::Internal`](crate::Kind::Internal) leaves open whether it was; the same batch may be sent again.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, Error>>;

/// Where jobs are kept. See the [module](self) for what a store is, and what it is not.
///
/// All verbs answer in the order of what they were given. A batch is bounded by
/// [`FLUSH_ITEMS`](crate::limits::FLUSH_ITEMS); a store refuses a larger one as `Invalid` and writes nothing of it.
/// "Has come" and "has passed" include the instant itself: what is due at `now` is due, and a lease or a start deadline
/// that ends at `now` is over.
///
/// Acknowledged means durable, as far as the store's [`Report`] promises. A store that is dropped ends what was begun
/// and lets go of its files and connections.
pub trait Store: Send + Sync + 'static {
    /// Inserts whole rows, as rules made them, in whatever state. Each row is inserted or not by itself, as if they had
    /// come one after the other: of rows that share an id or a unique key the first one wins, and the later one is
    /// told of it. The id is looked at before the key. A row that was not inserted stands in nobody's way.
    fn insert<'a>(&'a self, jobs: &'a [Job]) -> Answer<'a, Vec<Inserted>>;

    /// Turns due waiting jobs into running ones: `rev + 1`, `run = rev`, one more attempt, started now (for the first
    /// time in this life, if it is), under this worker, alarm at the lease's end. Nothing else of the row changes. Skips
    /// jobs whose alarm has passed: no attempt of theirs may begin.
    ///
    /// Honours the settings that the queue's [record](RecordKind::Queue) holds, in the same transaction: a pause,
    /// `max_running` against all that is running, and the rate by [`Rate`](crate::queue::Rate)'s arithmetic. How far
    /// a rate is used up survives every change of the record, but not its deletion. A record that cannot be read counts as
    /// [`QueueSettings::unreadable`](crate::queue::QueueSettings::unreadable), for its own queue.
    ///
    /// A due row that cannot be read, since a newer version wrote it, is not claimed: it is put off by
    /// [`UNREADABLE_DELAY`](crate::limits::UNREADABLE_DELAY) (`rev + 1`), so that it keeps no other from its turn.
    fn claim(&self, claim: Claim) -> Answer<'_, Claimed>;

    /// One heartbeat: prolongs the runs that are still held (`rev + 1`, alarm at the new lease's end), keeps their
    /// progress, and notes that the worker lives, or forgets it if it has stopped. A run is held while its row is running
    /// under this `run`, whether or not its lease has passed.
    ///
    /// A lease that ends later stays as it is: a run that was deferred for an hour keeps its hour, though its worker
    /// beats once more before it hears so. After a step back of the store's clock a lease may therefore last longer than
    /// was asked for, by as much as the step: a lost run is then taken back so much later, but never while it is held.
    fn beat(&self, beat: Beat) -> Answer<'_, Beaten>;

    /// Makes each change so if its row still has the expected `rev`. All or nothing per change, one after the other within a
    /// batch, so that a later change may take a key that an earlier one gave back. Within one change the row is written
    /// first, so that a job of `then` may take the key that the row gives back; if any of them finds its key, or a job
    /// of `then` its id, with another row, the answer is [`Applied::Held`] with that row, and nothing was written. The schedule
    /// that a change pokes comes last.
    ///
    /// What no rule makes is `Invalid`, and nothing of the batch is written: a status whose `rev` is not one above the
    /// expected, a body under another id, or one for a row that is deleted or runs afterwards.
    fn apply<'a>(&'a self, changes: &'a [Change]) -> Answer<'a, Vec<Applied>>;

    /// The rows of these jobs; nothing for those that do not exist. A row that cannot be read is `Internal` for the whole
    /// batch: the engine then halves it until that row stands alone, here as in [`apply`](Store::apply).
    fn fetch<'a>(&'a self, ids: &'a [JobId]) -> Answer<'a, Vec<Option<Job>>>;

    /// One page of heads in the order of the filter's view. At most [`PAGE_ROWS`](crate::limits::PAGE_ROWS) rows are passed
    /// for it, so a page may be short, even empty, and still have a next one. A row that is there from the first page
    /// to the last, and keeps its place, is listed exactly once, whatever others do.
    fn list(&self, filter: Filter, page: Page) -> Answer<'_, Listed>;

    /// Up to `limit` rows whose alarm has passed, earliest first, then by id. Also says when
    /// the next alarm after these is, which may have passed too. At most [`CHORE_ROWS`](crate::limits::CHORE_ROWS).
    fn overdue(&self, limit: usize, now: Option<Timestamp>) -> Answer<'_, Overdue>;

    /// How many jobs each queue has in each state, by the queue's name. A queue without jobs has no counts.
    fn counts(&self) -> Answer<'_, Counted>;

    /// The workers that have not stopped, and have beaten within [`WORKER_FORGOTTEN`](crate::limits::WORKER_FORGOTTEN) by the
    /// store's clock, by their names.
    fn workers(&self) -> Answer<'_, Vec<WorkerSeen>>;

    /// Writes or deletes each record if it still has the expected `rev`, one after the other. A record that is written
    /// again after it was deleted begins at `rev` 1. A document that its kind cannot read is `Invalid`, and nothing of the
    /// batch is written.
    fn change_records<'a>(&'a self, changes: &'a [RecordChange]) -> Answer<'a, Vec<RecordApplied>>;

    /// Up to `limit` records of a kind whose names come after `after`, in the order of their names' bytes. At most
    /// [`PAGE_ITEMS`](crate::limits::PAGE_ITEMS).
    fn records<'a>(
        &'a self,
        kind: RecordKind,
        after: Option<&'a str>,
        limit: usize,
    ) -> Answer<'a, Vec<Record>>;

    /// Makes each change so if the schedule still has the expected `rev`, or, for an expected 0, if no schedule has the name;
    /// one after the other. With the row it inserts the jobs, as [`insert`](Self::insert) would: one whose id is there already
    /// stays as it is. It drops entries of the ledger, writes others, each in place of the one with its key, and then drops the
    /// [old](crate::change::Forget) ones, oldest first, at most [`LEDGER_FORGOTTEN`](crate::limits::LEDGER_FORGOTTEN). All or
    /// nothing per change. A schedule that is deleted takes its ledger with it, and leaves its jobs. A change is
    /// [refused](ScheduleApplied::Refused) alone where another transaction has locked its row, or where the row has another
    /// `rev` and cannot be read.
    ///
    /// What no rule makes is `Invalid`, and nothing of the batch is written: a row whose `rev` is not one above the expected
    /// or which has another id or name, another one's ledger, jobs with unique keys, more jobs than
    /// [`FIRED_PER_LOOK`](crate::limits::FIRED_PER_LOOK), more entries than [`LEDGER_PER_LOOK`](crate::limits::LEDGER_PER_LOOK).
    fn change_schedules<'a>(&'a self, changes: &'a [ScheduleChange]) -> Answer<'a, Vec<ScheduleApplied>>;

    /// Schedules, in the order of what is asked for. A row that cannot be read is told by itself and keeps no other from being
    /// read.
    fn schedules(&self, which: Schedules) -> Answer<'_, ScheduleRows>;

    /// Up to `limit` entries of a schedule's ledger, latest key first, those before the key `before`. At most
    /// [`PAGE_ITEMS`](crate::limits::PAGE_ITEMS).
    fn occurrences(
        &self,
        schedule: ScheduleId,
        before: Option<OccurrenceKey>,
        limit: usize,
    ) -> Answer<'_, Vec<Occurrence>>;

    /// Adds to a run's live output while the run is held: nothing is added for a run that is not. Of more than
    /// [`OUTPUT_BYTES`](crate::limits::OUTPUT_BYTES) the first and the last half of so many bytes stay. Answers whether the
    /// run was held.
    fn append_output<'a>(&'a self, run: RunId, bytes: &'a [u8]) -> Answer<'a, bool>;

    /// A run's output from this offset on, at most [`OUTPUT_PAGE_BYTES`](crate::limits::OUTPUT_PAGE_BYTES); nothing for a run
    /// that put nothing out, or from its end on. Offsets count all that was ever added. A page that meets a gap ends
    /// before it, and one asked for in the gap begins behind it. Output stays when its run ends and goes with its job.
    fn output(&self, run: RunId, from: u64) -> Answer<'_, Output>;

    /// What the store is and what it promises.
    ///
    /// It fails where a write would, with the reason: what cannot be told otherwise is tried, though not more often than
    /// every [`WRITE_KNOWN`](crate::limits::WRITE_KNOWN) unless a write was refused since. With [`Depth::Whole`] it reads all that the store keeps,
    /// where no server behind the store watches over its own pages, says so in the [notes](Report::notes), and fails, as
    /// `Internal`, if something is damaged.
    fn check(&self, depth: Depth) -> Answer<'_, Report>;

    /// Hints between the processes on this store. See [`Signals`](crate::signals::Signals).
    fn signals(&self) -> &dyn crate::signals::Signals;
}

/// Which jobs a list shows. What is unset does not restrict.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// Which of the four orders, and the states that it has.
    pub view: View,
    /// Jobs of this queue.
    pub queue: Option<QueueName>,
    /// Jobs of this kind.
    pub kind: Option<String>,
    /// Jobs with this tag.
    pub tag: Option<String>,
    /// Jobs that this worker runs, or ran last.
    pub worker: Option<WorkerId>,
    /// The job that holds this unique key.
    pub unique_key: Option<String>,
    /// Jobs that look like this at `now`.
    pub phase: Option<Phase>,
    /// Jobs due before this instant.
    pub due_before: Option<Timestamp>,
    /// Jobs due at this instant or later.
    pub due_after: Option<Timestamp>,
    /// Jobs that ended before this instant.
    pub ended_before: Option<Timestamp>,
    /// The instant to take for now; unset, the store's clock. Set only where time is stepped.
    pub now: Option<Timestamp>,
}

impl Filter {
    /// The queues that have jobs in this state, as far as the filter lets them through. `by_queue` counts the jobs of each in
    /// the order of [`State::ALL`].
    #[cfg(any(feature = "redis", feature = "sqlite"))]
    pub(crate) fn queues_with(
        &self,
        state: State,
        by_queue: impl IntoIterator<Item = (QueueName, [u64; State::ALL.len()])>,
    ) -> Vec<QueueName> {
        let queues = by_queue.into_iter().filter(|(_, jobs)| jobs[state as usize] > 0);
        let queues = queues.map(|(queue, _)| queue);
        queues
            .filter(|queue| self.queue.as_ref().is_none_or(|wanted| wanted == queue))
            .collect()
    }

    /// Whether this list shows the row. In which order it does, and from where on, is the view's matter.
    pub fn matches(&self, head: &Head) -> bool {
        let is =
            |wanted: &Option<String>, there: Option<&String>| wanted.is_none() || wanted.as_ref() == there;
        let in_view = match self.view {
            View::All => true,
            View::Waiting => head.state == State::Waiting,
            View::Running => head.state == State::Running,
            View::Ended(state) => state.map_or(head.state.is_ended(), |state| state == head.state),
        };
        in_view
            && self.queue.as_ref().is_none_or(|queue| *queue == head.queue)
            && is(&self.kind, Some(&head.kind))
            && self.tag.as_ref().is_none_or(|tag| head.tags.contains(tag))
            && (self.worker.is_none() || self.worker == head.worker)
            && is(&self.unique_key, head.unique_key.as_ref())
            && self.phase.is_none_or(|phase| phase == head.phase)
            && self.due_before.is_none_or(|end| head.due < end)
            && self.due_after.is_none_or(|start| head.due >= start)
            && self
                .ended_before
                .is_none_or(|end| head.ended_at.is_some_and(|at| at < end))
    }
}

/// The four orders in which jobs are listed, each that of an index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum View {
    /// Every job, by id.
    #[default]
    All,
    /// Waiting jobs, by due instant, then id.
    Waiting,
    /// Running jobs, by the end of their lease, then id.
    Running,
    /// Ended jobs, newest end first, then id (ascending), of one state if it says so; a live state is `Invalid`.
    Ended(Option<State>),
}

/// Its name in lower case.
impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            View::All => "all",
            View::Waiting => "waiting",
            View::Running => "running",
            View::Ended(None) => "ended",
            View::Ended(Some(state)) => state.as_str(),
        })
    }
}

/// How far to read.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// At most so many items: 1 to [`PAGE_ITEMS`](crate::limits::PAGE_ITEMS), anything else is `Invalid`.
    pub limit: usize,
    /// Where the last page ended; unset, from the beginning.
    pub after: Option<Cursor>,
}

/// Where a page ended: the next one begins behind this place, whether or not the row is still there. Good only for the
/// same filter. Opaque to users: the wire writes and reads it as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The due, lease or end instant of the last row passed; for [`View::All`] of no meaning.
    pub at: Timestamp,
    /// The last row passed.
    pub id: JobId,
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// The jobs.
    pub items: Vec<Head>,
    /// Where the next page begins, behind the last row passed; unset at the end.
    pub next: Option<Cursor>,
}

/// A job without its payload, result, progress and history.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// Its name.
    pub id: JobId,
    /// Its kind.
    pub kind: String,
    /// Its queue.
    pub queue: QueueName,
    /// Its priority.
    pub priority: u8,
    /// Its tags.
    pub tags: Vec<String>,
    /// When it was admitted.
    pub created_at: Timestamp,
    /// Its stored state.
    pub state: State,
    /// Its state as people saw it when the page was read.
    pub phase: Phase,
    /// The version of its row.
    pub rev: u64,
    /// Its last run.
    pub run: u64,
    /// Attempts of this life.
    pub attempt: u32,
    /// When it is, or was last, due.
    pub due: Timestamp,
    /// The end of its lease, or from when on no attempt may begin.
    pub alarm: Option<Timestamp>,
    /// When its last run began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Who runs it, or ran it last.
    pub worker: Option<WorkerId>,
    /// The unique key it holds.
    pub unique_key: Option<String>,
    /// Until when it holds the key at least.
    pub key_until: Option<Timestamp>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// Whether its run goes on elsewhere, without its worker.
    pub deferred: bool,
}

impl Head {
    /// The head of a whole row at `now`.
    pub fn of(job: &Job, now: Timestamp) -> Head {
        let (body, status) = (&job.body, &job.status);
        Head {
            id: body.id,
            kind: body.kind.clone(),
            queue: body.queue.clone(),
            priority: body.priority,
            tags: body.tags.clone(),
            created_at: body.created_at,
            state: status.state,
            phase: status.phase(now),
            rev: status.rev,
            run: status.run,
            attempt: status.attempt,
            due: status.due,
            alarm: status.alarm,
            started_at: status.started_at,
            ended_at: status.ended_at,
            worker: status.worker.clone(),
            unique_key: status.unique_key.clone(),
            key_until: status.key_until,
            failure: status.failure.clone(),
            deferred: status.deferred,
        }
    }
}

/// Rows that want to be looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Overdue {
    /// Their rows, earliest alarm first.
    pub jobs: Vec<Job>,
    /// The next alarm after these, if there is any.
    pub next: Option<Timestamp>,
    /// The store's time.
    pub now: Timestamp,
}

/// Counts by queue.
#[derive(Clone, Debug, PartialEq)]
pub struct Counted {
    /// Every queue that has jobs, by name.
    pub queues: Vec<Counts>,
    /// How old these figures are.
    pub age: Duration,
}

/// A piece of a run's output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The bytes at the offset that [`Output::next`] less their length says: later than asked for where the middle was
    /// dropped, earlier where less was ever added.
    pub bytes: Bytes,
    /// Where to go on.
    pub next: u64,
}

/// Which schedules are asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Schedules {
    /// Those of these names, in this order; nothing for those that do not exist. At most
    /// [`PAGE_ITEMS`](crate::limits::PAGE_ITEMS).
    Named(Vec<ScheduleName>),
    /// All, in the order of their names' bytes.
    All {
        /// Those behind this name.
        after: Option<ScheduleName>,
        /// At most so many: 1 to [`PAGE_ITEMS`](crate::limits::PAGE_ITEMS).
        limit: usize,
    },
    /// Those that somebody has to look at, now or later: by their [next look](crate::schedule::Standing::next), then by id.
    Next {
        /// Those behind this place.
        after: Option<(Timestamp, ScheduleId)>,
        /// At most so many: 1 to [`PAGE_ITEMS`](crate::limits::PAGE_ITEMS).
        limit: usize,
    },
}

/// A page of schedules.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScheduleRows {
    /// Those that can be read.
    pub items: Vec<Schedule>,
    /// Those that cannot. They count as items of the page.
    pub unreadable: Vec<UnreadableSchedule>,
}

/// A schedule that a newer version, or somebody's hand, has written so that it cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableSchedule {
    /// Its id.
    pub id: ScheduleId,
    /// Its name.
    pub name: ScheduleName,
    /// The version of its row, by which it can be deleted; unset, where not even that can be read.
    pub rev: Option<u64>,
    /// When somebody would have to look at it.
    pub next: Option<Timestamp>,
    /// Why it cannot be read.
    pub why: String,
}

impl UnreadableSchedule {
    /// What whoever needs to read it is told: `Internal`.
    pub fn error(&self) -> Error {
        let UnreadableSchedule { name, why, .. } = self;
        Error::internal(format!("schedule {name} cannot be read: {why}"))
    }
}

/// How closely to look at a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// In a moment.
    Quick,
    /// Reading all that it keeps.
    Whole,
}

/// What a store is and what it promises.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Its kind: `memory`, `sqlite` …
    pub store: &'static str,
    /// The version of the database behind it.
    pub version: String,
    /// The version of the schema in it.
    pub schema: u32,
    /// Whether what is acknowledged survives a loss of power.
    pub durable: bool,
    /// What is good to know about it, a sentence each.
    pub notes: Vec<String>,
    /// The store's clock less the asker's, in microseconds.
    pub clock_ahead_micros: i64,
    /// How long one round trip took.
    pub latency: Duration,
}
