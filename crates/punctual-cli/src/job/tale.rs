//! The tale of a job's attempts, for whoever waits for it.

use punctual_http::wire::{Attempt, Head, Job};

use crate::print;
use crate::when;

/// The longest error that is told, in characters; `job show` tells all of it.
const ERROR_CHARS: usize = 200;

/// What has been told of a job's attempts.
pub(super) struct Tale {
    /// The last run that was told, or is not to be.
    told: Option<u64>,
}

impl Tale {
    /// Tells of each attempt after those that the job has had.
    pub(super) fn after(head: &Head, is_new: bool) -> Tale {
        let of_now = u64::from(head.state == "running");
        Tale {
            told: Some(if is_new {
                0
            } else {
                head.run.saturating_sub(of_now)
            }),
        }
    }

    /// Tells of the last attempt, and of each one to come.
    pub(super) fn of_the_last() -> Tale {
        Tale { told: None }
    }

    /// Tells of the attempts that have ended since, each once; not of the one that ended the job, which its end tells.
    pub(super) fn go_on(&mut self, job: &Job, attempts: &[Attempt]) {
        let is_past =
            |attempt: &&Attempt| attempt.ended_at.is_some() && attempt.ended_at != job.head.ended_at;
        let past: Vec<&Attempt> = attempts.iter().filter(is_past).collect();
        let told = self.told.unwrap_or(match past.as_slice() {
            [.., before, _] => before.run,
            _ => 0,
        });
        let Some(last) = past.last() else { return };
        for attempt in past.iter().filter(|attempt| attempt.run > told) {
            let next = if attempt.run == last.run {
                next(&job.head)
            } else {
                String::new()
            };
            print::note(&format!("{}{next}", what_happened(attempt, job.max_attempts)));
        }
        self.told = Some(told.max(last.run));
    }
}

/// `attempt 1 of 20 failed: exit code 3`.
fn what_happened(attempt: &Attempt, of: u32) -> String {
    let outcome = attempt.outcome.as_deref().unwrap_or("ended").replace('_', " ");
    let told = format!("attempt {} of {of} {outcome}", attempt.number);
    let Some(error) = &attempt.error else { return told };
    let words = error.split_whitespace().collect::<Vec<_>>().join(" ");
    let clipped: String = print::plain(&words).chars().take(ERROR_CHARS).collect();
    format!("{told}: {clipped}")
}

/// What comes after the last attempt: `; again in 2s`.
fn next(head: &Head) -> String {
    match head.state.as_str() {
        "waiting" if head.run_at.0 > when::now() => {
            format!("; again {}", when::distance_from_now(head.run_at.0))
        }
        "waiting" => "; again as soon as a worker is free".to_owned(),
        "running" => format!("; it is {} now", head.phase),
        _ => String::new(),
    }
}
