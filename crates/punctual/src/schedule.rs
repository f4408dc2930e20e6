//! Schedules: what recurs, and when.
//!
//! A schedule is data: a name, a [`Plan`] that its user wrote, and a [`Standing`] that tells how far it has come. Each
//! **nominal instant** of the plan has exactly one place in the schedule's ledger: an [`Occurrence`] that was fired, or
//! skipped for a [`Reason`].
//!
//! ```text
//!   plan:  09:00      10:00      11:00      12:00      13:00
//!            │          │          │          │          │
//!            ▼          ▼          ▼          ▼          ▼
//!          fired     skipped    skipped     fired     not yet
//!                    └─ paused ────┘          ▲
//!                                       settled until here
//! ```
//!
//! A schedule of a [`Task`](crate::Task) is three lines:
//!
//! ```
//! use punctual::schedule::{Plan, Spec};
//! use punctual::{Engine, NewJob, Run, Stop, Task, Worker};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Report {
//!     shop: u64,
//! }
//!
//! impl Task for Report {
//!     const KIND: &'static str = "report";
//!     type Output = ();
//! }
//!
//! // Whoever runs it can ask for which instant it is.
//! async fn report(task: Report, run: Run) -> Result<(), Stop> {
//!     if let Some(origin) = run.origin() {
//!         println!("shop {}, {} of {}", task.shop, origin.name, origin.nominal_at);
//!     }
//!     Ok(())
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let engine = Engine::open("memory:").await?;
//! let nightly = Spec::cron("30 2 * * *", "Europe/Ljubljana")?;
//! let plan = Plan::new(nightly, NewJob::task(&Report { shop: 7 })?);
//! engine.set_schedule("report-7", plan, None).await?;
//! # let worker = Worker::new(&engine).handle(report);
//! # Ok::<(), punctual::Error>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! As with jobs, rules decide what a schedule becomes, and a store writes it if nobody changed the row meanwhile:
//! so any node may fire, and none has to lead.

pub mod cron;
mod exclude;
mod interval;
mod ledger;
mod next;
mod plan;
mod preview;
mod standing;
mod words;
mod zone;

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

use crate::error::Error;
use crate::job::JobId;
use crate::queue::name_fault;
use crate::time::Timestamp;

pub use exclude::{Calendar, Calendars, Exclusions};
pub use interval::Every;
pub use ledger::{Cause, Occurrence, OccurrenceKey, Outcome, Reason};
pub use plan::{Misfire, MisfireMode, Overlap, Plan, Spec};
pub use preview::{Fate, Foreseen, Further, Preview};
pub use standing::{AT_ONCE, OpenSkips, Owed, Pause, Standing};
pub use zone::Zone;

/// One schedule as a store keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// What its jobs' ids are computed from: another one for a schedule that is deleted and made anew under its name.
    pub id: ScheduleId,
    /// What people call it.
    pub name: ScheduleName,
    /// The version of the row: every write raises it, every decided write compares it.
    pub rev: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// What its user wrote.
    pub plan: Arc<Plan>,
    /// How far it has come.
    pub standing: Standing,
}

/// The identity of one schedule, for ever.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScheduleId(pub Uuid);

impl ScheduleId {
    /// The id of the job that is fired for a nominal instant: the same for whoever computes it, so that there is at most
    /// one. A version 5 UUID (RFC 9562) of the schedule's own name space.
    pub fn job_at(self, nominal_at: Timestamp) -> JobId {
        JobId(Uuid::new_v5(&self.0, &nominal_at.as_micros().to_be_bytes()))
    }
}

impl fmt::Display for ScheduleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for ScheduleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of a schedule: 1 to 128 bytes of letters, digits, `.`, `_`, `-`, `/` and `:`. It is
/// [checked](ScheduleName::check) where a schedule is made.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScheduleName(Arc<str>);

impl ScheduleName {
    /// Whether a schedule can have this name.
    ///
    /// # Errors
    ///
    /// `Invalid`, which says what is accepted.
    pub fn check(&self) -> Result<(), Error> {
        match name_fault(&self.0) {
            None => Ok(()),
            Some(fault) => Err(Error::invalid(format!(
                "the name of a schedule {fault}, and is {self:?}"
            ))),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for ScheduleName {
    fn from(name: &str) -> ScheduleName {
        ScheduleName(name.into())
    }
}

impl From<String> for ScheduleName {
    fn from(name: String) -> ScheduleName {
        ScheduleName(name.into())
    }
}

impl fmt::Display for ScheduleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for ScheduleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
