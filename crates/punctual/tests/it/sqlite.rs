//! What is the SQLite store's own: its file, its processes, its log. What every store does, `conformance` tells.

mod child;
mod file;
mod log;
mod place;
mod plan;
mod shortage;
mod transaction;
mod trouble;
mod unreadable;

use std::path::Path;
use std::sync::Arc;

use punctual::job::State;
use punctual::store::Store;
use punctual::store::sqlite::{SqliteOptions, SqliteStore};

use crate::polling::{PATIENCE, until};
use crate::rows::{claim, insert, is_there, job, job_of, success};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_sqlite_store_conforms() {
    let folder = folder();
    let number = std::sync::atomic::AtomicUsize::new(0);
    punctual::testing::conformance::run(async || {
        let number = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = folder.path().join(format!("{number}.db"));
        Arc::new(open(&path).await) as Arc<dyn Store>
    })
    .await;
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder for the test")
}

async fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path, SqliteOptions::default())
        .await
        .expect("the file opens")
}

/// How many jobs of the default queue are in this state.
async fn count(store: &SqliteStore, state: State) -> u64 {
    let counted = store.counts().await.expect("the store counts");
    counted
        .queues
        .iter()
        .map(|queue| queue.jobs[state as usize])
        .sum()
}

/// A connection of the test's own.
fn connect(path: &Path) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(path).expect("the file opens");
    connection.busy_timeout(PATIENCE).expect("a connection can wait");
    connection
}

async fn within_patience<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .expect("it happens within the test's patience")
}
