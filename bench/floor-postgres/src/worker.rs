//! Claim a batch while the one before is completed; sleep when nothing is due.

use futures_util::future::try_join;
use protocol::{Error, OnStart, Payload, Request};
use tokio::{sync::Notify, time::timeout};

use crate::store::Store;

/// Works until something fails.
pub(crate) async fn work(
    claims: &Store,
    settles: &Store,
    request: &Request,
    committed: &Notify,
    on_start: &OnStart,
) -> Result<(), Error> {
    let mut done = Vec::new();
    loop {
        let (jobs, ()) = try_join(
            claims.claim(request.batch),
            settles.complete(&done, request.delete),
        )
        .await?;
        for job in &jobs {
            on_start(serde_json::from_slice::<Payload>(&job.payload)?.number);
        }
        done = jobs;
        if !done.is_empty() {
            continue;
        }
        match claims.until_due().await? {
            // Whether it was the bell or the time makes no difference.
            Some(length) => drop(timeout(length, committed.notified()).await),
            None => committed.notified().await,
        }
    }
}
