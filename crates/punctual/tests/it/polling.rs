//! Waiting for what nobody tells of.

use std::time::{Duration, Instant};

/// How long a test waits for what must happen, before it fails instead of hanging.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks at what nobody tells of: a test hardly takes longer for it, and whoever works on it keeps the processor.
const PAUSE: Duration = Duration::from_millis(2);

/// Looks until it is so.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < deadline, "it never came true that {what}");
        tokio::time::sleep(PAUSE).await;
    }
}
