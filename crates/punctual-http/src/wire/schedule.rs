//! A schedule on its way in: when, what, and what to do when it does not go to plan.

use std::time::Duration;

use punctual::job;
use punctual::limits::{MISFIRE_GRACE, MISFIRE_MAX};
use punctual::schedule::cron::Cron;
use punctual::schedule::{self, Every, Exclusions, Plan, Spec, Zone};
use punctual::{Error, Timestamp};
use serde::{Deserialize, Serialize};

use super::faults::Faults;
use super::new_job::NewJob;
use super::read::{optional_object, optional_word, or_default};

mod days;
mod ledger;
mod listed;
mod occurrence;
mod orders;
mod policies;
mod preview;
mod shown;
mod written;

pub(super) use days::dates;
pub use ledger::{LedgerOrder, LedgerQuery, read_place, write_place};
pub use listed::{ScheduleList, UnreadableSchedule, Upsert, Upserted};
pub use occurrence::Occurrence;
pub use orders::{Backfill, Backfilled, Explanation, Trigger, Triggered};
pub use policies::{Fold, Gap, Misfire, MisfireMode, Overlap};
pub use preview::{NewPreview, Preview, PreviewItem, PreviewOrder};
pub use shown::{Schedule, ScheduleHead};

/// A schedule as somebody asks for it: the body of `PUT /v1/schedules/{name}`. It has exactly one of `cron`, `every`, `after` and
/// `at`, and a `job`. What is left out, or null, takes its default.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NewSchedule {
    /// A cron pattern of 5 or 6 fields, or a name such as `@daily`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// Whose local times and dates are meant: an IANA time zone. Unset, UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// What becomes of a time of day of `cron` that the clocks leave out: `shift` or `skip`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "optional_word")]
    pub gap: Option<Gap>,
    /// What becomes of a time of day of `cron` that comes twice: `first`, `second` or `both`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "optional_word")]
    pub fold: Option<Fold>,
    /// From one instant to the next, counted from the Unix epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every: Option<String>,
    /// How much later each instant of `every` comes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// From the end of a run to the next one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// These instants, ascending.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Vec<String>>,
    /// Nothing before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// Nothing from then on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
    /// After so many runs it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_runs: Option<i64>,
    /// Days on which it rests.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "optional_object")]
    pub exclude: Option<Exclude>,
    /// Its jobs are due later than their instants by a part of this length, always the same one for a schedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spread: Option<String>,
    /// What becomes of instants that nobody was there to fire.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "optional_object")]
    pub misfire: Option<Misfire>,
    /// What becomes of an instant while the last run is live: `skip`, `buffer_one`, `cancel_other` or `allow`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "optional_word")]
    pub overlap: Option<Overlap>,
    /// What its jobs are like: as in `POST /v1/jobs`, but for `id`, `run_at`, `delay`, `start_deadline` and `unique`, which a
    /// schedule's jobs cannot have.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "optional_object")]
    pub job: Option<NewJob>,
}

/// Days on which a schedule rests: local dates of its zone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Exclude {
    /// Single dates, such as `2026-12-25`.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub dates: Vec<String>,
    /// Days of the week, such as `sat`.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub weekdays: Vec<String>,
    /// Names of calendars.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub calendars: Vec<String>,
}

/// What a schedule goes by, of which it has exactly one.
const ONE_OF: &str = "a schedule has one of cron, every, after and at";

impl NewSchedule {
    /// The plan in the library's words. Tells every text that has not its form, and what excludes each other; what the
    /// values may be is the rules' business.
    ///
    /// # Errors
    ///
    /// `Invalid`, with a JSON pointer to each bad field.
    pub fn read(mut self) -> Result<Plan, Error> {
        let mut faults = Faults::default();
        let job = self.job.take();
        let job = faults
            .required("/job", job)
            .and_then(|job| read_job(job, &mut faults));
        let plan = self.plan(job, &mut faults);
        faults.or(())?;
        plan.ok_or_else(|| Error::invalid("this is no schedule"))
    }

    /// The plan, as far as it can be read.
    fn plan(self, job: Option<job::NewJob>, faults: &mut Faults) -> Option<Plan> {
        let zone: Zone = faults.parse("/zone", self.zone.clone()).unwrap_or_default();
        self.one_spec(faults);
        let spec = self.cron(&zone, faults).or(self.instants(faults));
        let exclude = self.exclude.unwrap_or_default();
        Some(Plan {
            // A pattern has its own.
            zone: match &spec {
                Some(Spec::Cron(_)) => Zone::default(),
                _ => zone,
            },
            start: faults.parse("/start", self.start),
            end: faults.parse("/end", self.end),
            max_runs: faults.whole("/max_runs", self.max_runs, "1 or more"),
            exclude: Exclusions {
                dates: days::dates("/exclude/dates", exclude.dates, faults),
                weekdays: days::weekdays(exclude.weekdays, faults),
                calendars: exclude.calendars,
            },
            spread: faults.length("/spread", self.spread),
            misfire: self
                .misfire
                .map(|misfire| misfire.read(faults))
                .unwrap_or_default(),
            overlap: self.overlap.map(Into::into).unwrap_or_default(),
            spec: spec?,
            job: job?,
        })
    }

    /// Tells if there is not exactly one spec, or what another one would need.
    fn one_spec(&self, faults: &mut Faults) {
        let specs = [
            ("/cron", self.cron.is_some()),
            ("/every", self.every.is_some()),
            ("/after", self.after.is_some()),
            ("/at", self.at.is_some()),
        ];
        let mut given = specs.iter().filter(|(_, given)| *given);
        if given.next().is_none() {
            return faults.add("/cron", format!("it is missing: {ONE_OF}"));
        }
        for (pointer, _) in given {
            faults.add(pointer, format!("{ONE_OF}, never two"));
        }
        let foreign = [
            ("/gap", self.gap.is_some(), self.cron.is_some(), "cron"),
            ("/fold", self.fold.is_some(), self.cron.is_some(), "cron"),
            ("/phase", self.phase.is_some(), self.every.is_some(), "every"),
        ];
        for (pointer, _, _, owner) in foreign.iter().filter(|(_, given, fits, _)| *given && !fits) {
            faults.add(pointer, format!("it stands beside {owner} only"));
        }
    }

    fn cron(&self, zone: &Zone, faults: &mut Faults) -> Option<Spec> {
        Some(Spec::Cron(Cron {
            pattern: faults.parse("/cron", self.cron.clone())?,
            zone: zone.clone(),
            gap: self.gap.map(Into::into).unwrap_or_default(),
            fold: self.fold.map(Into::into).unwrap_or_default(),
        }))
    }

    fn instants(&self, faults: &mut Faults) -> Option<Spec> {
        let phase = faults.length("/phase", self.phase.clone()).unwrap_or_default();
        let every = faults.length("/every", self.every.clone());
        let every = every.map(|length| Spec::Every(Every { length, phase }));
        let after = faults.length("/after", self.after.clone()).map(Spec::After);
        let at = self.at.as_ref().map(|texts| {
            let each = texts.iter().enumerate();
            let each = each.filter_map(|(n, text)| faults.parse(&format!("/at/{n}"), Some(text.clone())));
            Spec::At(each.collect::<Vec<Timestamp>>())
        });
        every.or(after).or(at)
    }
}

impl Misfire {
    fn read(self, faults: &mut Faults) -> schedule::Misfire {
        let most = "1 to 1000";
        let max = faults.whole("/misfire/max", self.max, most);
        let grace: Option<Duration> = faults.length("/misfire/grace", self.grace);
        schedule::Misfire {
            mode: self.mode.map(Into::into).unwrap_or_default(),
            grace: grace.unwrap_or(MISFIRE_GRACE),
            max: max.unwrap_or(MISFIRE_MAX),
        }
    }
}

/// The job of a schedule, as far as it can be read.
fn read_job(mut job: NewJob, faults: &mut Faults) -> Option<job::NewJob> {
    // The rules tell the same of an instant, which the library has no other word for.
    if job.delay.take().is_some() {
        faults.add("/job/delay", "must be left out: the schedule says when");
    }
    faults.within("/job", job.read())
}
