//! Every store does what the seam says.

use std::sync::Arc;

use punctual::store::Store;
use punctual::store::memory::MemoryStore;
use punctual::testing::conformance;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_memory_store_conforms() {
    conformance::run(async || Arc::new(MemoryStore::default()) as Arc<dyn Store>).await;
}
