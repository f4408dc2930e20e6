//! The engine as a source of jobs: what a worker asks for.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, future};
use tokio::runtime::Handle;
use tracing::Instrument;

use crate::error::Error;
use crate::job::{Job, JobId, State};
use crate::limits::{CLAIM_PAUSE, FLUSH_ITEMS, LENGTH_MAX, PAGE_ITEMS, RESCAN, SETTLE_PAUSE};
use crate::queue::QueueName;
use crate::run::{
    Beat, Beaten, Claim, ClaimFrom, Claimed, Outcome, Release, RunId, SettleVerdict, Settlement,
};
use crate::source::Source;
use crate::store::{Answer, Filter, Page, View};
use crate::time::Timestamp;

use super::claimants::{Place, Rest};
use super::settle::may_pass;
use super::{Core, Engine};

impl Source for Engine {
    fn claim(&self, claim: Claim, wait: Duration) -> Answer<'_, Claimed> {
        let span = tracing::debug_span!("claim", worker = %claim.worker, max = claim.max);
        Arc::clone(&self.core)
            .claim(claim, wait, future::pending())
            .instrument(span)
            .boxed()
    }

    fn beat(&self, beat: Beat) -> Answer<'_, Beaten> {
        let span = tracing::debug_span!("beat", worker = %beat.worker.id, runs = beat.runs.len());
        self.core.beat(beat).instrument(span).boxed()
    }

    fn settle(&self, settlements: Vec<Settlement>) -> Answer<'_, Vec<SettleVerdict>> {
        let span = tracing::debug_span!("settle", runs = settlements.len());
        self.core.settle(settlements).instrument(span).boxed()
    }

    fn token(&self, run: RunId) -> Answer<'_, Option<String>> {
        let span = tracing::debug_span!("token", job = %run.job, run = run.run);
        let token = async move { self.core.token(run).await.map(Some) };
        token.instrument(span).boxed()
    }

    fn append_output(&self, run: RunId, bytes: Bytes) -> Answer<'_, bool> {
        let span = tracing::debug_span!("append_output", job = %run.job, run = run.run);
        self.core.append_output(run, bytes).instrument(span).boxed()
    }

    fn cancels(&self) -> BoxStream<'static, JobId> {
        super::cancels::cancels(Arc::clone(&self.core))
    }
}

impl From<&Engine> for Arc<dyn Source> {
    fn from(engine: &Engine) -> Arc<dyn Source> {
        Arc::new(engine.clone())
    }
}

impl From<Engine> for Arc<dyn Source> {
    fn from(engine: Engine) -> Arc<dyn Source> {
        Arc::new(engine)
    }
}

impl Engine {
    /// As [`Source::claim`], for somebody who may leave: once `left` is done, it waits no more. Unlike a claim that is
    /// dropped, it always tells what it brought, so that jobs which nobody is there to run can be put back.
    ///
    /// # Errors
    ///
    /// As those of [`Source::claim`].
    pub async fn claim_until(
        &self,
        claim: Claim,
        wait: Duration,
        left: impl Future<Output = ()>,
    ) -> Result<Claimed, Error> {
        let span = tracing::debug_span!("claim", worker = %claim.worker, max = claim.max);
        let core = Arc::clone(&self.core);
        core.claim(claim, wait, left).instrument(span).await
    }
}

/// A look at the store for jobs. When whoever asked for it is gone, it goes on, and what it brings is put back: otherwise those
/// jobs would lie there until their lease is over. One of which no answer comes is not looked up: it might find runs that
/// their worker is at.
struct Look {
    core: Arc<Core>,
    /// Until it is answered.
    answer: Option<BoxFuture<'static, Result<Claimed, Error>>>,
}

impl Look {
    fn new(core: &Arc<Core>, claim: Claim) -> Look {
        let store = Arc::clone(&core.store);
        Look {
            core: Arc::clone(core),
            answer: Some(async move { store.claim(claim).await }.boxed()),
        }
    }

    async fn answered(mut self) -> Result<Claimed, Error> {
        let claimed = match &mut self.answer {
            Some(answer) => answer.await,
            None => return Err(Error::internal("a look at the store was answered twice")),
        };
        self.answer = None;
        claimed
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        let Some(answer) = self.answer.take() else { return };
        // Where there is no runtime any more, nobody can hear the answer; and one that panicked has none.
        if Handle::try_current().is_err() || std::thread::panicking() {
            return;
        }
        let core = Arc::clone(&self.core);
        self.core.tasks.spawn(async move {
            match answer.await {
                Ok(claimed) => core.put_back(claimed.jobs).await,
                Err(error) => tracing::debug!(%error, "a claim failed that nobody waited for any more"),
            }
        });
    }
}

impl Core {
    /// Claims at once if there is work, else at the next due instant or hint, until `wait` is over or nobody is there any more.
    async fn claim(
        self: Arc<Self>,
        claim: Claim,
        wait: Duration,
        left: impl Future<Output = ()>,
    ) -> Result<Claimed, Error> {
        let mut gone = pin!(left);
        let place = self.claimants.join(queues_of(&claim));
        let give_up_at = self.clock.uptime() + wait.min(LENGTH_MAX);
        loop {
            place.looks();
            self.check_open()?;
            let claimed = self.claim_now(&claim).await?;
            let left = give_up_at.saturating_sub(self.clock.uptime());
            if let Some(next_due) = claimed.next_due {
                place.sees(next_due);
            }
            if claimed.jobs.len() < claim.max && (!claimed.jobs.is_empty() || left.is_zero()) {
                place.leaves_nothing();
                return Ok(claimed);
            }
            if !claimed.jobs.is_empty() || claim.max == 0 {
                return Ok(claimed);
            }
            tokio::select! {
                biased;
                () = &mut gone => return Ok(claimed),
                () = self.rest(&place, left) => {}
            }
        }
    }

    /// Waits until it makes sense to look again, or the engine stops.
    async fn rest(&self, place: &Place, left: Duration) {
        let mut over = self.clock.sleep(left.min(RESCAN));
        loop {
            let now = self.clock.now();
            let mut due = match place.lies_down() {
                Rest::Over => return,
                Rest::Until(at) => self.clock.sleep(at.since(now).max(CLAIM_PAUSE)),
                Rest::Undisturbed => future::pending().boxed(),
            };
            tokio::select! {
                biased;
                () = self.stopping.cancelled() => return,
                // Called, or told of an earlier instant.
                () = place.called() => {}
                () = &mut due => return,
                () = &mut over => return,
            }
        }
    }

    async fn claim_now(self: &Arc<Self>, claim: &Claim) -> Result<Claimed, Error> {
        let (asked_at, asked) = (self.clock.uptime(), self.clock.now());
        let claimed = match Look::new(self, claim.clone()).answered().await {
            Ok(claimed) => {
                self.clock.correct(claimed.now, asked_at);
                claimed
            }
            Err(error) if error.is_unknown() => {
                tracing::warn!(%error, worker = %claim.worker, "a claim may or may not have been written; its jobs are looked up");
                self.claimed_since(claim, claim.now.unwrap_or(asked), error)
                    .await?
            }
            Err(error) => return Err(error),
        };
        self.counters.claimed(claimed.jobs.len());
        self.followers.ring_each(claimed.jobs.iter().map(Job::id));
        Ok(claimed)
    }

    /// Puts jobs back that were claimed for somebody who is gone.
    async fn put_back(&self, jobs: Vec<Job>) {
        let release = |job: Job| Settlement {
            id: RunId {
                job: job.id(),
                run: job.status.run,
            },
            outcome: Outcome::Release(Release::Unstarted),
            claimed: Some(job),
        };
        if jobs.is_empty() {
            return;
        }
        let count = jobs.len();
        self.counters.claimed(count);
        match self.settle(jobs.into_iter().map(release).collect()).await {
            Ok(_) => tracing::info!(
                jobs = count,
                "jobs were put back, since the worker that claimed them was gone"
            ),
            Err(error) => tracing::warn!(
                %error, jobs = count,
                "jobs were claimed for a worker that was gone, and could not be put back; they are left to their leases"
            ),
        }
    }

    /// What a claim brought of which no answer came: the runs of its worker that began since, perhaps with some that it
    /// holds from an earlier claim. Only the worker can tell them apart. A store that went away with the answer is waited for
    /// until it is back, or the leases of what it brought are over.
    async fn claimed_since(&self, claim: &Claim, since: Timestamp, error: Error) -> Result<Claimed, Error> {
        let over = self.clock.uptime() + claim.lease;
        let jobs = loop {
            match self.begun_since(claim, since).await {
                Err(away) if may_pass(&away) && self.clock.uptime() < over => tokio::select! {
                    biased;
                    () = self.stopping.cancelled() => return Err(error),
                    () = self.clock.sleep(SETTLE_PAUSE) => {}
                },
                jobs => break jobs?,
            }
        };
        if jobs.is_empty() {
            return Err(error);
        }
        Ok(Claimed {
            jobs,
            next_due: None,
            now: self.clock.now(),
        })
    }

    async fn begun_since(&self, claim: &Claim, since: Timestamp) -> Result<Vec<Job>, Error> {
        let filter = Filter {
            view: View::Running,
            worker: Some(claim.worker.clone()),
            ..Filter::default()
        };
        let mut ids = Vec::new();
        let mut after = None;
        loop {
            let page = Page {
                limit: PAGE_ITEMS,
                after,
            };
            let listed = self.store.list(filter.clone(), page).await?;
            let begun = listed.items.iter().filter(|head| head.started_at >= Some(since));
            ids.extend(begun.map(|head| head.id));
            after = listed.next;
            if after.is_none() || ids.len() >= FLUSH_ITEMS {
                break;
            }
        }
        ids.truncate(FLUSH_ITEMS);
        let rows = self.fetch_each(&ids).await?;
        let still_ours = |job: &Job| {
            let status = &job.status;
            status.state == State::Running
                && status.worker.as_ref() == Some(&claim.worker)
                && status.started_at >= Some(since)
        };
        Ok(rows.into_iter().flatten().flatten().filter(still_ours).collect())
    }

    async fn beat(&self, beat: Beat) -> Result<Beaten, Error> {
        let asked_at = self.clock.uptime();
        self.members.note(&beat, asked_at);
        let beaten = self.store.beat(beat).await?;
        self.clock.correct(beaten.now, asked_at);
        Ok(beaten)
    }
}

fn queues_of(claim: &Claim) -> Vec<QueueName> {
    match &claim.from {
        ClaimFrom::Queues(queues) => queues.clone(),
        ClaimFrom::Ids(_) => Vec::new(),
    }
}
