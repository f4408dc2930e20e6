//! What will come of plans, by the calendars that this store keeps.

use std::iter;

use tracing::Instrument;

use crate::error::Error;
use crate::rules::{self, Moment};
use crate::schedule::{Calendars, Plan, Preview, Schedule};
use crate::time::Timestamp;

use super::super::calendars::check_readable;
use super::super::{Core, Engine};

impl Engine {
    /// The calendars that these schedules name, as far as they are there: what it takes to tell the next instant of each.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the store cannot be read.
    pub async fn calendars_of(&self, schedules: &[Schedule]) -> Result<Calendars, Error> {
        let plans: Vec<&Plan> = schedules.iter().map(|row| &*row.plan).collect();
        self.core.calendars_of(plans.into_iter()).await
    }

    /// The next `count` instants later than `from` of a plan that need not be stored, at most
    /// [`PREVIEW_INSTANTS`](crate::limits::PREVIEW_INSTANTS); unset, later than now. See [`Plan::preview`].
    ///
    /// # Errors
    ///
    /// `Invalid` for a plan that [`set_schedule`](Self::set_schedule) would refuse, too; `Internal` if a calendar
    /// that it names cannot be read; `Unavailable` if the store cannot.
    pub async fn preview(
        &self,
        plan: &Plan,
        from: Option<Timestamp>,
        count: usize,
    ) -> Result<Preview, Error> {
        let span = tracing::debug_span!("preview");
        self.core.preview(plan, from, count).instrument(span).await
    }
}

impl Core {
    async fn preview(&self, plan: &Plan, from: Option<Timestamp>, count: usize) -> Result<Preview, Error> {
        let calendars = self.calendars_of(iter::once(plan)).await?;
        check_readable(plan, &calendars)?;
        let moment = self.moment_with(self.defaults.retention);
        let now = from.unwrap_or(moment.now);
        // As if it were stored then, so that a look into the past is one as well.
        rules::plan::check(plan, &calendars, &Moment { now, ..moment })?;
        Ok(plan.preview(now, count, &calendars))
    }
}
