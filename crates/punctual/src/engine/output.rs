//! Live output: what a run puts out while it goes on, added by its worker and read, or followed, by anybody.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tracing::Instrument;

use crate::error::{Error, Kind};
use crate::job::{JobId, State};
use crate::limits::{FOLLOW_PAUSE, RESCAN};
use crate::run::RunId;
use crate::signals::Signal;
use crate::store::Output;

use super::followers::Seat;
use super::{Core, Engine};

impl Engine {
    /// A run's output from this offset on, one page of it: see [`Store::output`](crate::store::Store::output). Nothing
    /// for a run that put nothing out, or never was. `Unavailable` if the store cannot be read.
    pub async fn output(&self, run: RunId, from: u64) -> Result<Output, Error> {
        let span = tracing::debug_span!("output", job = %run.job, run = run.run, from);
        self.core.store.output(run, from).instrument(span).await
    }

    /// Follows the output of one run of a job, or unset of its last one, from this offset on. A job that has not begun is
    /// waited for. Any number may follow one run; one that leaves changes nothing.
    ///
    /// # Errors
    ///
    /// `Unavailable` when [`FOLLOWERS`](crate::limits::FOLLOWERS) follow already.
    pub fn follow(&self, id: JobId, run: Option<u64>, from: u64) -> Result<Follower, Error> {
        Ok(Follower {
            seat: self.core.followers.join(id)?,
            core: Arc::clone(&self.core),
            id,
            run,
            from,
        })
    }
}

impl Core {
    pub(super) async fn append_output(&self, run: RunId, bytes: Bytes) -> Result<bool, Error> {
        let held = self.store.append_output(run, &bytes).await?;
        if held {
            self.store.signals().send(&[Signal::Output(run.job)]);
        }
        Ok(held)
    }
}

/// Reads the output of a run as it comes. It holds no more than the page that it gives.
pub struct Follower {
    core: Arc<Core>,
    seat: Seat,
    id: JobId,
    run: Option<u64>,
    from: u64,
}

/// How the run that is followed stands.
enum Stands {
    Unstarted,
    Going(RunId),
    Over(RunId),
    Gone,
}

impl Follower {
    /// The next page, as soon as there is one; `None` once the run is over and all of its output was given, or the job is
    /// gone. Dropped before it answers, it loses nothing.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the store cannot be read, or the engine was closed; asked again, it goes on where it was.
    pub async fn next(&mut self) -> Result<Option<Output>, Error> {
        loop {
            let looked_at = self.core.clock.uptime();
            if let Some(run) = self.run
                && let Some(page) = self.page(RunId { job: self.id, run }).await?
            {
                return Ok(Some(page));
            }
            match self.stands().await? {
                Stands::Gone => return Ok(None),
                // What it put out last may have come between the two looks.
                Stands::Over(run) => return self.page(run).await,
                Stands::Going(run) if self.run.is_none() => {
                    self.run = Some(run.run);
                    continue;
                }
                Stands::Going(_) | Stands::Unstarted => {}
            }
            self.rest(looked_at).await?;
        }
    }

    async fn page(&mut self, run: RunId) -> Result<Option<Output>, Error> {
        self.run = Some(run.run);
        let page = self.core.store.output(run, self.from).await?;
        if page.bytes.is_empty() {
            return Ok(None);
        }
        self.from = page.next;
        Ok(Some(page))
    }

    /// Reads the row as those do who wait for results: all followers that look at once share one read.
    async fn stands(&self) -> Result<Stands, Error> {
        let job = match self.core.results.join(self.id)?.read().await {
            Ok(job) => job,
            Err(error) if error.kind() == Kind::NotFound => return Ok(Stands::Gone),
            Err(error) => return Err(error),
        };
        let last = job.status.run;
        let run = self.run.unwrap_or(last);
        let id = RunId { job: self.id, run };
        Ok(match job.status.state {
            State::Waiting if run == 0 => Stands::Unstarted,
            State::Running if run == last => Stands::Going(id),
            _ => Stands::Over(id),
        })
    }

    /// Waits for news, with a pause after the last look.
    async fn rest(&mut self, looked_at: Duration) -> Result<(), Error> {
        let clock = Arc::clone(&self.core.clock);
        let rested = async {
            tokio::select! {
                biased;
                () = self.seat.rung() => {}
                () = clock.sleep(RESCAN) => {}
            }
            clock
                .sleep((looked_at + FOLLOW_PAUSE).saturating_sub(clock.uptime()))
                .await;
        };
        tokio::select! {
            biased;
            () = self.core.stopping.cancelled() => Err(Error::unavailable("the engine is closed")),
            () = rested => Ok(()),
        }
    }
}
