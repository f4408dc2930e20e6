//! Schedules on a page, and what setting one came to.

use punctual::engine;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::Schedule;

/// A page of schedules, by their names.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ScheduleList {
    /// The schedules, which may be none although there is a next page.
    pub items: Vec<Schedule>,
    /// Those on the page that cannot be read, since a newer version wrote them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<UnreadableSchedule>,
    /// The cursor of the next page; `null` at the end.
    pub next: Option<String>,
}

/// A schedule that is there, and that nobody here can read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreadableSchedule {
    /// What people call it.
    pub name: String,
    /// Why it cannot be read.
    pub detail: String,
}

impl UnreadableSchedule {
    /// The same in the wire's words.
    pub fn of(row: &engine::UnreadableSchedule) -> UnreadableSchedule {
        UnreadableSchedule {
            name: row.name.to_string(),
            detail: row.why.to_string(),
        }
    }
}

/// What `PUT /v1/schedules/{name}` came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Upsert {
    /// There was none of this name.
    Created,
    /// It had another plan.
    Changed,
    /// It had this plan, and is as it was.
    Unchanged,
}

impl From<engine::Upsert> for Upsert {
    fn from(word: engine::Upsert) -> Upsert {
        match word {
            engine::Upsert::Created => Upsert::Created,
            engine::Upsert::Changed => Upsert::Changed,
            engine::Upsert::Unchanged => Upsert::Unchanged,
        }
    }
}

/// The answer to `PUT /v1/schedules/{name}`.
#[derive(Clone, Debug, Serialize)]
pub struct Upserted {
    /// What it came to.
    pub upsert: Upsert,
    /// The schedule as it is now.
    #[serde(flatten)]
    pub schedule: Schedule,
}

/// Reads the same text twice, since serde's `flatten` cannot hand on raw JSON.
impl<'de> Deserialize<'de> for Upserted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Upserted, D::Error> {
        #[derive(Deserialize)]
        struct Beside {
            upsert: Upsert,
        }

        let text = Box::<RawValue>::deserialize(deserializer)?;
        let Beside { upsert } = serde_json::from_str(text.get()).map_err(D::Error::custom)?;
        let schedule = serde_json::from_str(text.get()).map_err(D::Error::custom)?;
        Ok(Upserted { upsert, schedule })
    }
}
