//! Opening the store that a URL names.

use std::sync::Arc;

use crate::clock::Clock;
use crate::error::Error;
use crate::store::Store;
use crate::store::memory::MemoryStore;

/// Opens the store that `url` names: `memory:` for one that ends with the process.
///
/// # Errors
///
/// `Invalid` if `url` names no store that this build knows.
pub async fn open(url: &str, clock: Arc<dyn Clock>) -> Result<Arc<dyn Store>, Error> {
    match url {
        "memory:" => Ok(Arc::new(MemoryStore::new(clock))),
        _ => Err(Error::invalid(format!("{url:?} names no store; try memory:"))),
    }
}
