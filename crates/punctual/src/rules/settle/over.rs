//! A run that is over, and the two ways on from there: another wait, or the end.

use crate::change::Change;
use crate::job::{FailureReason, Job, State, Status};
use crate::limits;
use crate::rules::Moment;
use crate::rules::end::{self, End, clip};
use crate::rules::row::{start_alarm, too_late};
use crate::run::{Attempt, AttemptOutcome};
use crate::time::Timestamp;

/// A run that is over: the row that it held, and the status that comes next, with the run in its history.
///
/// Whichever way it goes from here, a cancel that was noted wins: that is decided in [`ends`](Over::ends), which every
/// other way asks.
pub(super) struct Over<'a> {
    job: &'a Job,
    status: Status,
    moment: &'a Moment<'a>,
}

impl<'a> Over<'a> {
    pub(super) fn new(
        job: &'a Job,
        how: AttemptOutcome,
        error: Option<&str>,
        moment: &'a Moment<'a>,
    ) -> Over<'a> {
        let mut status = job.status.clone();
        status.deferred = false;
        let attempt = Attempt {
            number: status.attempt,
            life: status.life,
            run: status.run,
            worker: status.worker.clone(),
            started_at: status.started_at.unwrap_or(moment.now),
            ended_at: moment.now,
            outcome: how,
            error: error.map(|error| clip(error, limits::ERROR_BYTES)),
        };
        remember(&mut status.history, attempt);
        Over { job, status, moment }
    }

    /// The run costs no attempt.
    pub(super) fn give_back(mut self) -> Self {
        self.status.attempt = self.status.attempt.saturating_sub(1);
        self
    }

    /// The run costs no attempt, as long as the life has refunds left.
    pub(super) fn refund(mut self) -> Self {
        if self.status.refunds >= limits::REFUNDS {
            return self;
        }
        self.status.refunds += 1;
        self.give_back()
    }

    /// The run never reached a handler. If no other run of this life did, no attempt has begun, and the start deadline
    /// holds again. The history tells, since releases can never push out all that is not one.
    pub(super) fn not_started(mut self) -> Self {
        let began = |attempt: &Attempt| {
            attempt.life == self.status.life && attempt.outcome != AttemptOutcome::Released
        };
        if !self.status.history.iter().any(began) {
            self.status.first_started_at = None;
        }
        self
    }

    /// The job waits for its next run, due at this instant; or it fails for `error`, if no attempt or no time is left.
    pub(super) fn again(mut self, due: Timestamp, error: &str) -> Change {
        if self.job.status.cancel.is_some() {
            // Which makes it a cancel.
            return self.fails(FailureReason::Exhausted, error);
        }
        if let Some(spent) = self.spent(due) {
            return self.fails(FailureReason::Exhausted, &format!("{spent}: {error}"));
        }
        self.status.state = State::Waiting;
        self.status.due = due;
        self.status.alarm = start_alarm(&self.job.body, &self.status);
        self.status.progress = None;
        Change::to(self.job, self.status)
    }

    /// The job has failed.
    pub(super) fn fails(self, reason: FailureReason, error: &str) -> Change {
        self.ends(End::Failed(reason, error.to_owned()))
    }

    /// The life ends like this; or as cancelled, if that was noted.
    pub(super) fn ends(self, end: End) -> Change {
        let end = match &self.job.status.cancel {
            Some(reason) => End::Cancelled(reason.clone()),
            None => end,
        };
        end::end(self.job, self.status, end, self.moment)
    }

    /// Why no attempt may begin at `due`, if so.
    fn spent(&self, due: Timestamp) -> Option<String> {
        let attempts = self.moment.defaults.max_attempts_of(&self.job.body);
        if self.status.attempt >= attempts {
            return Some(format!("attempt {} of {attempts}", self.status.attempt));
        }
        let elapsed = self.job.body.options.max_elapsed?;
        let last = self.status.first_started_at? + elapsed;
        (due.max(self.moment.now) >= last).then(|| too_late(elapsed))
    }
}

/// Adds an attempt to a history that keeps the newest ones. Of releases in a row only the last one stays, since a job
/// whose kind no worker knows would else forget how it fared with those who did.
fn remember(history: &mut Vec<Attempt>, attempt: Attempt) {
    let releases = |last: &mut Attempt| {
        last.outcome == AttemptOutcome::Released && attempt.outcome == AttemptOutcome::Released
    };
    history.pop_if(releases);
    if history.len() >= limits::HISTORY_ATTEMPTS {
        history.remove(0);
    }
    history.push(attempt);
}
