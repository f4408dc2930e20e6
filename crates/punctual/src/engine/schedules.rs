//! What users and operators do with schedules: set them, look at them, hold them, and ask for runs out of turn.

use tracing::Instrument;

use crate::error::Error;
use crate::job::JobId;
use crate::schedule::{Occurrence, OccurrenceKey, Plan, Schedule, ScheduleName};
use crate::store::UnreadableSchedule;
use crate::time::Timestamp;

use super::Engine;

mod backfill;
mod explain;
mod foresee;
mod jobs;
mod ledger;
mod operate;
mod sight;
mod write;

pub use backfill::{Backfill, Backfilled};
pub use jobs::ScheduleJobs;
pub(super) use sight::Known;
pub(super) use write::ScheduleWrites;

/// What setting a schedule came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upsert {
    /// There was none of this name.
    Created,
    /// It had another plan.
    Changed,
    /// It had this plan, and is as it was.
    Unchanged,
}

/// A page of schedules, by their names.
#[derive(Clone, Debug, PartialEq)]
pub struct SchedulePage {
    /// Those that can be read.
    pub items: Vec<Schedule>,
    /// Those that cannot, since a newer version wrote them.
    pub unreadable: Vec<UnreadableSchedule>,
    /// The name behind which the next page begins; unset at the end.
    pub next: Option<ScheduleName>,
}

/// Which part of a schedule's ledger to read: the latest entries first.
#[derive(Clone, Debug, PartialEq)]
pub struct LedgerPage {
    /// Entries of instants at this one or later, ranges that reach so far included.
    pub from: Option<Timestamp>,
    /// Entries of instants at this one or earlier.
    pub until: Option<Timestamp>,
    /// Where the last page ended; unset, from the latest on.
    pub before: Option<OccurrenceKey>,
    /// At most so many: 1 to [`PAGE_ITEMS`](crate::limits::PAGE_ITEMS), anything else is `Invalid`.
    pub limit: usize,
}

/// A page of a schedule's ledger.
#[derive(Clone, Debug, PartialEq)]
pub struct Ledger {
    /// The entries, latest first.
    pub items: Vec<Occurrence>,
    /// Where the next page begins; unset at the end.
    pub next: Option<OccurrenceKey>,
}

impl Engine {
    /// Makes a schedule, or gives the one of this name another plan, if it has the version `expect`, where that is set; 0: if there
    /// is none. The same plan again changes nothing, so that a file of schedules can be set again and again. No instant is
    /// lost or fired twice by an edit: what came before it goes by the old plan, what comes after it by the new one.
    ///
    /// Each firing makes a new version of a schedule.
    ///
    /// ```
    /// use punctual::schedule::{Plan, Spec};
    /// use punctual::{Engine, NewJob};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// # let engine = Engine::open("memory:").await?;
    /// let report = NewJob::new("report", &"daily")?;
    /// let plan = Plan::new(Spec::cron("30 2 * * *", "Europe/Ljubljana")?, report);
    /// let (schedule, _) = engine.set_schedule("nightly", plan, None).await?;
    /// assert!(schedule.standing.next.is_some());
    /// # Ok::<(), punctual::Error>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Invalid` with every field that is wrong; `Conflict` if it has another version, or does not stand still; `Internal` if a
    /// calendar that it names cannot be read.
    pub async fn set_schedule(
        &self,
        name: impl Into<ScheduleName>,
        plan: Plan,
        expect: Option<u64>,
    ) -> Result<(Schedule, Upsert), Error> {
        let name = name.into();
        let span = tracing::debug_span!("set_schedule", schedule = %name);
        self.core.set_schedule(&name, plan, expect).instrument(span).await
    }

    /// The schedule of this name.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is none; `Internal` if it cannot be read; `Unavailable` if the store cannot.
    pub async fn schedule(&self, name: impl Into<ScheduleName>) -> Result<Schedule, Error> {
        let name = name.into();
        let span = tracing::debug_span!("schedule", schedule = %name);
        self.core.schedule(&name).instrument(span).await
    }

    /// A page of schedules whose names come after `after`, in the order of their names' bytes, at most `limit`.
    ///
    /// # Errors
    ///
    /// `Invalid` for a limit that is 0 or more than [`PAGE_ITEMS`](crate::limits::PAGE_ITEMS); `Unavailable` if the store
    /// cannot be read.
    pub async fn schedules(&self, after: Option<ScheduleName>, limit: usize) -> Result<SchedulePage, Error> {
        let span = tracing::debug_span!("schedules");
        self.core.schedules_after(after, limit).instrument(span).await
    }

    /// Deletes a schedule with its ledger, if it has the version `expect`, where that is set. The jobs that it has made stay.
    ///
    /// # Errors
    ///
    /// `NotFound`; `Conflict` if it has another version.
    pub async fn delete_schedule(
        &self,
        name: impl Into<ScheduleName>,
        expect: Option<u64>,
    ) -> Result<(), Error> {
        let name = name.into();
        let span = tracing::debug_span!("delete_schedule", schedule = %name);
        self.core.delete_schedule(&name, expect).instrument(span).await
    }

    /// Holds a schedule, if it has the version `expect`, where that is set: what comes due from now on is skipped, until it is
    /// resumed. One that is paused takes the new reason.
    ///
    /// # Errors
    ///
    /// `NotFound`; `Invalid` for a reason that is too long; `Conflict` if it has another version.
    pub async fn pause_schedule(
        &self,
        name: impl Into<ScheduleName>,
        reason: &str,
        expect: Option<u64>,
    ) -> Result<Schedule, Error> {
        let name = name.into();
        let span = tracing::debug_span!("pause_schedule", schedule = %name);
        let paused = self.core.pause_schedule(&name, reason, expect);
        paused.instrument(span).await
    }

    /// Ends a pause, if the schedule has the version `expect`, where that is set. One that is not paused is answered as it is.
    ///
    /// # Errors
    ///
    /// `NotFound`; `Conflict` if it has another version.
    pub async fn resume_schedule(
        &self,
        name: impl Into<ScheduleName>,
        expect: Option<u64>,
    ) -> Result<Schedule, Error> {
        let name = name.into();
        let span = tracing::debug_span!("resume_schedule", schedule = %name);
        self.core.resume_schedule(&name, expect).instrument(span).await
    }

    /// Makes a job of a schedule's now, whatever is live or paused. The plan goes on where it was. Under the same `id` again, at
    /// most one job is made; unset, each call makes one. Answers the job's id.
    ///
    /// # Errors
    ///
    /// `NotFound`; `Conflict` if another job has this id.
    pub async fn trigger_schedule(
        &self,
        name: impl Into<ScheduleName>,
        id: Option<JobId>,
    ) -> Result<JobId, Error> {
        let name = name.into();
        let span = tracing::debug_span!("trigger_schedule", schedule = %name);
        self.core.trigger_schedule(&name, id).instrument(span).await
    }

    /// Makes jobs for instants that were skipped, for whatever reason, and for those before the schedule was made: so many in one
    /// call as take some seconds, and the answer says where to go on. Each has the id that its instant would have given it, so that
    /// there is at most one. They are due now, run whatever is live or paused, and count for no policy. What lies ahead, or
    /// waits for its turn, is left to the plan; so are times that the clocks left out.
    ///
    /// # Errors
    ///
    /// `NotFound`; `Invalid` for a range that ends before it begins or begins more than
    /// [`KEEP_LEDGER`](crate::limits::KEEP_LEDGER) ago, and for a schedule that counts from the end of its last run; `Conflict`
    /// if it does not stand still.
    pub async fn backfill_schedule(
        &self,
        name: impl Into<ScheduleName>,
        backfill: Backfill,
    ) -> Result<Backfilled, Error> {
        let name = name.into();
        let span = tracing::debug_span!("backfill_schedule", schedule = %name);
        let done = self.core.backfill_schedule(&name, &backfill);
        done.instrument(span).await
    }

    /// What a schedule does, when it fires next, and what holds it: a sentence each.
    ///
    /// # Errors
    ///
    /// `NotFound`; `Unavailable` if the store cannot be read.
    pub async fn explain_schedule(&self, name: impl Into<ScheduleName>) -> Result<Vec<String>, Error> {
        let name = name.into();
        let span = tracing::debug_span!("explain_schedule", schedule = %name);
        self.core.explain_schedule(&name).instrument(span).await
    }

    /// A page of a schedule's ledger: what became of its instants.
    ///
    /// # Errors
    ///
    /// `NotFound`; `Invalid` for a limit that is 0 or more than [`PAGE_ITEMS`](crate::limits::PAGE_ITEMS).
    pub async fn occurrences(
        &self,
        name: impl Into<ScheduleName>,
        page: LedgerPage,
    ) -> Result<Ledger, Error> {
        let name = name.into();
        let span = tracing::debug_span!("occurrences", schedule = %name);
        self.core.ledger(&name, page).instrument(span).await
    }

    /// Fires what is due by now, for an engine on which nobody takes care of that.
    #[cfg(feature = "testing")]
    pub(crate) async fn fire_due(&self) -> Result<(), Error> {
        super::caretaker::fire_due(&self.core).await
    }
}
