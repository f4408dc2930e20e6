//! A schedule on its way out: what its user wrote, and how far it has come.

use std::collections::BTreeMap;

use punctual::schedule::{self, Calendars};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::super::At;
use super::super::queue::Paused;
use super::NewSchedule;

/// A whole schedule: the answer to `GET /v1/schedules/{name}`. What `PUT` takes stands beside what the schedule has come to.
#[derive(Clone, Debug, Serialize)]
pub struct Schedule {
    /// How far it has come.
    #[serde(flatten)]
    pub head: ScheduleHead,
    /// What its user wrote, without what takes its default. Secrets of its job read `"***"`.
    #[serde(flatten)]
    pub plan: NewSchedule,
}

/// How far a schedule has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleHead {
    /// What people call it.
    pub name: String,
    /// A UUID: another one for a schedule that is deleted and made anew.
    pub id: String,
    /// The version of its row.
    pub rev: u64,
    /// When it was made.
    pub created_at: At,
    /// When it fires, in words.
    pub description: String,
    /// Its next nominal instant; `null` while it is paused, once it has ended, and while a run is live from whose end it counts.
    pub next_at: Option<At>,
    /// Set while it is paused: nothing fires.
    pub paused: Option<Paused>,
    /// Jobs that it has made by its plan.
    pub fired: u64,
    /// The nominal instant of the last of them.
    pub last_fired_at: Option<At>,
    /// Ids of its jobs that were live at the last look, as far as a policy asks for them.
    pub live: Vec<String>,
    /// Instants whose turn comes when no job of it is live any more.
    pub owed: u64,
    /// The first of them.
    pub owed_at: Option<At>,
}

/// The fields of [`NewSchedule`], which a reader of a schedule tells from those that it does not know.
const PLAN: [&str; 16] = [
    "cron", "zone", "gap", "fold", "every", "phase", "after", "at", "start", "end", "max_runs", "exclude",
    "spread", "misfire", "overlap", "job",
];

impl Schedule {
    /// The row in the wire's words.
    pub fn of(row: &schedule::Schedule, calendars: &Calendars) -> Schedule {
        Schedule {
            head: ScheduleHead::of(row, calendars),
            plan: NewSchedule::shown(&row.plan),
        }
    }
}

impl ScheduleHead {
    /// How far the schedule has come, in the wire's words.
    pub fn of(row: &schedule::Schedule, calendars: &Calendars) -> ScheduleHead {
        let standing = &row.standing;
        ScheduleHead {
            name: row.name.to_string(),
            id: row.id.to_string(),
            rev: row.rev,
            created_at: At(row.created_at),
            description: row.plan.describe(),
            next_at: row.next_nominal(calendars).map(At),
            paused: standing.paused.as_ref().map(|pause| Paused {
                reason: pause.reason.clone(),
                since: Some(At(pause.since)),
            }),
            fired: standing.fired,
            last_fired_at: standing.last_fired.map(At),
            live: standing.live.iter().map(ToString::to_string).collect(),
            owed: standing.owed.len() as u64,
            owed_at: standing.owed.front().map(|owed| At(owed.nominal_at)),
        }
    }
}

/// Reads the same text twice, since serde's `flatten` cannot hand on raw JSON. Fields that are not known are skipped.
impl<'de> Deserialize<'de> for Schedule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Schedule, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        let head = serde_json::from_str(text.get()).map_err(D::Error::custom)?;
        let mut plan: BTreeMap<String, &RawValue> =
            serde_json::from_str(text.get()).map_err(D::Error::custom)?;
        plan.retain(|name, _| PLAN.contains(&name.as_str()));
        let plan = serde_json::to_string(&plan).map_err(D::Error::custom)?;
        let plan = serde_json::from_str(&plan).map_err(D::Error::custom)?;
        Ok(Schedule { head, plan })
    }
}
