//! Deferred runs: the tokens that are handed out for them, and what their holders say.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::OnceCell;
use tracing::Instrument;

use crate::change::{RecordApplied, RecordChange, RecordKind};
use crate::error::{Error, Kind};
use crate::limits::{CONFLICT_ROUNDS, LANE_DEADLINE, PROGRESS_BYTES};
use crate::rules;
use crate::run::token::TokenKey;
use crate::run::{BeatVerdict, Outcome, RunId, SettleVerdict, Settlement};

use super::{Core, Engine};

/// The name of the one key of a store.
const NAME: &str = "runs";

/// The key that this engine's store signs tokens with, once it was asked for.
pub(super) type Key = OnceCell<TokenKey>;

impl Engine {
    /// Says what became of a run that was [deferred](crate::run::Outcome::Defer), as whoever holds its token.
    ///
    /// # Errors
    ///
    /// `NotFound` for what is no token of this store; `Unavailable` if the store cannot be reached: it may be said again.
    pub async fn settle_deferred(&self, token: &str, outcome: Outcome) -> Result<SettleVerdict, Error> {
        let span = tracing::debug_span!("settle_deferred");
        self.core.settle_deferred(token, outcome).instrument(span).await
    }

    /// Prolongs a deferred run until `length` from now at least, and notes its progress, which is JSON, if there is news of
    /// it. Once the job is to be cancelled, by an ordinary lease at most. Errors are those of
    /// [`settle_deferred`](Self::settle_deferred), and `Invalid` for too much progress.
    pub async fn beat_deferred(
        &self,
        token: &str,
        length: Duration,
        progress: Option<Bytes>,
    ) -> Result<BeatVerdict, Error> {
        let span = tracing::debug_span!("beat_deferred");
        let beaten = self.core.beat_deferred(token, length, progress);
        beaten.instrument(span).await
    }
}

impl Core {
    pub(super) async fn token(&self, run: RunId) -> Result<String, Error> {
        Ok(self.token_key().await?.sign(run))
    }

    pub(super) async fn settle_deferred(
        &self,
        token: &str,
        outcome: Outcome,
    ) -> Result<SettleVerdict, Error> {
        let settlement = Settlement {
            id: self.run_of(token).await?,
            outcome,
            claimed: None,
        };
        let settled = self.settle(vec![settlement]);
        tokio::select! {
            biased;
            verdicts = settled => Ok(verdicts?.first().copied().unwrap_or(SettleVerdict::Stale)),
            () = self.clock.sleep(LANE_DEADLINE) => Err(Error::unavailable(
                "the store could not be reached in time; whether this was written is not known, and saying it again is safe",
            )),
        }
    }

    pub(super) async fn beat_deferred(
        &self,
        token: &str,
        length: Duration,
        progress: Option<Bytes>,
    ) -> Result<BeatVerdict, Error> {
        let size = progress.as_ref().map_or(0, Bytes::len);
        if size > PROGRESS_BYTES {
            let message = format!("it takes {size} bytes; at most {PROGRESS_BYTES} are kept");
            return Err(Error::invalid_field("/progress", message));
        }
        let run = self.run_of(token).await?;
        let prolonged = self.operate(run.job, None, |job, moment| {
            Ok(rules::settle::prolong(
                job,
                run.run,
                length,
                progress.as_ref(),
                moment,
            ))
        });
        match prolonged.await {
            Ok((job, _)) if !rules::settle::holds(&job, run.run) => Ok(BeatVerdict::Lost),
            Ok((job, _)) if job.status.cancel.is_some() => Ok(BeatVerdict::Cancel),
            Ok(_) => Ok(BeatVerdict::Held),
            Err(error) if error.kind() == Kind::NotFound => Ok(BeatVerdict::Lost),
            Err(error) => Err(error),
        }
    }

    async fn run_of(&self, token: &str) -> Result<RunId, Error> {
        let run = self.token_key().await?.read(token);
        run.ok_or_else(|| Error::not_found("this is no token of a run of this store"))
    }

    async fn token_key(&self) -> Result<&TokenKey, Error> {
        self.token_key.get_or_try_init(|| self.read_token_key()).await
    }

    /// Reads the store's key, or gives it one. Of several who do so at once, one wins.
    async fn read_token_key(&self) -> Result<TokenKey, Error> {
        for _ in 0..CONFLICT_ROUNDS {
            let kept = self.store.records(RecordKind::TokenKey, None, 1).await?;
            if let Some(record) = kept.first() {
                return TokenKey::from_json(&record.document);
            }
            let key = TokenKey::new(self.clock.secret());
            let change = RecordChange {
                kind: RecordKind::TokenKey,
                name: NAME.to_owned(),
                expect: 0,
                becomes: Some(key.to_json()),
            };
            if let Some(RecordApplied::Applied) = self.store.change_records(&[change]).await?.first() {
                return Ok(key);
            }
        }
        Err(Error::conflict(
            "the key for tokens does not stand still; try again",
        ))
    }
}
