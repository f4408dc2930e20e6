//! A run: what a handler is handed ([`Run`]), and the straight pipe that leads from a claimed job to its outcome.
//!
//! ```text
//! decode ──▶ time-box ──▶ handler ──▶ catch panic ──▶ Outcome
//!                           └── output, while it goes on ──▶ Source
//! ```

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::Serialize;
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::error::Error;
use crate::job::{Defaults, Job, Origin};
use crate::limits::{KILL_GRACE, LOST_GRACE_SHARE, PROGRESS_BYTES};
use crate::run::{Outcome, Release, RetryCause, RunId};
use crate::source::Source;
use crate::time::{Timestamp, format_length};
use crate::worker::handler::{Answers, States};
use crate::worker::output::{self, LiveOutput};
use crate::worker::stop::{Stop, StopReason, StopSignal};

/// One run of one job, as its handler sees it. Clones are the same run.
#[derive(Clone)]
pub struct Run(Arc<Inner>);

struct Inner {
    job: Job,
    terms: Arc<Terms>,
    /// When the attempt times out, in microseconds; before it has begun, the end of time.
    deadline: AtomicI64,
    /// One of the stages below.
    stage: AtomicU8,
    /// Whether the handler asked for its stop signal.
    looked: AtomicBool,
    /// Rings when the stage changes.
    told: Notify,
    /// The uptime until which its lease is trusted, in microseconds.
    trusted: AtomicU64,
    /// What it said of its progress, until a heartbeat takes it along.
    progress: Mutex<Option<Bytes>>,
    output: LiveOutput,
    /// What the handler's end means, from then on until it is settled; the inner nothing is a lost lease.
    decided: OnceLock<Option<Outcome>>,
}

/// The stage of a run that nobody asked to stop.
const GOING: u8 = 0;
/// The stage of a run whose handler is through with it; the stages between are the reasons to stop.
const THROUGH: u8 = 5;

/// The terms that all runs of one worker share.
pub(super) struct Terms {
    pub(super) source: Arc<dyn Source>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) defaults: Defaults,
    pub(super) states: States,
    pub(super) lease: Duration,
    /// How long a run has to end once the worker stops.
    pub(super) shutdown_grace: Duration,
    /// Rings when a run says something of its progress.
    pub(super) progressed: Notify,
}

impl Run {
    /// The name of the run for ever.
    pub fn id(&self) -> RunId {
        RunId {
            job: self.0.job.id(),
            run: self.0.job.status.run,
        }
    }

    /// The row, as it was when it was claimed.
    pub fn job(&self) -> &Job {
        &self.0.job
    }

    /// What the handler is given, before it is decoded.
    pub fn payload(&self) -> &Bytes {
        &self.0.job.body.payload
    }

    /// Which attempt of its life this is: 1 and up.
    pub fn attempt(&self) -> u32 {
        self.0.job.status.attempt
    }

    /// For which instant of which schedule it is, and for how many missed ones it stands too; nothing for a job that no schedule
    /// made.
    pub fn origin(&self) -> Option<&Origin> {
        self.0.job.body.origin.as_ref()
    }

    /// When the attempt times out.
    pub fn deadline(&self) -> Timestamp {
        Timestamp::from_micros(self.0.deadline.load(Ordering::Relaxed))
    }

    /// Says how far the run has come, for whoever looks at the job. It goes out with the worker's next heartbeat, which
    /// comes at once unless the last one was within a second; what a run says just before it ends may be lost. Fails
    /// if `progress` has no JSON form or takes more than [`PROGRESS_BYTES`](crate::limits::PROGRESS_BYTES).
    pub fn progress(&self, progress: &impl Serialize) -> Result<(), Error> {
        let bytes = serde_json::to_vec(progress)
            .map_err(|error| Error::invalid(format!("progress has no JSON form: {error}")))?;
        if bytes.len() > PROGRESS_BYTES {
            let size = bytes.len();
            return Err(Error::invalid(format!(
                "progress takes {size} bytes; at most {PROGRESS_BYTES} are kept"
            )));
        }
        *self.news() = Some(bytes.into());
        self.0.terms.progressed.notify_one();
        Ok(())
    }

    /// The token with which whoever the run is [deferred](Stop::defer) to prolongs and settles it; nothing if this worker's
    /// source hands out none.
    pub async fn token(&self) -> Result<Option<String>, Error> {
        self.0.terms.source.token(self.id()).await
    }

    /// The time by which the worker goes: that of its store, as well as it is known here.
    pub fn now(&self) -> Timestamp {
        self.clock().now()
    }

    /// Puts something out, for whoever reads or follows the output of this run: text as a rule, as a program writes it to its
    /// standard output. It is gathered and sent at most four times a second; of what comes faster than 64 KiB each time, and of
    /// more than 256 KiB in all, the middle is left out. Never waits and never fails: while the source cannot be
    /// reached, the same bound holds.
    pub fn output(&self, bytes: impl AsRef<[u8]>) {
        self.0.output.push(bytes.as_ref());
    }

    /// Tells when the run is to stop. A handler that takes it is given a grace to come to an end.
    pub fn stop(&self) -> StopSignal {
        self.0.looked.store(true, Ordering::Relaxed);
        StopSignal::of(self.clone())
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("id", &self.id())
            .field("kind", &self.0.job.body.kind)
            .field("attempt", &self.attempt())
            .finish_non_exhaustive()
    }
}

/// What the worker does with a run.
impl Run {
    /// A run that was just claimed, by an answer that was asked for at the uptime `asked_at`.
    pub(super) fn claimed(job: Job, terms: Arc<Terms>, asked_at: Duration) -> Run {
        let run = Run(Arc::new(Inner {
            job,
            terms,
            deadline: AtomicI64::new(Timestamp::MAX.as_micros()),
            stage: AtomicU8::new(GOING),
            looked: AtomicBool::new(false),
            told: Notify::new(),
            trusted: AtomicU64::new(0),
            progress: Mutex::new(None),
            output: LiveOutput::default(),
            decided: OnceLock::new(),
        }));
        run.trust_from(asked_at);
        run
    }

    /// What it puts out.
    pub(super) fn live_output(&self) -> &LiveOutput {
        &self.0.output
    }

    /// Where it came from.
    pub(super) fn source(&self) -> &Arc<dyn Source> {
        &self.0.terms.source
    }

    pub(super) fn states(&self) -> &States {
        &self.0.terms.states
    }

    /// The lease was prolonged by an answer asked for at this uptime: it is trusted for three quarters of its length.
    pub(super) fn trust_from(&self, asked_at: Duration) {
        let until = asked_at.saturating_add(self.0.terms.lease * 3 / 4);
        let micros = u64::try_from(until.as_micros()).unwrap_or(u64::MAX);
        self.0.trusted.fetch_max(micros, Ordering::Relaxed);
    }

    /// Whether the lease is still trusted at this uptime.
    pub(super) fn is_trusted(&self, uptime: Duration) -> bool {
        uptime.as_micros() < u128::from(self.0.trusted.load(Ordering::Relaxed))
    }

    /// Asks the run to stop. The first reason stands, but a lost lease overrides it, since it leaves less time.
    /// Answers whether the reason is news to it.
    pub(super) fn ask_to_stop(&self, reason: StopReason) -> bool {
        let asked = self
            .0
            .stage
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |stage| {
                let overrides = reason == StopReason::LeaseLost && stage < stage_of(reason);
                (stage == GOING || overrides).then(|| stage_of(reason))
            });
        if asked.is_ok() {
            self.0.told.notify_waiters();
        }
        asked.is_ok()
    }

    /// Notes that the handler is through: nobody need ask it to stop any more.
    pub(super) fn set_through(&self) {
        self.0.stage.store(THROUGH, Ordering::Release);
    }

    /// What became of it, if its handler is through with it.
    pub(super) fn decided(&self) -> Option<Option<Outcome>> {
        self.0.decided.get().cloned()
    }

    /// Whether the handler is still to begin or at work.
    pub(super) fn is_going(&self) -> bool {
        self.0.stage.load(Ordering::Acquire) != THROUGH
    }

    pub(super) fn stop_reason(&self) -> Option<StopReason> {
        reason_of(self.0.stage.load(Ordering::Acquire))
    }

    /// Waits for a reason to stop that is not this one.
    pub(super) async fn stopped(&self, known: Option<StopReason>) -> StopReason {
        loop {
            // It hears what is told from here on, polled or not; so it stands before the look.
            let told = self.0.told.notified();
            match self.stop_reason() {
                Some(reason) if Some(reason) != known => return reason,
                _ => told.await,
            }
        }
    }

    pub(super) fn grace(&self) -> Duration {
        match self.stop_reason() {
            Some(StopReason::LeaseLost) => KILL_GRACE.min(self.0.terms.lease / LOST_GRACE_SHARE),
            Some(StopReason::Shutdown) => self.0.terms.shutdown_grace,
            _ => KILL_GRACE,
        }
    }

    /// Takes what the run said of its progress since the last time.
    pub(super) fn take_progress(&self) -> Option<Bytes> {
        self.news().take()
    }

    /// Puts back progress that could not be delivered, unless there is newer.
    pub(super) fn return_progress(&self, progress: Bytes) {
        self.news().get_or_insert(progress);
    }

    pub(super) fn has_news(&self) -> bool {
        self.news().is_some()
    }

    fn news(&self) -> std::sync::MutexGuard<'_, Option<Bytes>> {
        self.0.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.terms.clock
    }

    /// The clock's timer, made when it is first waited for: most handlers are done before.
    async fn sleep(&self, length: Duration) {
        self.clock().sleep(length).await;
    }
}

fn stage_of(reason: StopReason) -> u8 {
    match reason {
        StopReason::Timeout => 1,
        StopReason::Cancelled => 2,
        StopReason::Shutdown => 3,
        StopReason::LeaseLost => 4,
    }
}

fn reason_of(stage: u8) -> Option<StopReason> {
    match stage {
        1 => Some(StopReason::Timeout),
        2 => Some(StopReason::Cancelled),
        3 => Some(StopReason::Shutdown),
        4 => Some(StopReason::LeaseLost),
        _ => None,
    }
}

/// How a handler came to its end.
enum Ending {
    Answered(Result<Bytes, Stop>),
    Panicked(String),
    Dropped(StopReason),
}

/// The pipe. Answers nothing where nothing is to be settled, since the lease was lost.
pub(super) async fn carry_out(run: &Run, handler: Arc<dyn Answers>) -> Option<Outcome> {
    let timeout = run.0.terms.defaults.timeout_of(&run.0.job.body);
    let deadline = run.clock().now() + timeout;
    run.0.deadline.store(deadline.as_micros(), Ordering::Relaxed);

    let answer = handler.answer(run.clone());
    let answer = catch_panic(time_box(run, timeout, answer));
    // Decided at once: what comes while the rest of the output is on its way changes nothing any more.
    let decided = async {
        let outcome = outcome(run, timeout, answer.await);
        run.0.decided.get_or_init(|| outcome).clone()
    };
    output::sent_beside(run, decided).await
}

/// What becomes of a run that was asked to stop before it began.
pub(super) fn unstarted(reason: StopReason) -> Option<Outcome> {
    match reason {
        StopReason::Cancelled => Some(cancelled()),
        StopReason::LeaseLost => None,
        StopReason::Timeout | StopReason::Shutdown => Some(Outcome::Release(Release::Unstarted)),
    }
}

/// Lets the handler work until it answers, or is asked to stop and has used up its grace.
async fn time_box(
    run: &Run,
    timeout: Duration,
    mut answer: BoxFuture<'static, Result<Bytes, Stop>>,
) -> Ending {
    let mut reason = tokio::select! {
        biased;
        answer = &mut answer => return Ending::Answered(answer),
        reason = run.stopped(None) => reason,
        () = run.sleep(timeout) => {
            run.ask_to_stop(StopReason::Timeout);
            StopReason::Timeout
        }
    };
    loop {
        // Who never asked for the signal cannot heed it. A stopping worker waits all the same: it has the time.
        let heeds = run.0.looked.load(Ordering::Relaxed) || reason == StopReason::Shutdown;
        let grace = if heeds { run.grace() } else { Duration::ZERO };
        tokio::select! {
            biased;
            answer = &mut answer => return Ending::Answered(answer),
            later = run.stopped(Some(reason)) => reason = later,
            () = run.sleep(grace) => return Ending::Dropped(reason),
        }
    }
}

/// Catches a panic of the handler, and of whatever is dropped with it.
async fn catch_panic(ending: impl Future<Output = Ending>) -> Ending {
    match AssertUnwindSafe(ending).catch_unwind().await {
        Ok(ending) => ending,
        Err(panic) => Ending::Panicked(match panic.downcast::<String>() {
            Ok(message) => *message,
            Err(panic) => panic
                .downcast_ref::<&str>()
                .map_or_else(|| "the handler panicked".to_owned(), ToString::to_string),
        }),
    }
}

/// What an ending means. What a handler says on purpose is heard even after it was asked to stop, since the store
/// still decides whether the run is its own; an error or a panic then is only how it stopped.
fn outcome(run: &Run, timeout: Duration, ending: Ending) -> Option<Outcome> {
    let said = match ending {
        Ending::Answered(Ok(result)) => Outcome::Done(result),
        Ending::Answered(Err(stop)) => stop.outcome(run.clock().now()),
        Ending::Panicked(error) => Outcome::Retry {
            error,
            after: None,
            cause: RetryCause::Panic,
        },
        Ending::Dropped(reason) => return stopped(reason, timeout, None, None),
    };
    match (said, run.stop_reason()) {
        (Outcome::Retry { error, after, .. }, Some(reason)) => stopped(reason, timeout, Some(error), after),
        (said, _) => Some(said),
    }
}

/// What becomes of a run that stopped because it was asked to.
fn stopped(
    reason: StopReason,
    timeout: Duration,
    error: Option<String>,
    after: Option<Duration>,
) -> Option<Outcome> {
    match reason {
        StopReason::Timeout => {
            let length = format_length(timeout);
            Some(Outcome::Retry {
                error: match error {
                    Some(error) => format!("timed out after {length}: {error}"),
                    None => format!("timed out after {length}"),
                },
                after,
                cause: RetryCause::Timeout,
            })
        }
        StopReason::Cancelled => Some(cancelled()),
        StopReason::Shutdown => Some(Outcome::Release(Release::Interrupted)),
        StopReason::LeaseLost => None,
    }
}

/// The row knows why.
fn cancelled() -> Outcome {
    Outcome::Cancelled {
        reason: String::new(),
    }
}
