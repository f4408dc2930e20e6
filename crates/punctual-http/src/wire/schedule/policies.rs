//! The policies of a schedule, each one of a few words.

use punctual::schedule::{self, cron};
use serde::{Deserialize, Serialize};

use super::super::read::optional_word;

/// What becomes of instants that nobody was there to fire.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Misfire {
    /// Which of them are fired late: `skip`, `latest` or `all`. Unset, `latest`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "optional_word")]
    pub mode: Option<MisfireMode>,
    /// An instant that is fired no later than this is on time. Unset, `1m`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace: Option<String>,
    /// With `all`, so many of the newest: 1 to 1000. Unset, 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<i64>,
}

/// Which of the missed instants are fired late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MisfireMode {
    /// None.
    Skip,
    /// The latest, in one job that knows for how many it stands.
    Latest,
    /// All of them, oldest first.
    All,
}

/// What becomes of an instant while the last run is live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// It is skipped.
    Skip,
    /// It is fired when the last run has ended; at most one waits so.
    BufferOne,
    /// The last run is cancelled, and this one fired when that has ended.
    CancelOther,
    /// It is fired beside the last run.
    Allow,
}

/// What becomes of a time of day that the clocks leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gap {
    /// It fires at the first instant after the gap.
    Shift,
    /// It is skipped.
    Skip,
}

/// What becomes of a time of day that the clocks show twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fold {
    /// It fires the first time.
    First,
    /// It fires the second time.
    Second,
    /// It fires both times.
    Both,
}

impl From<MisfireMode> for schedule::MisfireMode {
    fn from(wire: MisfireMode) -> schedule::MisfireMode {
        match wire {
            MisfireMode::Skip => schedule::MisfireMode::Skip,
            MisfireMode::Latest => schedule::MisfireMode::Latest,
            MisfireMode::All => schedule::MisfireMode::All,
        }
    }
}

impl From<schedule::MisfireMode> for MisfireMode {
    fn from(word: schedule::MisfireMode) -> MisfireMode {
        match word {
            schedule::MisfireMode::Skip => MisfireMode::Skip,
            schedule::MisfireMode::Latest => MisfireMode::Latest,
            schedule::MisfireMode::All => MisfireMode::All,
        }
    }
}

impl From<Overlap> for schedule::Overlap {
    fn from(wire: Overlap) -> schedule::Overlap {
        match wire {
            Overlap::Skip => schedule::Overlap::Skip,
            Overlap::BufferOne => schedule::Overlap::BufferOne,
            Overlap::CancelOther => schedule::Overlap::CancelOther,
            Overlap::Allow => schedule::Overlap::Allow,
        }
    }
}

impl From<schedule::Overlap> for Overlap {
    fn from(word: schedule::Overlap) -> Overlap {
        match word {
            schedule::Overlap::Skip => Overlap::Skip,
            schedule::Overlap::BufferOne => Overlap::BufferOne,
            schedule::Overlap::CancelOther => Overlap::CancelOther,
            schedule::Overlap::Allow => Overlap::Allow,
        }
    }
}

impl From<Gap> for cron::Gap {
    fn from(wire: Gap) -> cron::Gap {
        match wire {
            Gap::Shift => cron::Gap::Shift,
            Gap::Skip => cron::Gap::Skip,
        }
    }
}

impl From<cron::Gap> for Gap {
    fn from(word: cron::Gap) -> Gap {
        match word {
            cron::Gap::Shift => Gap::Shift,
            cron::Gap::Skip => Gap::Skip,
        }
    }
}

impl From<Fold> for cron::Fold {
    fn from(wire: Fold) -> cron::Fold {
        match wire {
            Fold::First => cron::Fold::First,
            Fold::Second => cron::Fold::Second,
            Fold::Both => cron::Fold::Both,
        }
    }
}

impl From<cron::Fold> for Fold {
    fn from(word: cron::Fold) -> Fold {
        match word {
            cron::Fold::First => Fold::First,
            cron::Fold::Second => Fold::Second,
            cron::Fold::Both => Fold::Both,
        }
    }
}
