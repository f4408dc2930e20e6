//! The slots: one loop that claims jobs, starts them as slots come free, and hands on what became of them.
//!
//! A slot is free as soon as its handler is through, so that claims, runs and settlements overlap. Outcomes gather
//! while earlier ones are being settled, which makes batches under load and none when idle.
//!
//! ```text
//!            claim            a free slot          handler is through         settled, or stale
//!  source ──────────▶ ready ──────────────▶ tasks ────────────────────▶ ended ─────────────────▶ source
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::task::{self, JoinError, JoinSet};

use crate::error::Error;
use crate::job::{Job, OnLost};
use crate::limits::{
    CLAIM_JOBS, CLAIM_WAIT, CLAIM_WAIT_SHARE, FLUSH_ITEMS, KINDS_UNKNOWN, LAST_CLAIM, LAST_SETTLES,
    PAUSE_AFTER_ERROR_MAX, SETTLES, UNKNOWN_KIND_DELAY, UNKNOWN_KIND_DELAY_MAX, UNSETTLED,
};
use crate::queue::QueueName;
use crate::run::{AttemptOutcome, Claim, ClaimFrom, Claimed, Outcome, Release, WorkerId};
use crate::source::Source;
use crate::time::format_length;
use crate::worker::handler::Handlers;
use crate::worker::held::Held;
use crate::worker::pause::pause_after;
use crate::worker::run::{Run, Terms, carry_out, unstarted};
use crate::worker::settling::{Ended, Settling};
use crate::worker::stop::StopReason;

/// What the slots of one worker need.
pub(super) struct Plan {
    pub(super) worker: WorkerId,
    pub(super) source: Arc<dyn Source>,
    pub(super) handlers: Handlers,
    pub(super) terms: Arc<Terms>,
    pub(super) held: Arc<Held>,
    /// In the order in which the next claim names them.
    pub(super) queues: Vec<QueueName>,
    pub(super) concurrency: usize,
    pub(super) prefetch: usize,
    pub(super) stop_within: Duration,
    /// Set when the worker takes no more jobs.
    pub(super) stopping: Arc<AtomicBool>,
}

/// The slots of one worker, and what is under way around them.
pub(super) struct Slots {
    plan: Plan,
    settling: Arc<Settling>,
    /// The one claim that is under way.
    claim: Option<BoxFuture<'static, Result<Vec<Run>, Error>>>,
    claim_failures: u32,
    /// Claimed, and waiting for a slot.
    ready: VecDeque<Run>,
    tasks: JoinSet<Option<Outcome>>,
    /// The run of each task, which is known so even if the task panics.
    running: BTreeMap<task::Id, Run>,
    ended: Vec<Ended>,
    settles: FuturesUnordered<BoxFuture<'static, usize>>,
    /// Outcomes in `settles`.
    in_settles: usize,
    /// Jobs that came of kinds without a handler.
    unknown: BTreeMap<String, u64>,
}

/// A task that came to its end.
type Through = Result<(task::Id, Option<Outcome>), JoinError>;

enum Event {
    Claimed(Result<Vec<Run>, Error>),
    Settled(usize),
    Through(Through),
}

impl Slots {
    pub(super) fn new(plan: Plan) -> Slots {
        let settling = Settling {
            source: plan.source.clone(),
            terms: plan.terms.clone(),
            held: plan.held.clone(),
        };
        Slots {
            plan,
            settling: Arc::new(settling),
            claim: None,
            claim_failures: 0,
            ready: VecDeque::new(),
            tasks: JoinSet::new(),
            running: BTreeMap::new(),
            ended: Vec::new(),
            settles: FuturesUnordered::new(),
            in_settles: 0,
            unknown: BTreeMap::new(),
        }
    }

    /// Works until `shutdown`, then lets what runs come to its end; `hard_stop` cuts that, and everything else, short.
    pub(super) async fn run(
        mut self,
        shutdown: impl Future<Output = ()>,
        hard_stop: impl Future<Output = ()>,
    ) -> Result<(), Error> {
        let softly = async {
            self.serve_until(shutdown).await;
            self.drain().await
        };
        tokio::select! {
            biased;
            () = hard_stop => {}
            done = softly => return done,
        }
        self.drop_everything().await
    }

    async fn serve_until(&mut self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        loop {
            if self.fill_slots() {
                // Handlers that need not wait are through when this task is next at work: then one claim asks for all
                // of their slots, and one batch settles them.
                tokio::task::yield_now().await;
                self.gather();
            }
            self.send_settles();
            self.send_claim();
            tokio::select! {
                biased;
                () = &mut shutdown => return,
                event = self.next() => self.take(event),
            }
        }
    }

    /// The soft stop: claims nothing, puts back what has not begun, waits for what has; shortly before the time is over, asks
    /// it to stop.
    async fn drain(&mut self) -> Result<(), Error> {
        self.plan.stopping.store(true, Ordering::Relaxed);
        let (clock, held) = (self.plan.terms.clock.clone(), self.plan.held.clone());
        let grace = self.plan.terms.shutdown_grace;
        let mut asked = false;
        let mut patience = clock.sleep(self.plan.stop_within.saturating_sub(grace));
        let mut last_claim = clock.sleep(LAST_CLAIM);
        loop {
            self.release_ready();
            self.send_settles();
            if self.is_idle() {
                return Ok(());
            }
            tokio::select! {
                biased;
                () = &mut patience => {
                    if asked {
                        return self.left_behind();
                    }
                    asked = true;
                    for run in held.all() {
                        run.ask_to_stop(StopReason::Shutdown);
                    }
                    patience = clock.sleep(grace + LAST_SETTLES);
                }
                () = &mut last_claim, if self.claim.is_some() => self.claim = None,
                event = self.next() => self.take(event),
            }
        }
    }

    /// The hard stop: drops every handler, puts back what it can, and does not wait long for that.
    async fn drop_everything(&mut self) -> Result<(), Error> {
        self.plan.stopping.store(true, Ordering::Relaxed);
        let clock = self.plan.terms.clock.clone();
        let mut patience = clock.sleep(LAST_SETTLES);
        let mut last_claim = clock.sleep(LAST_CLAIM);
        self.tasks.abort_all();
        // Jobs of a claim that stands in the store already would lie there until their lease is over, were its answer dropped.
        while self.claim.is_some() || !self.tasks.is_empty() {
            tokio::select! {
                biased;
                event = self.next() => self.take(event),
                () = &mut last_claim, if self.claim.is_some() => self.claim = None,
                // A handler that blocks its thread cannot be dropped.
                () = &mut patience => break,
            }
        }
        self.claim = None;
        self.release_ready();
        for run in self.plan.held.all() {
            if run.is_going() {
                let interrupted = Some(Outcome::Release(Release::Interrupted));
                let outcome = run.decided().unwrap_or(interrupted);
                self.end(run, outcome);
            }
        }
        loop {
            self.send_settles();
            if self.ended.is_empty() && self.settles.is_empty() {
                return Ok(());
            }
            tokio::select! {
                biased;
                Some(count) = self.settles.next() => self.in_settles -= count,
                () = &mut patience => return self.left_behind(),
            }
        }
    }

    /// The next thing that is under way and comes to its end.
    async fn next(&mut self) -> Event {
        let claim = async {
            match &mut self.claim {
                Some(claim) => claim.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            claimed = claim => Event::Claimed(claimed),
            Some(count) = self.settles.next() => Event::Settled(count),
            Some(through) = self.tasks.join_next_with_id() => Event::Through(through),
            else => std::future::pending().await,
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Claimed(claimed) => {
                self.claim = None;
                self.claimed(claimed);
            }
            Event::Settled(count) => self.in_settles -= count,
            Event::Through(first) => {
                self.through(first);
                self.gather();
            }
        }
    }

    /// Takes whatever else came to its end meanwhile into the same batch.
    fn gather(&mut self) {
        while let Some(through) = self.tasks.try_join_next_with_id() {
            self.through(through);
        }
    }

    /// Asks for as many jobs as there is room for, unless a claim is under way.
    fn send_claim(&mut self) {
        let taken = self.tasks.len() + self.ready.len();
        let free = (self.plan.concurrency + self.plan.prefetch).saturating_sub(taken);
        let max = free.min(self.room()).min(CLAIM_JOBS);
        if max == 0 || self.claim.is_some() {
            return;
        }
        let claim = Claim {
            worker: self.plan.worker.clone(),
            from: ClaimFrom::Queues(self.plan.queues.clone()),
            max,
            lease: self.plan.terms.lease,
            now: None,
        };
        // A claim serves its queues in their order; were it the same for all claims, a backlog in the first one would
        // starve the others.
        self.plan.queues.rotate_left(1);
        let (source, terms, held) = (
            self.plan.source.clone(),
            self.plan.terms.clone(),
            self.plan.held.clone(),
        );
        let failures = self.claim_failures;
        self.claim = Some(Box::pin(async move {
            match claim_once(&*source, &terms, claim).await {
                Ok(runs) => Ok(held.take_in(runs)),
                Err(error) => {
                    let lot = terms.clock.chance();
                    let pause = pause_after(failures + 1, PAUSE_AFTER_ERROR_MAX, lot);
                    tracing::warn!(
                        %error,
                        "jobs could not be claimed; the next try comes in {}", format_length(pause)
                    );
                    terms.clock.sleep(pause).await;
                    Err(error)
                }
            }
        }));
    }

    fn claimed(&mut self, claimed: Result<Vec<Run>, Error>) {
        match claimed {
            Ok(runs) => {
                self.claim_failures = 0;
                self.ready.extend(runs);
                if self.plan.prefetch > 0 && !self.plan.stopping.load(Ordering::Relaxed) {
                    self.fill_slots();
                    self.release_unsafe_to_keep();
                }
            }
            // It was logged, and its pause is over.
            Err(_) => self.claim_failures = self.claim_failures.saturating_add(1),
        }
    }

    /// A job that must not run twice must not lie here either: should the worker die, it would fail without having
    /// begun. A claim cannot leave such jobs out, so the first one that finds no slot ends all prefetching.
    fn release_unsafe_to_keep(&mut self) {
        let must_not_wait = |run: &Run| run.job().body.options.on_lost == Some(OnLost::Fail);
        if !self.ready.iter().any(must_not_wait) {
            return;
        }
        self.plan.prefetch = 0;
        tracing::info!("prefetching ends, since a job with on_lost: fail came");
        for run in std::mem::take(&mut self.ready) {
            if must_not_wait(&run) {
                self.end(run, Some(Outcome::Release(Release::Unstarted)));
            } else {
                self.ready.push_back(run);
            }
        }
    }

    /// Starts what is ready, as far as slots are free. Answers whether it started any.
    fn fill_slots(&mut self) -> bool {
        let before = self.ready.len();
        while self.tasks.len() < self.plan.concurrency
            && self.room() > 0
            && let Some(run) = self.ready.pop_front()
        {
            self.start(run);
        }
        self.ready.len() < before
    }

    fn start(&mut self, run: Run) {
        if let Some(reason) = run.stop_reason() {
            return self.end(run, unstarted(reason));
        }
        match self.plan.handlers.get(&run.job().body.kind) {
            Some(handler) => {
                let its = run.clone();
                let task = self.tasks.spawn(async move { carry_out(&its, handler).await });
                self.running.insert(task.id(), run);
            }
            None => {
                self.note_unknown(run.job());
                let delay = unknown_kind_delay(run.job());
                self.end(run, Some(Outcome::Release(Release::UnknownKind(delay))));
            }
        }
    }

    fn through(&mut self, through: Through) {
        let task = match &through {
            Ok((task, _)) => *task,
            Err(error) => error.id(),
        };
        let run = self.running.remove(&task);
        let run = run.expect("a task stands there from its start until it is joined, which is once");
        match through {
            Ok((_, outcome)) => self.end(run, outcome),
            // It was aborted by the hard stop, which then ends whatever is still held.
            Err(error) if error.is_cancelled() => {}
            // A handler's panic is caught inside. What gets here is worse, such as what it panicked with panicking in turn.
            Err(error) => {
                tracing::error!(%error, job = %run.id().job, "a run ended without an outcome; its job is left to its lease");
                self.end(run, None);
            }
        }
    }

    fn end(&mut self, run: Run, outcome: Option<Outcome>) {
        run.set_through();
        match outcome {
            Some(outcome) => self.ended.push((run, outcome)),
            None => self.plan.held.let_go([&run]),
        }
    }

    fn release_ready(&mut self) {
        for run in std::mem::take(&mut self.ready) {
            let outcome = unstarted(run.stop_reason().unwrap_or(StopReason::Shutdown));
            self.end(run, outcome);
        }
    }

    fn send_settles(&mut self) {
        while self.settles.len() < SETTLES && !self.ended.is_empty() {
            let rest = self.ended.split_off(self.ended.len().min(FLUSH_ITEMS));
            let batch = std::mem::replace(&mut self.ended, rest);
            self.in_settles += batch.len();
            let settling = self.settling.clone();
            self.settles.push(Box::pin(async move {
                settling.settle(&batch).await;
                batch.len()
            }));
        }
    }

    /// How many more jobs may be claimed or started before some outcomes are settled. What runs already comes on top.
    fn room(&self) -> usize {
        UNSETTLED.saturating_sub(self.ended.len() + self.in_settles)
    }

    fn is_idle(&self) -> bool {
        self.claim.is_none() && self.tasks.is_empty() && self.ended.is_empty() && self.settles.is_empty()
    }

    fn left_behind(&self) -> Result<(), Error> {
        let runs = self.tasks.len();
        let outcomes = self.ended.len() + self.in_settles;
        Err(Error::unavailable(format!(
            "the worker's time to stop is over: {runs} handlers did not end, and {outcomes} outcomes could not be \
             settled; their jobs are left to their leases"
        )))
    }

    /// Counts a job whose kind has no handler, and says so the first time.
    fn note_unknown(&mut self, job: &Job) {
        let kind = &job.body.kind;
        if let Some(count) = self.unknown.get_mut(kind) {
            *count += 1;
        } else if self.unknown.len() < KINDS_UNKNOWN {
            self.unknown.insert(kind.clone(), 1);
            tracing::warn!(
                kind, queue = %job.body.queue,
                "this worker has no handler for a kind; such jobs are put back, each time for longer: \
                 give the kind a queue of its own, or this worker a handler"
            );
        }
    }
}

/// How long a job of unknown kind is put back for: twice as long as the last time.
///
/// That stands in the row: a run that was put back before it began is the last of the history, and the job has been due
/// again since.
fn unknown_kind_delay(job: &Job) -> Duration {
    let last = job.status.history.last();
    let put_back = last.filter(|attempt| attempt.outcome == AttemptOutcome::Released);
    let delay = put_back.map_or(Duration::ZERO, |attempt| job.status.due.since(attempt.ended_at));
    delay
        .saturating_mul(2)
        .clamp(UNKNOWN_KIND_DELAY, UNKNOWN_KIND_DELAY_MAX)
}

async fn claim_once(source: &dyn Source, terms: &Arc<Terms>, claim: Claim) -> Result<Vec<Run>, Error> {
    let asked_at = terms.clock.uptime();
    let wait = CLAIM_WAIT.min(terms.lease / CLAIM_WAIT_SHARE);
    let Claimed { jobs, .. } = source.claim(claim, wait).await?;
    let run = |job| Run::claimed(job, terms.clone(), asked_at);
    Ok(jobs.into_iter().map(run).collect())
}

/// Says at the end what was never said again after the first time.
impl Drop for Slots {
    fn drop(&mut self) {
        for (kind, count) in &self.unknown {
            tracing::info!(kind, count, "jobs of a kind without a handler were put back");
        }
    }
}
