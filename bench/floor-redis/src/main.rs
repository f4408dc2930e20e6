//! The floor: the least Lua that could do the same work on Redis, with the same durability.
//!
//! One script inserts for all who wait, and whoever comes while it is on its way shares the next one. One script claims a batch
//! while another completes the batch before. A job has a name of its own, by which it can be sent again and asked for, a queue, a
//! kind, a due instant and a priority; a claim has a lease; finished jobs stay and can be found by their end (or are deleted, in
//! that class): without these nothing could be acknowledged, claimed in order, taken back from the dead, or pruned. Nothing
//! else is here: no attempts, no unique keys, no fences, no results, no retries, no errors.

use std::sync::Arc;

use protocol::{Error, Job, OnStart, Request, System};
use tokio::sync::{Notify, mpsc, oneshot};

use crate::{
    store::Store,
    writer::{Insert, Writer},
};

mod store;
mod worker;
mod writer;

fn main() -> Result<(), Error> {
    protocol::run::<Floor>()
}

struct Floor {
    request: Request,
    inserts: mpsc::UnboundedSender<Insert>,
    /// Rung for every script of a writer, here or in another process.
    committed: Arc<Notify>,
    /// For everything that neither writes jobs nor works.
    store: Store,
}

impl System for Floor {
    fn unsupported(_: &Request) -> Option<String> {
        None
    }

    async fn open(request: &Request) -> Result<Self, Error> {
        let store = Store::open(&request.store).await?;
        let committed = Arc::new(Notify::new());
        store::listen(&request.store, committed.clone()).await?;
        let inserts = Writer::start(store.clone(), committed.clone());
        Ok(Self {
            request: request.clone(),
            inserts,
            committed,
            store,
        })
    }

    async fn is_durable(&self) -> Result<bool, Error> {
        self.store.is_durable().await
    }

    async fn enqueue(&self, job: Job) -> Result<(), Error> {
        self.enqueue_all(vec![job]).await
    }

    async fn enqueue_all(&self, jobs: Vec<Job>) -> Result<(), Error> {
        let (answer, answered) = oneshot::channel();
        self.inserts.send(Insert { jobs, answer })?;
        answered.await?
    }

    async fn work(&self, on_start: OnStart) -> Result<(), Error> {
        worker::work(&self.store, &self.request, &self.committed, &on_start).await
    }

    async fn is_drained(&self) -> Result<bool, Error> {
        self.store.is_drained().await
    }

    async fn claim(&self, most: usize) -> Result<Option<usize>, Error> {
        Ok(Some(self.store.claim(most).await?.len()))
    }

    async fn close(&self) -> Result<(), Error> {
        Ok(())
    }
}
