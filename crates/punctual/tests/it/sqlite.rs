//! What is the SQLite store's own: its file, its processes, its log. What every store does, `conformance` tells.

use std::sync::Arc;

use punctual::store::Store;
use punctual::store::sqlite::{SqliteOptions, SqliteStore};

#[cfg(feature = "testing")]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_sqlite_store_conforms() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let number = std::sync::atomic::AtomicUsize::new(0);
    punctual::testing::conformance::run(async || {
        let number = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = folder.path().join(format!("{number}.db"));
        let store = SqliteStore::open(path, SqliteOptions::default()).await;
        Arc::new(store.expect("a new file opens")) as Arc<dyn Store>
    })
    .await;
}
