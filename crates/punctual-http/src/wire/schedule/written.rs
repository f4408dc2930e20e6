//! A plan in the wire's words. Defaults are left out; what is written reads as the same plan.

use std::time::Duration;

use bytes::Bytes;
use punctual::job;
use punctual::limits::{MISFIRE_GRACE, MISFIRE_MAX};
use punctual::schedule::cron::{Cron, Fold, Gap};
use punctual::schedule::{self, Exclusions, Plan, Spec, Zone};
use punctual::time::format_length;

use super::super::json::Blob;
use super::super::new_job::{Backoff, NewJob};
use super::super::secret;
use super::{Exclude, Misfire, NewSchedule, days};

impl NewSchedule {
    /// The plan, whole: the secrets of its job, too.
    pub fn of(plan: &Plan) -> NewSchedule {
        NewSchedule::with_job(plan, template(&plan.job, Blob::for_request(&plan.job.payload)))
    }

    /// The plan as everybody may read it: with the secrets of its job masked.
    pub fn shown(plan: &Plan) -> NewSchedule {
        let payload = secret::payload(&plan.job.kind, &plan.job.payload);
        NewSchedule::with_job(plan, template(&plan.job, payload))
    }

    fn with_job(plan: &Plan, job: NewJob) -> NewSchedule {
        let zone = Some(plan.zone().name()).filter(|name| *name != Zone::UTC_NAME);
        let schedule = NewSchedule {
            zone: zone.map(str::to_owned),
            start: plan.start.map(|at| at.to_string()),
            end: plan.end.map(|at| at.to_string()),
            // No schedule makes more runs than that.
            max_runs: plan.max_runs.map(|runs| i64::try_from(runs).unwrap_or(i64::MAX)),
            exclude: Some(Exclude::of(&plan.exclude)).filter(|exclude| *exclude != Exclude::default()),
            spread: plan.spread.map(format_length),
            misfire: Some(Misfire::of(plan.misfire)).filter(|misfire| *misfire != Misfire::default()),
            overlap: not_default(plan.overlap).map(Into::into),
            job: Some(job),
            ..NewSchedule::default()
        };
        match &plan.spec {
            Spec::Cron(Cron {
                pattern, gap, fold, ..
            }) => NewSchedule {
                cron: Some(pattern.to_string()),
                gap: not_default::<Gap>(*gap).map(Into::into),
                fold: not_default::<Fold>(*fold).map(Into::into),
                ..schedule
            },
            Spec::Every(every) => NewSchedule {
                every: Some(format_length(every.length)),
                phase: not_default(every.phase).map(format_length),
                ..schedule
            },
            Spec::After(delay) => NewSchedule {
                after: Some(format_length(*delay)),
                ..schedule
            },
            Spec::At(instants) => NewSchedule {
                at: Some(instants.iter().map(ToString::to_string).collect()),
                ..schedule
            },
        }
    }
}

impl Exclude {
    fn of(exclude: &Exclusions) -> Exclude {
        Exclude {
            dates: exclude.dates.iter().map(ToString::to_string).collect(),
            weekdays: exclude.weekdays.iter().map(|day| days::weekday(*day)).collect(),
            calendars: exclude.calendars.clone(),
        }
    }
}

impl Misfire {
    fn of(misfire: schedule::Misfire) -> Misfire {
        let grace: Option<Duration> = Some(misfire.grace).filter(|grace| *grace != MISFIRE_GRACE);
        Misfire {
            mode: not_default(misfire.mode).map(Into::into),
            grace: grace.map(format_length),
            max: Some(misfire.max).filter(|max| *max != MISFIRE_MAX).map(i64::from),
        }
    }
}

/// What a schedule's job can say, with this payload in place of its own.
fn template(job: &job::NewJob, payload: Blob) -> NewJob {
    let is_null = job.payload == Bytes::from_static(b"null");
    let options = &job.options;
    NewJob {
        kind: Some(job.kind.clone()),
        payload: payload.json.filter(|_| !is_null),
        payload_base64: payload.base64,
        queue: job.queue.as_ref().map(ToString::to_string),
        priority: job.priority.map(i64::from),
        tags: job.tags.clone(),
        timeout: options.timeout.map(format_length),
        max_attempts: options.max_attempts.map(i64::from),
        backoff: options.backoff.as_ref().map(Backoff::from),
        max_elapsed: options.max_elapsed.map(format_length),
        on_lost: options.on_lost.map(Into::into),
        ..NewJob::default()
    }
}

fn not_default<T: Default + PartialEq>(value: T) -> Option<T> {
    Some(value).filter(|value| *value != T::default())
}
