//! What the client asks about schedules and calendars.
//!
//! With `expect`, one is changed only if it has this version, which is the `rev` that every answer tells, or, for 0, only if there is
//! none; else it is refused with 412. Each firing makes a new version of a schedule.

use http::Method;

use super::{Client, ClientError, NOTHING, cursor_query, escaped, unwritable};
use crate::limits::SCHEDULE_ITEMS;
use crate::wire::{
    Backfill, Backfilled, Calendar, CalendarHead, Explanation, LedgerQuery, List, NewCalendar, NewPreview,
    NewSchedule, Occurrence, Pause, Preview, Schedule, ScheduleList, Trigger, Triggered, Upserted,
};

impl Client {
    /// One page of schedules, by name; `cursor` is `next` of the page before.
    pub async fn schedules(&self, cursor: Option<&str>) -> Result<ScheduleList, ClientError> {
        let path = format!("/v1/schedules?limit={SCHEDULE_ITEMS}{}", cursor_query(cursor));
        self.ask(Method::GET, &path, NOTHING, None).await
    }

    /// One schedule.
    pub async fn schedule(&self, name: &str) -> Result<Schedule, ClientError> {
        self.ask(Method::GET, &schedule_path(name, ""), NOTHING, None)
            .await
    }

    /// Makes a schedule, or gives the one of this name another plan.
    pub async fn set_schedule(
        &self,
        name: &str,
        schedule: &NewSchedule,
        expect: Option<u64>,
    ) -> Result<Upserted, ClientError> {
        self.change(Method::PUT, &schedule_path(name, ""), Some(schedule), expect)
            .await
    }

    /// Deletes a schedule with its ledger. The jobs that it has made stay.
    pub async fn delete_schedule(&self, name: &str, expect: Option<u64>) -> Result<(), ClientError> {
        self.remove(&schedule_path(name, ""), expect).await
    }

    /// Holds a schedule, for this reason, which may be empty: what comes due is skipped, until it is resumed.
    pub async fn pause_schedule(
        &self,
        name: &str,
        reason: &str,
        expect: Option<u64>,
    ) -> Result<Schedule, ClientError> {
        let pause = Pause {
            reason: reason.to_owned(),
        };
        self.change(Method::POST, &schedule_path(name, "/pause"), Some(&pause), expect)
            .await
    }

    /// Ends the pause of a schedule.
    pub async fn resume_schedule(&self, name: &str, expect: Option<u64>) -> Result<Schedule, ClientError> {
        self.change(Method::POST, &schedule_path(name, "/resume"), NOTHING, expect)
            .await
    }

    /// Makes a job of a schedule's now, under this id if there is one: sent again under the same id, it makes no second job.
    pub async fn trigger_schedule(&self, name: &str, id: Option<&str>) -> Result<Triggered, ClientError> {
        let trigger = Trigger {
            id: id.map(str::to_owned),
        };
        self.change(
            Method::POST,
            &schedule_path(name, "/trigger"),
            Some(&trigger),
            None,
        )
        .await
    }

    /// Makes jobs for instants that were skipped, or lie before the schedule was made, or counts them. While [`Backfilled::next`]
    /// is set, there is more: ask again with it as `from`.
    pub async fn backfill_schedule(
        &self,
        name: &str,
        backfill: &Backfill,
    ) -> Result<Backfilled, ClientError> {
        let path = schedule_path(name, "/backfill");
        self.ask(Method::POST, &path, Some(backfill), None).await
    }

    /// One page of a schedule's ledger, latest entries first.
    pub async fn occurrences(
        &self,
        name: &str,
        query: &LedgerQuery,
    ) -> Result<List<Occurrence>, ClientError> {
        let query = serde_urlencoded::to_string(query).map_err(|error| unwritable(&error))?;
        let path = schedule_path(name, &format!("/occurrences?{query}"));
        self.ask(Method::GET, &path, NOTHING, None).await
    }

    /// Why a schedule fires, or does not.
    pub async fn explain_schedule(&self, name: &str) -> Result<Explanation, ClientError> {
        self.ask(Method::GET, &schedule_path(name, "/explain"), NOTHING, None)
            .await
    }

    /// The next instants of a schedule that need not be stored.
    pub async fn preview(&self, preview: &NewPreview) -> Result<Preview, ClientError> {
        self.ask(Method::POST, "/v1/schedules/preview", Some(preview), None)
            .await
    }

    /// One page of calendars, by name; `cursor` is `next` of the page before.
    pub async fn calendars(&self, cursor: Option<&str>) -> Result<List<CalendarHead>, ClientError> {
        let path = format!("/v1/calendars?limit=1000{}", cursor_query(cursor));
        self.ask(Method::GET, &path, NOTHING, None).await
    }

    /// One calendar.
    pub async fn calendar(&self, name: &str) -> Result<Calendar, ClientError> {
        self.ask(Method::GET, &calendar_path(name), NOTHING, None).await
    }

    /// Sets the dates of a calendar, all of them, and makes it if there is none of this name.
    pub async fn set_calendar(
        &self,
        name: &str,
        calendar: &NewCalendar,
        expect: Option<u64>,
    ) -> Result<Calendar, ClientError> {
        self.change(Method::PUT, &calendar_path(name), Some(calendar), expect)
            .await
    }

    /// Deletes a calendar. Schedules that name it rest on none of its dates any more.
    pub async fn delete_calendar(&self, name: &str, expect: Option<u64>) -> Result<(), ClientError> {
        self.remove(&calendar_path(name), expect).await
    }
}

/// The path of a schedule. One that is called `preview` is spelled in another way than the route of that name.
fn schedule_path(name: &str, rest: &str) -> String {
    let name = match name {
        "preview" => "%70review".to_owned(),
        name => escaped(name),
    };
    format!("/v1/schedules/{name}{rest}")
}

fn calendar_path(name: &str) -> String {
    format!("/v1/calendars/{}", escaped(name))
}
