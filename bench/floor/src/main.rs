//! The floor: the least SQL that could do the same work on SQLite, with the same durability.
//!
//! One thread writes what callers bring, and all who came while it waited for the disk share the next
//! commit. One thread works: claim a batch, commit, run it, complete the batch, commit. A job has a name of its own, by
//! which it can be sent again and asked for, a queue, a kind, a due instant and a priority; a claim has a lease; finished jobs
//! stay and can be found by their end (or are deleted, in that class): without these nothing could be acknowledged, claimed in
//! order, taken back from the dead, or pruned. Nothing else is here: no attempts, no unique keys, no fences, no results, no
//! retries, no errors.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};

use protocol::{Error, Job, OnStart, Request, SQLITE_FULL, System};
use tokio::{sync::oneshot, task::spawn_blocking};

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
    inserts: mpsc::Sender<Insert>,
    /// Told of every commit of the writer.
    committed: Arc<worker::Bell>,
    /// For everything that neither writes jobs nor works.
    store: Mutex<Store>,
}

impl System for Floor {
    fn unsupported(_: &Request) -> Option<String> {
        None
    }

    async fn open(request: &Request) -> Result<Self, Error> {
        let committed = Arc::new(worker::Bell::default());
        let inserts = Writer::start(Store::open(request.file())?, committed.clone());
        let store = Mutex::new(Store::open(request.file())?);
        Ok(Self {
            request: request.clone(),
            inserts,
            committed,
            store,
        })
    }

    async fn is_durable(&self) -> Result<bool, Error> {
        Ok(self.store().synchronous()? >= SQLITE_FULL)
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
        let store = Store::open(self.request.file())?;
        let (request, committed) = (self.request.clone(), self.committed.clone());
        spawn_blocking(move || worker::work(store, &request, &committed, &on_start)).await?
    }

    async fn is_drained(&self) -> Result<bool, Error> {
        self.store().is_drained()
    }

    async fn claim(&self, most: usize) -> Result<Option<usize>, Error> {
        Ok(Some(self.store().claim(most)?.len()))
    }

    async fn close(&self) -> Result<(), Error> {
        self.store().checkpoint()
    }
}

impl Floor {
    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
