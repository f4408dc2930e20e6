//! What became of runs, as their workers tell it.

use punctual::run::{self, RunId, SettleVerdict};
use punctual::{Error, Timestamp};
use serde::{Deserialize, Serialize};

use super::faults::Faults;
use super::outcome::Outcome;
use super::read::{objects, optional_object};
use super::worker::{Verdict, fit_in_one_flush};

/// The body of `POST /v1/workers/settle`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settle {
    /// Who settles, by the name that it claimed with. It decides nothing: the id and the run say whose it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// What became of its runs, up to 1000 at once.
    #[serde(deserialize_with = "objects")]
    pub runs: Vec<Settlement>,
}

/// What became of one run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settlement {
    /// The job.
    pub id: Option<String>,
    /// The run.
    pub run: Option<u64>,
    /// What became of it.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "optional_object")]
    pub outcome: Option<Outcome>,
}

/// The answer to a settle.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settled {
    /// For each run, in the order of the request.
    pub runs: Vec<Verdict>,
}

impl Settle {
    /// The settlements in the library's words, at `now`.
    pub fn read(self, now: Timestamp) -> Result<Vec<run::Settlement>, Error> {
        let mut faults = Faults::default();
        if self.worker.is_some() {
            faults.worker(self.worker);
        }
        fit_in_one_flush(&self.runs)?;
        let runs = self.runs.into_iter().enumerate();
        let read: Vec<_> = runs
            .map(|(place, run)| run.read(&format!("/runs/{place}"), now, &mut faults))
            .collect();
        let read = read.into_iter().flatten().collect();
        faults.or(read)
    }
}

impl Settlement {
    /// The settlement in the wire's words.
    pub fn of(id: RunId, outcome: &run::Outcome) -> Settlement {
        Settlement {
            id: Some(id.job.to_string()),
            run: Some(id.run),
            outcome: Some(Outcome::of(outcome)),
        }
    }

    fn read(self, pointer: &str, now: Timestamp, faults: &mut Faults) -> Option<run::Settlement> {
        let id = faults.run(pointer, self.id, self.run);
        let pointer = format!("{pointer}/outcome");
        let outcome = faults.required(&pointer, self.outcome)?;
        Some(run::Settlement {
            id,
            outcome: outcome.read(&pointer, now, faults)?,
            claimed: None,
        })
    }
}

impl Settled {
    /// The answer in the wire's words, for these runs.
    pub fn of(runs: &[RunId], verdicts: &[SettleVerdict]) -> Settled {
        let word = |verdict: &SettleVerdict| match verdict {
            SettleVerdict::Settled => "settled",
            SettleVerdict::Stale => "stale",
            SettleVerdict::Refused => "refused",
        };
        let verdicts = runs.iter().zip(verdicts);
        Settled {
            runs: verdicts
                .map(|(run, verdict)| Verdict::of(*run, word(verdict)))
                .collect(),
        }
    }
}
