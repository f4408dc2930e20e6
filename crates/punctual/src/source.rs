//! Source: what a worker may ask for. The engine serves it in this process, the client over HTTP; a worker
//! cannot tell them apart.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future;
use futures_util::stream::BoxStream;

use crate::job::JobId;
use crate::run::{Beat, Beaten, Claim, Claimed, RunId, SettleVerdict, Settlement};
use crate::store::Answer;

/// Where a worker's jobs come from, and where its outcomes go.
pub trait Source: Send + Sync + 'static {
    /// Claims due jobs. While there are none, waits for one until `wait` is over: for the next due instant, or a
    /// signal. Dropping the answer may leave jobs claimed that nobody runs: their lease brings them back.
    ///
    /// Where the store's answer was lost, this one is looked up, and may name runs that the worker holds from an earlier
    /// claim beside those that are new. A worker ignores a [`RunId`] that it holds.
    fn claim(&self, claim: Claim, wait: Duration) -> Answer<'_, Claimed>;

    /// One heartbeat.
    fn beat(&self, beat: Beat) -> Answer<'_, Beaten>;

    /// Tells what became of runs, in order. It answers once each stands in the store, or is stale or
    /// refused for good.
    fn settle(&self, settlements: Vec<Settlement>) -> Answer<'_, Vec<SettleVerdict>>;

    /// The token of a run, with which whoever it is [deferred](crate::run::Outcome::Defer) to prolongs and settles it;
    /// nothing from a source that hands out none.
    fn token(&self, _run: RunId) -> Answer<'_, Option<String>> {
        Box::pin(future::ready(Ok(None)))
    }

    /// Adds to a run's live output. Answers whether the run was held; if not, nothing was added, nor will be.
    fn append_output(&self, run: RunId, bytes: Bytes) -> Answer<'_, bool>;

    /// Jobs that are asked to stop, first those that are already, then each as soon as that is known: a hint to beat now, which
    /// tells for sure.
    fn cancels(&self) -> BoxStream<'static, JobId>;
}
