//! The heartbeat: one beat for all runs of a worker, apart from its handlers.
//!
//! It beats every third of the lease, and at once for a run that was cancelled or has made progress. What a beat
//! finds, the run is told here: cancelled, or lost. And here the worker stops trusting a lease: a quarter of its
//! length before its end, counted from when the last good answer was asked for, by a clock that goes on while the
//! machine sleeps. What the store thinks of the lease by then does not matter, since nobody can ask it.
//!
//! It is a future. A worker gives it a thread and a runtime of its own, so that no handler starves it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, StreamExt};
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::job::JobId;
use crate::limits::{
    BEATS_IN_LEASE, FLUSH_ITEMS, HEARTBEAT_FAILURE_PAUSE, LAST_BEAT, PAUSE_AFTER_ERROR_MAX, PROGRESS_PAUSE,
    TRUST_CHECK,
};
use crate::run::{Beat, BeatRun, BeatVerdict, Beaten, WorkerInfo};
use crate::source::Source;
use crate::time::format_length;
use crate::worker::held::Held;
use crate::worker::pause::pause_after;
use crate::worker::run::{Run, Terms};
use crate::worker::stop::StopReason;

/// The heartbeat of one worker.
pub(super) struct Heartbeat {
    pub(super) source: Arc<dyn Source>,
    pub(super) terms: Arc<Terms>,
    pub(super) held: Arc<Held>,
    pub(super) worker: WorkerInfo,
    /// Whether the worker takes no more jobs.
    pub(super) stopping: Arc<AtomicBool>,
}

/// What the next beat is for.
enum Wish {
    Everything,
    Job(JobId),
    News,
}

/// Heartbeats that failed one after the other.
#[derive(Default)]
struct Failures {
    count: u32,
    /// The uptime from which on it is told of the next one.
    tell_at: Option<Duration>,
}

impl Heartbeat {
    /// Beats until `end`, and then once more, so that the worker is forgotten.
    pub(super) async fn run(self, end: CancellationToken) {
        tokio::select! {
            biased;
            () = end.cancelled() => {}
            () = self.watch_leases() => {}
            () = self.beats() => {}
        }
        self.leave().await;
    }

    /// Beats until `end` on a thread of its own. The future completes when that thread is through.
    pub(super) fn run_apart(self, end: CancellationToken) -> Result<BoxFuture<'static, ()>, Error> {
        let refuse = |error: std::io::Error| {
            Error::internal(format!("the heartbeat's thread cannot start: {error}")).caused_by(error)
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(refuse)?;
        let (alive, gone) = tokio::sync::oneshot::channel::<()>();
        std::thread::Builder::new()
            .name("punctual-heartbeat".to_owned())
            .spawn(move || {
                let _alive = alive;
                runtime.block_on(self.run(end));
            })
            .map_err(refuse)?;
        Ok(Box::pin(async move {
            // Nothing is ever sent: the sender's end is the news.
            let _ = gone.await;
        }))
    }

    async fn beats(&self) {
        let clock = &self.terms.clock;
        let interval = self.terms.lease / BEATS_IN_LEASE;
        let mut cancels = self.source.cancels().fuse().boxed();
        let mut due = clock.uptime();
        let mut news_from = due;
        let mut failures = Failures::default();
        loop {
            let wish = self.next_wish(&mut cancels, due, news_from).await;
            let asked_at = clock.uptime();
            let runs = match wish {
                Wish::Everything => self.held.all(),
                Wish::Job(job) => self.held.of_job(job),
                Wish::News => self.held.with_news(),
            };
            let whole = matches!(wish, Wish::Everything);
            if !whole && runs.is_empty() {
                continue;
            }
            if !matches!(wish, Wish::Job(_)) {
                news_from = asked_at + PROGRESS_PAUSE;
            }
            match self.beat_all(&runs).await {
                Ok(()) if whole => {
                    due = asked_at + interval;
                    let Failures { count, .. } = std::mem::take(&mut failures);
                    if count > 0 {
                        tracing::info!(worker = %self.worker.id, failures = count, "heartbeats are answered again");
                    }
                }
                Ok(()) => {}
                Err(error) => {
                    failures.count += 1;
                    let longest = PAUSE_AFTER_ERROR_MAX.min(interval / BEATS_IN_LEASE);
                    let pause = pause_after(failures.count, longest, clock.chance());
                    let again = clock.uptime() + pause;
                    due = if whole { again } else { due.min(again) };
                    self.tell_failure(&mut failures, runs.len(), &error);
                }
            }
        }
    }

    /// Says it of the first one, and now and then of a later one: while a store is away, they follow each other closely.
    fn tell_failure(&self, failures: &mut Failures, runs: usize, error: &Error) {
        let (worker, uptime, count) = (&self.worker.id, self.terms.clock.uptime(), failures.count);
        if failures.tell_at.is_some_and(|tell_at| uptime < tell_at) {
            tracing::debug!(%worker, runs, %error, failures = count, "a heartbeat failed again");
            return;
        }
        failures.tell_at = Some(uptime + HEARTBEAT_FAILURE_PAUSE);
        tracing::warn!(
            %worker, runs, %error, failures = count,
            "a heartbeat failed; the next ones come soon, and the next line when one is answered, or in {}",
            format_length(HEARTBEAT_FAILURE_PAUSE)
        );
    }

    /// Waits until a beat is due, or wanted sooner.
    async fn next_wish(
        &self,
        cancels: &mut BoxStream<'static, JobId>,
        due: Duration,
        news_from: Duration,
    ) -> Wish {
        tokio::select! {
            biased;
            () = self.sleep_until(due) => Wish::Everything,
            Some(job) = cancels.next() => Wish::Job(job),
            () = async {
                self.sleep_until(news_from).await;
                self.terms.progressed.notified().await;
            } => Wish::News,
        }
    }

    /// One beat for these runs, in as many calls as a batch's bound makes of it; one at least, since it also says that the
    /// worker lives.
    async fn beat_all(&self, runs: &[Run]) -> Result<(), Error> {
        let (first, rest) = runs.split_at(runs.len().min(FLUSH_ITEMS));
        self.beat(first).await?;
        for some in rest.chunks(FLUSH_ITEMS) {
            self.beat(some).await?;
        }
        Ok(())
    }

    async fn beat(&self, runs: &[Run]) -> Result<(), Error> {
        let asked_at = self.terms.clock.uptime();
        let progress: Vec<Option<Bytes>> = runs.iter().map(Run::take_progress).collect();
        let beat_run = |(run, progress): (&Run, &Option<Bytes>)| BeatRun {
            id: run.id(),
            progress: progress.clone(),
        };
        let runs_told = runs.iter().zip(&progress).map(beat_run).collect();
        match self.answered(self.told(runs_told, false)).await {
            Ok(beaten) => {
                self.terms.clock.correct(beaten.now, asked_at);
                for (run, verdict) in runs.iter().zip(beaten.verdicts) {
                    self.tell(run, verdict, asked_at);
                }
                Ok(())
            }
            Err(error) => {
                for (run, progress) in runs.iter().zip(progress) {
                    progress.into_iter().for_each(|it| run.return_progress(it));
                }
                Err(error)
            }
        }
    }

    fn told(&self, runs: Vec<BeatRun>, stopped: bool) -> Beat {
        Beat {
            worker: WorkerInfo {
                running: u32::try_from(self.held.count()).unwrap_or(u32::MAX),
                stopping: self.stopping.load(Ordering::Relaxed),
                ..self.worker.clone()
            },
            runs,
            lease: self.terms.lease,
            stopped,
            now: None,
        }
    }

    /// The last beat, so that nobody takes the worker for a silent one. It is told once: if it is lost, the worker is
    /// listed as silent until it is forgotten.
    async fn leave(&self) {
        let told = tokio::select! {
            biased;
            told = self.source.beat(self.told(Vec::new(), true)) => told.map(drop),
            () = self.terms.clock.sleep(LAST_BEAT) => Err(Error::unavailable("there was no answer in time")),
        };
        if let Err(error) = told {
            tracing::debug!(worker = %self.worker.id, %error, "the worker has stopped, and could not say so");
        }
    }

    /// The answer to a beat. One that has not come when the next is due will not be waited for.
    async fn answered(&self, beat: Beat) -> Result<Beaten, Error> {
        let patience = self.terms.lease / BEATS_IN_LEASE;
        tokio::select! {
            biased;
            beaten = self.source.beat(beat) => beaten,
            () = self.terms.clock.sleep(patience) => {
                let patience = format_length(patience);
                Err(Error::unavailable(format!("there was no answer within {patience}")))
            }
        }
    }

    fn tell(&self, run: &Run, verdict: BeatVerdict, asked_at: Duration) {
        match verdict {
            BeatVerdict::Held => run.trust_from(asked_at),
            BeatVerdict::Cancel => {
                run.trust_from(asked_at);
                run.ask_to_stop(StopReason::Cancelled);
            }
            BeatVerdict::Lost => self.lose(run, "another holds the job by now"),
        }
    }

    /// Stops every run whose lease has become too old to be trusted.
    async fn watch_leases(&self) {
        let pause = TRUST_CHECK.min(self.terms.lease / BEATS_IN_LEASE / BEATS_IN_LEASE);
        loop {
            self.terms.clock.sleep(pause).await;
            for run in self.held.untrusted(self.terms.clock.uptime()) {
                self.lose(&run, "no heartbeat was answered in time");
            }
        }
    }

    /// A lost run is prolonged no more, so that whoever may have it next need not wait.
    fn lose(&self, run: &Run, why: &str) {
        self.held.let_go([run]);
        if run.ask_to_stop(StopReason::LeaseLost) {
            let id = run.id();
            tracing::warn!(
                worker = %self.worker.id, job = %id.job, run = id.run,
                "a lease was lost: {why}; the run is stopped, and the job will be run again or fail as its on_lost says"
            );
        }
    }

    async fn sleep_until(&self, uptime: Duration) {
        let clock = &self.terms.clock;
        clock.sleep(uptime.saturating_sub(clock.uptime())).await;
    }
}
