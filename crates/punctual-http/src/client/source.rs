//! A far source of jobs: a [`Worker`](punctual::Worker) on a client runs as one on an engine does.
//!
//! ```no_run
//! # async fn work() -> Result<(), Box<dyn std::error::Error>> {
//! use punctual::worker::{Worker, shutdown_signal};
//! use punctual_http::Client;
//!
//! let client = Client::new("http://127.0.0.1:7373")?;
//! Worker::new(&client).queues(["mail"]).run_until(shutdown_signal()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! What may get lost on the way is bounded by the leases. A claim whose answer was lost leaves jobs behind that nobody beats
//! for, and they come back; an outcome is sent until it is answered, and found stale if it had arrived before.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{self, BoxFuture};
use futures_util::stream::BoxStream;
use http::Method;
use punctual::clock::{Clock, SystemClock};
use punctual::job::JobId;
use punctual::limits as library;
use punctual::run::{Beat, BeatVerdict, Beaten, Claim, ClaimFrom, Claimed, RunId, SettleVerdict, Settlement};
use punctual::source::Source;
use punctual::time::format_length;
use punctual::{Error, Kind};

use self::cancels::cancels;
use self::pieces::{beats, outcomes};
use self::tokens::Tokens;
use super::{Client, ClientError, NOTHING};
use crate::limits;
use crate::wire;

mod cancels;
mod pieces;
mod tokens;

type Answer<'a, T> = BoxFuture<'a, Result<T, Error>>;

/// What one worker asks of a far server.
struct Far {
    client: Client,
    /// A heartbeat has connections of its own: they live on its own runtime, so that no handler starves it.
    beats: Client,
    clock: Arc<dyn Clock>,
    tokens: Tokens,
}

impl From<&Client> for Arc<dyn Source> {
    fn from(client: &Client) -> Arc<dyn Source> {
        Arc::new(Far {
            client: client.apart(),
            beats: client.apart(),
            clock: Arc::new(SystemClock::new()),
            tokens: Tokens::default(),
        })
    }
}

impl From<Client> for Arc<dyn Source> {
    fn from(client: Client) -> Arc<dyn Source> {
        Arc::from(&client)
    }
}

impl Client {
    /// The workers that have beaten lately, by name.
    pub async fn workers(&self) -> Result<wire::List<wire::Worker>, ClientError> {
        self.ask(Method::GET, "/v1/workers", NOTHING, None).await
    }
}

impl Source for Far {
    fn claim(&self, claim: Claim, wait: Duration) -> Answer<'_, Claimed> {
        self.claim_far(claim, wait).boxed()
    }

    fn beat(&self, beat: Beat) -> Answer<'_, Beaten> {
        self.beat_far(beat).boxed()
    }

    fn settle(&self, settlements: Vec<Settlement>) -> Answer<'_, Vec<SettleVerdict>> {
        self.settle_far(settlements).boxed()
    }

    fn token(&self, run: RunId) -> Answer<'_, Option<String>> {
        future::ready(Ok(self.tokens.of(run))).boxed()
    }

    fn append_output(&self, run: RunId, bytes: Bytes) -> Answer<'_, bool> {
        async move { Ok(self.client.append_output(run, bytes).await?) }.boxed()
    }

    fn cancels(&self) -> BoxStream<'static, JobId> {
        cancels(self.beats.clone(), Arc::clone(&self.clock))
    }
}

impl Far {
    async fn claim_far(&self, claim: Claim, wait: Duration) -> Result<Claimed, Error> {
        let ClaimFrom::Queues(queues) = claim.from else {
            return Err(Error::invalid(
                "jobs are claimed from queues, not by their ids, at a far server",
            ));
        };
        let wait = wait.min(limits::CLAIM_WAIT_MAX);
        let asked = wire::Claim {
            worker: Some(claim.worker.to_string()),
            queues: Some(queues.iter().map(ToString::to_string).collect()),
            max: i64::try_from(claim.max.min(limits::CLAIM_RUNS)).ok(),
            wait: Some(format_length(wait)),
            lease: Some(format_length(claim.lease)),
        };
        // What comes later is trusted no more.
        let deadline = wait + claim.lease / library::BEATS_IN_LEASE;
        let claimed: wire::Claimed = self
            .client
            .ask_within("/v1/workers/claim", &asked, deadline)
            .await?;
        let mut jobs = Vec::with_capacity(claimed.runs.len());
        for mut run in claimed.runs {
            let token = run.token.take();
            let job = run.read()?;
            let id = RunId {
                job: job.id(),
                run: job.status.run,
            };
            if let Some(token) = token {
                self.tokens.keep(id, token);
            }
            jobs.push(job);
        }
        Ok(Claimed {
            jobs,
            next_due: claimed.next_due.map(|at| at.0),
            now: claimed.now.0,
        })
    }

    async fn beat_far(&self, beat: Beat) -> Result<Beaten, Error> {
        let mut verdicts = Vec::with_capacity(beat.runs.len());
        let mut now = None;
        for runs in beats(&beat.runs) {
            let count = runs.len();
            let asked = beat_of(&beat, runs);
            let deadline = beat.lease / library::BEATS_IN_LEASE;
            let beaten: wire::Beaten = self
                .beats
                .ask_within("/v1/workers/beat", &asked, deadline)
                .await?;
            let told: Option<Vec<BeatVerdict>> = beaten.runs.iter().map(wire::Verdict::of_beat).collect();
            let told = told.filter(|told| told.len() == count);
            verdicts.extend(told.ok_or_else(|| self.beats.garbled("a run has no verdict"))?);
            now = Some(beaten.now.0);
        }
        let now = now.unwrap_or_else(|| self.clock.now());
        Ok(Beaten { verdicts, now })
    }

    async fn settle_far(&self, settlements: Vec<Settlement>) -> Result<Vec<SettleVerdict>, Error> {
        let claimed = settlements
            .iter()
            .find_map(|settlement| settlement.claimed.as_ref());
        let worker = claimed.and_then(|job| job.status.worker.as_ref());
        let worker = worker.map(ToString::to_string);
        let mut verdicts = Vec::with_capacity(settlements.len());
        for runs in outcomes(&settlements) {
            let piece = wire::Settle {
                worker: worker.clone(),
                runs,
            };
            verdicts.extend(self.settle_piece(&piece).await?);
        }
        self.tokens.let_go(&settlements);
        Ok(verdicts)
    }

    /// Sends outcomes until they are answered: what was done is worth the wait. Who asked decides how long that makes sense.
    async fn settle_piece(&self, piece: &wire::Settle) -> Result<Vec<SettleVerdict>, Error> {
        let deadline = limits::SETTLE_DEADLINE + limits::CONNECT_DEADLINE;
        let mut pause = limits::RECONNECT_PAUSE;
        loop {
            let asked = self
                .client
                .ask_within("/v1/workers/settle", piece, deadline)
                .await;
            let settled: wire::Settled = match asked {
                Ok(settled) => settled,
                Err(error) if error.kind() == Kind::Unavailable => {
                    let outcomes = piece.runs.len();
                    tracing::warn!(
                        outcomes, %error,
                        "outcomes could not be settled; they are kept and sent again in {}", format_length(pause)
                    );
                    self.clock
                        .sleep(pause.mul_f64(1.0 - self.clock.chance() / 2.0))
                        .await;
                    pause = (pause * 2).min(limits::RECONNECT_PAUSE_MAX);
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let told: Option<Vec<SettleVerdict>> =
                settled.runs.iter().map(wire::Verdict::of_settle).collect();
            let told = told.filter(|told| told.len() == piece.runs.len());
            return told.ok_or_else(|| self.client.garbled("an outcome has no verdict").into());
        }
    }
}

fn beat_of(beat: &Beat, runs: Vec<wire::BeatRun>) -> wire::Beat {
    let worker = &beat.worker;
    wire::Beat {
        worker: Some(worker.id.to_string()),
        runs,
        lease: Some(format_length(beat.lease)),
        host: Some(worker.host.clone()),
        pid: Some(worker.pid.into()),
        queues: Some(worker.queues.iter().map(ToString::to_string).collect()),
        concurrency: Some(worker.concurrency.into()),
        running: Some(worker.running.into()),
        started_at: Some(worker.started_at.to_string()),
        stopping: worker.stopping,
        stopped: beat.stopped,
    }
}
