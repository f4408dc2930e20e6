//! What whoever a run was deferred to tells of it.

use http::Method;

use super::{Client, ClientError, escaped};
use crate::wire::{BeatDeferred, DeferredVerdict, Outcome, SettleDeferred};

impl Client {
    /// Says what became of a deferred run, whose token this is. Refused with 409 if the run is over.
    pub async fn settle_deferred(
        &self,
        token: &str,
        outcome: Outcome,
    ) -> Result<DeferredVerdict, ClientError> {
        let path = format!("/v1/runs/{}", escaped(token));
        self.ask(Method::POST, &path, Some(&SettleDeferred { outcome }), None)
            .await
    }

    /// Prolongs a deferred run, whose token this is. Refused with 409 if the run is over.
    pub async fn beat_deferred(
        &self,
        token: &str,
        prolong: &BeatDeferred,
    ) -> Result<DeferredVerdict, ClientError> {
        let path = format!("/v1/runs/{}/beat", escaped(token));
        self.ask(Method::POST, &path, Some(prolong), None).await
    }
}
