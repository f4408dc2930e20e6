//! Whole rows that come from elsewhere: what one must be like to be kept as it is.

use bytes::Bytes;

use crate::error::{Error, Field};
use crate::job::{Defaults, Job};
use crate::limits;
use crate::queue::Retention;
use crate::rules::admit::check::Check;
use crate::rules::{Moment, plan};
use crate::schedule::Schedule;
use crate::time::Timestamp;

/// Refuses a row that no rule can have made, in this version or an earlier one. What a store is configured to take at most is
/// not asked: it holds for new jobs.
///
/// # Errors
///
/// `Invalid`, with a JSON pointer to every bad field.
pub fn check(job: &Job) -> Result<(), Error> {
    let mut check = Check::default();
    check_body(&mut check, job);
    check_versions(&mut check, job);
    check_end(&mut check, job);
    check.finish()
}

/// Refuses a schedule that no rule can have made. Nothing need come of it any more.
///
/// # Errors
///
/// `Invalid`, with a JSON pointer to every bad field.
pub fn check_schedule(schedule: &Schedule, now: Timestamp) -> Result<(), Error> {
    let defaults = Defaults {
        payload_bytes: limits::PAYLOAD_BYTES_MAX,
        ..Defaults::default()
    };
    let moment = Moment {
        now,
        defaults: &defaults,
        retention: Retention::default(),
        chance: 0.0,
    };
    let mut check = Check::default();
    check.name("/name", schedule.name.as_str());
    let faults = plan::check_form(&schedule.plan, &moment).err();
    for Field { pointer, message } in faults.iter().flat_map(Error::fields) {
        check.hold(false, format!("/plan{pointer}"), || message.clone());
    }
    let standing = &schedule.standing;
    for (pointer, has, may) in [
        ("/standing/live", standing.live.len(), limits::SCHEDULE_LIVE),
        ("/standing/owed", standing.owed.len(), limits::SCHEDULE_OWED),
    ] {
        check.hold(has <= may, pointer, || {
            format!("must have at most {may} items, and has {has}")
        });
    }
    if let Some(paused) = &standing.paused {
        check.text("/standing/paused/reason", &paused.reason, 0, limits::REASON_BYTES);
    }
    check.finish()
}

fn check_body(check: &mut Check, job: &Job) {
    let body = &job.body;
    check.id(Some(body.id));
    check.name("/kind", &body.kind);
    check.name("/queue", body.queue.as_str());
    check.priority(body.priority);
    check.tags(&body.tags);
    check.options(&body.options);
    for (pointer, key) in [
        ("/unique_key", &body.unique_key),
        ("/key", &job.status.unique_key),
    ] {
        if let Some(key) = key {
            check.text(pointer, key, 1, limits::UNIQUE_KEY_BYTES);
        }
    }
    size(check, "/payload", body.payload.len(), limits::PAYLOAD_BYTES_MAX);
}

fn check_versions(check: &mut Check, job: &Job) {
    let status = &job.status;
    check.hold((1..=limits::REV_MAX).contains(&status.rev), "/rev", || {
        format!("must lie between 1 and {}", limits::REV_MAX)
    });
    check.hold(status.run <= status.rev, "/run", || {
        format!("must not be above rev, which is {}", status.rev)
    });
    check.hold(status.life > 0, "/life", || "must be at least 1".to_owned());
    let known = status.history.iter().all(|attempt| attempt.run <= status.rev);
    check.hold(known, "/history", || {
        format!("its runs must not be above rev, which is {}", status.rev)
    });
    let short = status.history.len() <= limits::HISTORY_ATTEMPTS;
    check.hold(short, "/history", || {
        format!("must have at most {} items", limits::HISTORY_ATTEMPTS)
    });
}

fn check_end(check: &mut Check, job: &Job) {
    let status = &job.status;
    let ended = status.state.is_ended();
    check.hold(ended == status.ended_at.is_some(), "/ended_at", || {
        "a job that has ended has it, and no other".to_owned()
    });
    check.hold(!ended || status.alarm.is_none(), "/alarm", || {
        "no job that has ended has it".to_owned()
    });
    if let Some(worker) = &status.worker {
        check.text("/worker", worker.as_str(), 0, limits::NAME_BYTES);
    }
    if let Some(cancel) = &status.cancel {
        check.text("/cancel", cancel, 0, limits::REASON_BYTES);
    }
    let length = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, |bytes| bytes.len());
    size(
        check,
        "/result",
        length(&status.result),
        limits::PAYLOAD_BYTES_MAX,
    );
    size(
        check,
        "/progress",
        length(&status.progress),
        limits::PROGRESS_BYTES,
    );
}

fn size(check: &mut Check, pointer: &str, has: usize, may: usize) {
    check.hold(has <= may, pointer, || {
        format!("must have at most {may} bytes, and has {has}")
    });
}
