//! Changes that the real rules make.

use std::time::Duration;

use bytes::Bytes;

use super::step::Event;
use crate::change::Change;
use crate::job::{Defaults, Job};
use crate::queue::Retention;
use crate::rules::{Moment, edit, settle};
use crate::run::{Outcome, Release, RetryCause};
use crate::time::{Timestamp, milliseconds};

/// What the rules make of an event; nothing, where it does not concern the job.
pub(super) fn change(job: &Job, event: Event, gone: bool, now: Timestamp) -> Option<Change> {
    let defaults = Defaults::default();
    let moment = Moment {
        now,
        defaults: &defaults,
        retention: if gone {
            Retention::all(Duration::ZERO)
        } else {
            Retention::default()
        },
        chance: 0.25,
    };
    let length = |count: u32| milliseconds(u64::from(count));
    let outcome = match event {
        Event::Done => Outcome::Done(Bytes::from_static(b"7")),
        Event::Error => Outcome::Retry {
            error: "not 'now'".to_owned(),
            after: None,
            cause: RetryCause::Panic,
        },
        Event::GivenUp => Outcome::Fail {
            error: "never".to_owned(),
        },
        Event::Snoozed(count) => Outcome::Snooze {
            until: now + length(count),
        },
        Event::Deferred(count) => Outcome::Defer(length(count)),
        Event::Released => Outcome::Release(Release::Unstarted),
        Event::Overdue => return settle::reclaim(job, &moment),
        Event::Cancelled => return edit::cancel(job, "by hand", &moment).ok().flatten(),
        Event::Retried => return edit::retry(job, &moment).ok(),
        Event::Hurried => return edit::run_now(job, &moment).ok(),
    };
    settle::settle(job, job.status.run, &outcome, &moment)
}
