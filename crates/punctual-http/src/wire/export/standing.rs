//! How far a schedule has come, in an export: all that decides what it fires next.

use punctual::Error;
use punctual::job::JobId;
use punctual::schedule::{OpenSkips, Owed, Pause, Standing};
use serde::{Deserialize, Serialize};

use super::super::At;
use super::super::faults::Faults;
use super::super::read::{objects, optional_object};
use super::{is_zero, reason};

/// How far a schedule has come.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptStanding {
    /// Every instant until then has its place in the ledger, or is owed.
    pub settled_until: At,
    /// When somebody has to look at it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<At>,
    /// The ids of its jobs that were live at the last look.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub live: Vec<String>,
    /// Instants whose turn comes when no job is live any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "objects")]
    pub owed: Vec<KeptOwed>,
    /// The live jobs are to make way for the first of them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub makes_way: bool,
    /// The last entry of the ledger, if it tells of skips.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "optional_object"
    )]
    pub skips: Option<KeptSkips>,
    /// Instants that were let go, and for which no job stands yet.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub missed: u64,
    /// When the last run ended, where the plan counts from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_ended: Option<At>,
    /// Its live jobs wake nobody at their end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub watched: bool,
    /// It is paused.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "optional_object"
    )]
    pub paused: Option<KeptPause>,
    /// Jobs it has made by its plan.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub fired: u64,
    /// The instant of the last of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_fired: Option<At>,
    /// Entries that were ever written to its ledger.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub written: u64,
    /// When old entries were last dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forgot_at: Option<At>,
}

/// An instant whose turn has not come.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptOwed {
    /// The instant.
    pub nominal_at: At,
    /// Instants for which its job will stand, too.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub missed: u64,
}

/// An entry of skips, which may go on.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptSkips {
    /// Its first instant.
    pub from: At,
    /// Its last one so far.
    pub until: At,
    /// How many so far; 0 if it does not go on.
    pub count: u64,
    /// Why they were skipped.
    pub reason: String,
}

/// Why and since when a schedule is paused.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptPause {
    /// For people; may be empty.
    pub reason: String,
    /// From this instant on nothing fires.
    pub since: At,
}

impl KeptStanding {
    pub(super) fn of(standing: &Standing) -> KeptStanding {
        let owed = standing.owed.iter().map(|owed| KeptOwed {
            nominal_at: At(owed.nominal_at),
            missed: owed.missed,
        });
        KeptStanding {
            settled_until: At(standing.settled_until),
            next: standing.next.map(At),
            live: standing.live.iter().map(ToString::to_string).collect(),
            owed: owed.collect(),
            makes_way: standing.makes_way,
            skips: standing.skips.map(|skips| KeptSkips {
                from: At(skips.from),
                until: At(skips.until),
                count: skips.count,
                reason: skips.reason.to_string(),
            }),
            missed: standing.missed,
            last_ended: standing.last_ended.map(At),
            watched: standing.watched,
            paused: standing.paused.as_ref().map(|pause| KeptPause {
                reason: pause.reason.clone(),
                since: At(pause.since),
            }),
            fired: standing.fired,
            last_fired: standing.last_fired.map(At),
            written: standing.written,
            forgot_at: standing.forgot_at.map(At),
        }
    }

    pub(super) fn read(self) -> Result<Standing, Error> {
        let mut faults = Faults::default();
        let live = self.live.iter().enumerate();
        let live: Vec<JobId> = live
            .filter_map(|(n, id)| faults.keep(&format!("/live/{n}"), id.parse()))
            .collect();
        let skips = self.skips.and_then(|skips| {
            Some(OpenSkips {
                from: skips.from.0,
                until: skips.until.0,
                count: skips.count,
                reason: reason(&mut faults, "/skips/reason", &skips.reason)?,
            })
        });
        let owed = self.owed.into_iter().map(|owed| Owed {
            nominal_at: owed.nominal_at.0,
            missed: owed.missed,
        });
        faults.or(Standing {
            settled_until: self.settled_until.0,
            next: self.next.map(|at| at.0),
            live,
            owed: owed.collect(),
            makes_way: self.makes_way,
            skips,
            missed: self.missed,
            last_ended: self.last_ended.map(|at| at.0),
            watched: self.watched,
            paused: self.paused.map(|pause| Pause {
                reason: pause.reason,
                since: pause.since.0,
            }),
            fired: self.fired,
            last_fired: self.last_fired.map(|at| at.0),
            written: self.written,
            forgot_at: self.forgot_at.map(|at| at.0),
        })
    }
}
