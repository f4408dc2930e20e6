//! Settling: what became of runs goes through the rules into the store.

use std::sync::Arc;
use std::time::Duration;

use crate::change::{Applied, Change};
use crate::error::{Error, Kind};
use crate::job::{Job, JobId, State};
use crate::limits::{CONFLICT_ROUNDS, SETTLE_PAUSE, SETTLE_PAUSE_MAX};
use crate::queue::Retention;
use crate::rules;
use crate::run::{Outcome, SettleVerdict, Settlement};
use crate::signals::Signal;
use crate::time::Timestamp;

use super::Core;
use super::settings::{ByQueue, is_limited, retention_of};
use super::writes::Tell;
use super::writes::stands_in;

/// A settlement without a verdict.
struct Open {
    /// Its place among the settlements.
    place: usize,
    settlement: Settlement,
    /// The row on which to decide; unset, it has to be read.
    row: Option<Job>,
    /// The change that was sent last, if it is not known whether it was made.
    sent: Option<Change>,
}

/// A settlement, and the change that was decided on for it.
type Sent = (Open, Change);

/// What the answer to one change leaves to do.
enum Answered {
    /// Nothing: this is the verdict at this place.
    Verdict(usize, SettleVerdict),
    /// Decide again.
    Again(Open),
    /// Try again, since the store could not be reached.
    Failed(Open, Error),
}

impl Core {
    /// Settles until each settlement stands, is stale or was refused. While the store cannot be reached it goes on trying:
    /// who asked decides how long that makes sense.
    pub(super) async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<SettleVerdict>, Error> {
        let mut verdicts = vec![SettleVerdict::Stale; settlements.len()];
        let mut open: Vec<Open> = settlements.into_iter().enumerate().map(Open::new).collect();
        let mut pause = Duration::ZERO;
        let mut rounds = 0;
        while !open.is_empty() {
            self.pause(pause).await?;
            rounds += 1;
            let answered = match self.settle_round(&mut verdicts, open).await {
                Ok(left) => {
                    open = left;
                    true
                }
                Err((left, error)) if may_pass(&error) => {
                    tracing::warn!(%error, runs = left.len(), "settling could not reach the store; it goes on trying");
                    open = left;
                    false
                }
                Err((_, error)) => return Err(error),
            };
            // A row that moved on is decided about again at once, unless it never stands still.
            pause = match answered && rounds < CONFLICT_ROUNDS {
                true => Duration::ZERO,
                false => (pause * 2).clamp(SETTLE_PAUSE, SETTLE_PAUSE_MAX),
            };
        }
        self.counters.settled(&verdicts);
        Ok(verdicts)
    }

    async fn pause(&self, length: Duration) -> Result<(), Error> {
        if length.is_zero() {
            return Ok(());
        }
        tokio::select! {
            biased;
            () = self.stopping.cancelled() => Err(Error::unavailable("the engine was closed before the run was settled")),
            () = self.clock.sleep(length) => Ok(()),
        }
    }

    /// Decides and writes once. What has no verdict after that is handed back.
    async fn settle_round(
        &self,
        verdicts: &mut [SettleVerdict],
        mut open: Vec<Open>,
    ) -> Result<Vec<Open>, (Vec<Open>, Error)> {
        let queues = match self.read_rows(verdicts, &mut open).await {
            Ok(queues) => queues,
            Err(error) => return Err((open, error)),
        };
        let (sent, writes) = self.decide_each(verdicts, &queues, open);
        let answers = self.write_changes(writes).await;
        let mut left = Vec::new();
        let mut failed = None;
        for ((open, change), answer) in sent.into_iter().zip(answers) {
            match open.answered(change, answer) {
                Answered::Verdict(place, verdict) => verdicts[place] = verdict,
                Answered::Again(open) => left.push(open),
                Answered::Failed(open, error) => {
                    left.push(open);
                    failed = Some(error);
                }
            }
        }
        match failed {
            Some(error) => Err((left, error)),
            None => Ok(left),
        }
    }

    /// Decides about each whose row holds its run still, and gives the others their verdict.
    fn decide_each(
        &self,
        verdicts: &mut [SettleVerdict],
        queues: &ByQueue,
        open: Vec<Open>,
    ) -> (Vec<Sent>, Vec<(Change, Tell)>) {
        let mut sent = Vec::with_capacity(open.len());
        let mut writes = Vec::with_capacity(open.len());
        for open in open {
            if let Some(change) = &open.sent
                && stands_in(change, open.row.as_ref())
            {
                verdicts[open.place] = SettleVerdict::Settled;
                continue;
            }
            // Without a row, or under another run, it stays stale.
            let Some(job) = &open.row else { continue };
            let settlement = &open.settlement;
            let moment = self.moment(queues, job);
            if let Some(change) = rules::settle::settle(job, settlement.id.run, &settlement.outcome, &moment)
            {
                let tell = tell_of(job, &change, is_limited(queues, &job.body.queue), moment.now);
                writes.push((change.clone(), tell));
                sent.push((open, change));
            }
        }
        (sent, writes)
    }

    /// Reads the rows that are needed, and the settings of the queues. Nothing can be decided about a row that cannot be
    /// read: then its settlement is refused.
    async fn read_rows(
        &self,
        verdicts: &mut [SettleVerdict],
        open: &mut Vec<Open>,
    ) -> Result<Arc<ByQueue>, Error> {
        let needed: Vec<usize> = (0..open.len()).filter(|at| open[*at].row.is_none()).collect();
        let ids: Vec<JobId> = needed.iter().map(|at| open[*at].settlement.id.job).collect();
        for (at, row) in needed.into_iter().zip(self.fetch_each(&ids).await?) {
            match row {
                Ok(row) => open[at].row = row,
                Err(error) => verdicts[open[at].place] = open[at].refused(&error),
            }
        }
        open.retain(|open| verdicts[open.place] != SettleVerdict::Refused);
        self.settings.known().await
    }

    /// Writes changes through the lane, each with what it tells.
    pub(super) async fn write_changes(&self, writes: Vec<(Change, Tell)>) -> Vec<Result<Applied, Error>> {
        self.changes.submit_all(writes.into_iter()).await
    }

    /// What the outcome of a run makes of its job, as a change that is not yet made.
    pub(super) async fn decide(
        &self,
        job: &Job,
        run: u64,
        outcome: &Outcome,
    ) -> Result<Option<Change>, Error> {
        let queues = self.settings.known().await?;
        let moment = self.moment(&queues, job);
        Ok(rules::settle::settle(job, run, outcome, &moment))
    }

    /// The moment at which a rule decides about `job`.
    pub(super) fn moment(&self, queues: &ByQueue, job: &Job) -> rules::Moment<'_> {
        self.moment_with(retention_of(queues, &job.body.queue, self.defaults.retention))
    }

    pub(super) fn moment_with(&self, retention: Retention) -> rules::Moment<'_> {
        rules::Moment {
            now: self.clock.now(),
            defaults: &self.defaults,
            retention,
            chance: self.clock.chance(),
        }
    }
}

impl Open {
    fn new((place, mut settlement): (usize, Settlement)) -> Open {
        Open {
            place,
            row: settlement.claimed.take(),
            settlement,
            sent: None,
        }
    }

    /// What is left to do after the store's answer to its change.
    fn answered(mut self, change: Change, answer: Result<Applied, Error>) -> Answered {
        self.sent = None;
        match answer {
            Ok(Applied::Applied) => return Answered::Verdict(self.place, SettleVerdict::Settled),
            Ok(Applied::Missing) => return Answered::Verdict(self.place, SettleVerdict::Stale),
            Ok(Applied::Stale(row)) => self.row = Some(*row),
            Ok(Applied::Held(_)) => self.row = None,
            Err(error) if may_pass(&error) => {
                if error.is_unknown() {
                    self.sent = Some(change);
                    self.row = None;
                }
                return Answered::Failed(self, error);
            }
            Err(error) if self.fails_instead(&error) => {}
            Err(error) => return Answered::Verdict(self.place, self.refused(&error)),
        }
        Answered::Again(self)
    }

    /// Makes a failure of a result that cannot be stored, since the work is done and would end with it again. Answers
    /// whether it did: what is no result has nothing that could be left out.
    fn fails_instead(&mut self, why: &Error) -> bool {
        let is_result = matches!(self.settlement.outcome, Outcome::Done(_));
        if is_result {
            let id = self.settlement.id;
            tracing::error!(job = %id.job, run = id.run, error = %why, "a result cannot be stored; the job fails instead");
            let error = format!("it is done, but its result cannot be stored: {why}");
            self.settlement.outcome = Outcome::Fail { error };
        }
        is_result
    }

    fn refused(&self, why: &Error) -> SettleVerdict {
        let id = self.settlement.id;
        tracing::error!(
            job = %id.job, run = id.run, error = %why,
            "the store refuses an outcome; the run is left to its lease, and the job will be run again or fail as its on_lost says"
        );
        SettleVerdict::Refused
    }
}

/// Whether trying again makes sense.
pub(super) fn may_pass(error: &Error) -> bool {
    error.kind() == Kind::Unavailable || error.is_unknown()
}

/// What others want to know of a change of `job`, once it stands. `limited`: a place that becomes free lets another job
/// of its queue start, which no claim can foresee.
pub(super) fn tell_of(job: &Job, change: &Change, limited: bool, now: Timestamp) -> Tell {
    let before = &job.status;
    let after = change.becomes.as_ref();
    let state = after.map(|status| status.state);
    let asked_to_stop = after.is_some_and(|status| status.cancel.is_some()) && before.cancel.is_none();
    let signal = match state {
        Some(State::Running) if asked_to_stop => Some(Signal::Cancel(job.id())),
        Some(State::Waiting) if before.state == State::Running => Some(Signal::Output(job.id())),
        Some(State::Waiting | State::Running) => None,
        _ if before.state.is_ended() => None,
        _ => Some(Signal::Ended(job.id())),
    };
    let waits = after
        .filter(|status| status.state == State::Waiting)
        .map(|status| status.due);
    let frees = limited && before.state == State::Running && state != Some(State::Running);
    let due = match (waits, frees) {
        (Some(due), true) => Some(due.min(now)),
        (None, true) => Some(now),
        (due, false) => due,
    };
    Tell {
        due: due.map(|due| (job.body.queue.clone(), due)),
        job: signal,
    }
}
