//! When a schedule fires, and what becomes of instants that do not go to plan: what `set` and `preview` have in common.

use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use punctual::time::format_length;
use punctual_http::wire::{Exclude, Fold, Gap, Misfire, MisfireMode, NewJob, NewSchedule, Overlap};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::when::{self, When};

/// When, and what if not.
#[derive(Args)]
#[command(next_help_heading = "When, one of these four")]
pub(super) struct PlanFlags {
    /// At the local times that this pattern admits, such as '30 2 * * *'
    #[arg(long, value_name = "PATTERN")]
    cron: Option<String>,
    /// So often, counted from 1970 on, such as 15m
    #[arg(long, value_name = "LENGTH", value_parser = when::length)]
    every: Option<Duration>,
    /// So long after the end of the last run
    #[arg(long, value_name = "LENGTH", value_parser = when::length)]
    after: Option<Duration>,
    /// At this instant; may be repeated. Without an offset, local time
    #[arg(long = "at", value_name = "TIME")]
    at: Vec<When>,
    #[command(flatten)]
    bounds: Bounds,
    #[command(flatten)]
    policies: Policies,
}

/// What narrows it.
#[derive(Args)]
#[command(next_help_heading = "Where and between what")]
struct Bounds {
    /// Whose local times and dates are meant, such as Europe/Ljubljana [default: UTC]
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,
    /// How much later each instant of --every comes
    #[arg(long, value_name = "LENGTH", value_parser = when::length)]
    phase: Option<Duration>,
    /// Nothing before
    #[arg(long, value_name = "TIME")]
    start: Option<When>,
    /// Nothing from then on
    #[arg(long, value_name = "TIME")]
    end: Option<When>,
    /// After so many runs it has ended
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    max_runs: Option<i64>,
    /// It rests on this date, such as 2026-12-25; may be repeated
    #[arg(long = "exclude-date", value_name = "DATE")]
    dates: Vec<String>,
    /// It rests on this day of the week, such as sat; may be repeated
    #[arg(long = "exclude-weekday", value_name = "DAY")]
    weekdays: Vec<String>,
    /// It rests on the dates of this calendar; may be repeated
    #[arg(long = "exclude-calendar", value_name = "NAME", add = crate::completion::calendars())]
    calendars: Vec<String>,
    /// Its jobs are due later by a part of this length, always the same one for a schedule
    #[arg(long, value_name = "LENGTH", value_parser = when::length)]
    spread: Option<Duration>,
}

/// What becomes of instants that do not go to plan.
#[derive(Args)]
#[command(next_help_heading = "When it does not go to plan")]
struct Policies {
    /// Which instants are made up for that nobody was there to fire [default: latest]
    #[arg(long, value_name = "WHICH", value_parser = word::<MisfireMode>(&["skip", "latest", "all"]))]
    misfire: Option<MisfireMode>,
    /// What is fired so late is still on time [default: 1m]
    #[arg(long, value_name = "LENGTH", value_parser = when::length)]
    grace: Option<Duration>,
    /// With --misfire all, so many of the newest [default: 100]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..=1000))]
    misfire_max: Option<i64>,
    /// What becomes of an instant while the last run is live [default: skip]
    #[arg(long, value_name = "WHAT",
          value_parser = word::<Overlap>(&["skip", "buffer_one", "cancel_other", "allow"]))]
    overlap: Option<Overlap>,
    /// What becomes of a time of day that the clocks leave out [default: shift]
    #[arg(long, value_name = "WHAT", value_parser = word::<Gap>(&["shift", "skip"]))]
    gap: Option<Gap>,
    /// When a time of day fires that the clocks show twice [default: first]
    #[arg(long, value_name = "WHEN", value_parser = word::<Fold>(&["first", "second", "both"]))]
    fold: Option<Fold>,
}

/// Whether a flag, without its dashes, is one of a plan.
pub(crate) fn is_of_plan(flag: &str) -> bool {
    let plan = PlanFlags::augment_args(clap::Command::new("plan"));
    plan.get_arguments()
        .any(|argument| argument.get_long() == Some(flag))
}

/// Reads one of a few words of the wire.
fn word<T>(words: &'static [&'static str]) -> impl TypedValueParser<Value = T>
where
    T: DeserializeOwned + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(words).try_map(|word| serde_json::from_value(Value::String(word)))
}

impl PlanFlags {
    /// Whether nothing says when.
    pub(super) fn is_empty(&self) -> bool {
        self.cron.is_none() && self.every.is_none() && self.after.is_none() && self.at.is_empty()
    }

    /// Whether no flag is given at all.
    pub(super) fn is_unused(&self) -> bool {
        serde_json::to_value(self.schedule(None)).is_ok_and(|said| said == json!({}))
    }

    /// The schedule of this job.
    pub(super) fn schedule(&self, job: Option<NewJob>) -> NewSchedule {
        let instant = |when: &When| when.at.to_string();
        let Bounds { start, end, .. } = &self.bounds;
        NewSchedule {
            cron: self.cron.clone(),
            zone: self.bounds.zone.clone(),
            gap: self.policies.gap,
            fold: self.policies.fold,
            every: self.every.map(format_length),
            phase: self.bounds.phase.map(format_length),
            after: self.after.map(format_length),
            at: (!self.at.is_empty()).then(|| self.at.iter().map(instant).collect()),
            start: start.as_ref().map(instant),
            end: end.as_ref().map(instant),
            max_runs: self.bounds.max_runs,
            exclude: self.bounds.exclude(),
            spread: self.bounds.spread.map(format_length),
            misfire: self.policies.misfire(),
            overlap: self.policies.overlap,
            job,
        }
    }

    /// Tells how instants without an offset were read.
    pub(super) fn tell_what_was_assumed(&self) {
        let at = self.at.iter().map(|when| ("--at", Some(*when)));
        let bounds = [("--start", self.bounds.start), ("--end", self.bounds.end)];
        when::tell_what_was_assumed(&at.chain(bounds).collect::<Vec<_>>());
    }
}

impl Bounds {
    fn exclude(&self) -> Option<Exclude> {
        let exclude = Exclude {
            dates: self.dates.clone(),
            weekdays: self.weekdays.clone(),
            calendars: self.calendars.clone(),
        };
        Some(exclude).filter(|exclude| *exclude != Exclude::default())
    }
}

impl Policies {
    fn misfire(&self) -> Option<Misfire> {
        let misfire = Misfire {
            mode: self.misfire,
            grace: self.grace.map(format_length),
            max: self.misfire_max,
        };
        Some(misfire).filter(|misfire| *misfire != Misfire::default())
    }
}
