//! What a schedule must be like before it is stored.

use std::time::Duration;

use crate::error::{Error, Field};
use crate::job::Start;
use crate::limits::{AT_INSTANTS, EXCLUDED_CALENDARS, EXCLUDED_DATES, NAME_BYTES, SCHEDULE_OWED};
use crate::rules::Moment;
use crate::rules::admit::{self, check::Check};
use crate::schedule::{Calendars, Exclusions, Plan, Spec};
use crate::time::{Timestamp, format_length};

/// Shortest distance between two instants of a schedule: what has to happen more often is a worker of its own.
const LEAST: Duration = Duration::from_secs(1);

/// Whether a schedule can be made of this plan.
///
/// # Errors
///
/// `Invalid`, with a JSON pointer to every bad field. A plan of which nothing will come any more after now is bad too.
pub fn check(plan: &Plan, calendars: &Calendars, moment: &Moment<'_>) -> Result<(), Error> {
    check_form(plan, moment)?;
    comes(plan, calendars, moment.now)
}

/// Whether there can be a schedule of this plan, though nothing may come of it any more.
///
/// # Errors
///
/// `Invalid`, with a JSON pointer to every bad field.
pub fn check_form(plan: &Plan, moment: &Moment<'_>) -> Result<(), Error> {
    let mut check = Check::default();
    spec(&mut check, &plan.spec);
    bounds(&mut check, plan);
    exclusions(&mut check, &plan.exclude);
    if let Some(spread) = plan.spread {
        check.length("/spread", spread);
    }
    check.length("/misfire/grace", plan.misfire.grace);
    let most = u32::try_from(SCHEDULE_OWED).unwrap_or(u32::MAX);
    check.hold((1..=most).contains(&plan.misfire.max), "/misfire/max", || {
        format!("must lie between 1 and {most}")
    });
    template(&mut check, plan, moment);
    check.finish()
}

fn spec(check: &mut Check, spec: &Spec) {
    let lasts = || format!("must be at least {}", format_length(LEAST));
    match spec {
        Spec::Cron(_) => {}
        Spec::Every(every) => {
            check.length("/every", every.length);
            check.hold(every.length >= LEAST, "/every", lasts);
            check.hold(every.phase < every.length.max(LEAST), "/phase", || {
                "must be shorter than the interval".to_owned()
            });
        }
        Spec::After(delay) => {
            check.length("/after", *delay);
            check.hold(*delay >= LEAST, "/after", lasts);
        }
        Spec::At(instants) => {
            check.hold((1..=AT_INSTANTS).contains(&instants.len()), "/at", || {
                format!(
                    "must have 1 to {AT_INSTANTS} instants, and has {}",
                    instants.len()
                )
            });
            check.hold(instants.is_sorted_by(|one, other| one < other), "/at", || {
                "its instants must ascend, none of them twice".to_owned()
            });
            for instant in instants.iter().take(AT_INSTANTS) {
                check.instant("/at", *instant);
            }
        }
    }
}

fn bounds(check: &mut Check, plan: &Plan) {
    for (pointer, instant) in [("/start", plan.start), ("/end", plan.end)] {
        if let Some(instant) = instant {
            check.instant(pointer, instant);
        }
    }
    let in_order = plan.start.zip(plan.end).is_none_or(|(start, end)| start < end);
    check.hold(in_order, "/end", || "must come after the start".to_owned());
    check.hold(plan.max_runs != Some(0), "/max_runs", || {
        "must be at least 1".to_owned()
    });
}

fn exclusions(check: &mut Check, exclude: &Exclusions) {
    let dates = exclude.dates.len();
    check.hold(dates <= EXCLUDED_DATES, "/exclude/dates", || {
        format!("must have at most {EXCLUDED_DATES} dates, and has {dates}; put more of them in a calendar")
    });
    let mut weekdays = exclude.weekdays.clone();
    weekdays.sort_unstable_by_key(|day| day.to_monday_zero_offset());
    weekdays.dedup();
    check.hold(weekdays.len() < 7, "/exclude/weekdays", || {
        "must leave a day of the week".to_owned()
    });
    let calendars = exclude.calendars.len();
    check.hold(calendars <= EXCLUDED_CALENDARS, "/exclude/calendars", || {
        format!("must name at most {EXCLUDED_CALENDARS} calendars, and names {calendars}; put their dates together in one")
    });
    for (index, name) in exclude.calendars.iter().enumerate().take(EXCLUDED_CALENDARS) {
        check.text(format!("/exclude/calendars/{index}"), name, 1, NAME_BYTES);
    }
}

/// The jobs to be: of a schedule's job nothing may be said that its schedule says.
fn template(check: &mut Check, plan: &Plan, moment: &Moment<'_>) {
    let job = &plan.job;
    check.hold(job.id.is_none(), "/job/id", || {
        "must be left out: each job gets one of its own".to_owned()
    });
    check.hold(job.start == Start::Now, "/job/run_at", || {
        "must be left out: the schedule says when".to_owned()
    });
    check.hold(job.unique.is_none(), "/job/unique", || {
        "must be left out: the schedule makes one job an instant, and its overlap policy says what else may run"
            .to_owned()
    });
    check.hold(
        job.options.start_deadline.is_none(),
        "/job/start_deadline",
        || "must be left out: it would hold for one job alone".to_owned(),
    );
    let faults = admit::check(job, moment.now, moment).err();
    for Field { pointer, message } in faults.iter().flat_map(Error::fields) {
        check.hold(false, format!("/job{pointer}"), || message.clone());
    }
}

/// Whether anything will come of it.
fn comes(plan: &Plan, calendars: &Calendars, now: Timestamp) -> Result<(), Error> {
    let comes = match plan.spec {
        Spec::After(_) => plan.end.is_none_or(|end| now < end),
        _ => plan.fired_after(now, calendars).is_some(),
    };
    match comes {
        true => Ok(()),
        false => Err(Error::invalid(
            "nothing would ever come of this schedule: all its instants have passed, are excluded, or are left out by the clocks",
        )),
    }
}
