//! Tells whoever waits for an answer that it is slow to come.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use super::way::Way;

/// Who is told, if anybody is.
#[derive(Clone, Default)]
pub(super) struct Slow(Option<Told>);

#[derive(Clone)]
struct Told {
    after: Duration,
    tell: Arc<dyn Fn(&str) + Send + Sync>,
}

impl Slow {
    pub(super) fn told(after: Duration, tell: impl Fn(&str) + Send + Sync + 'static) -> Slow {
        let tell = Arc::new(tell);
        Slow(Some(Told { after, tell }))
    }

    /// The answer, which may be expected to take so long.
    pub(super) async fn watch<T>(&self, expected: Duration, way: &Way, answer: impl Future<Output = T>) -> T {
        let Some(Told { after, tell }) = &self.0 else {
            return answer.await;
        };
        let mut answer = pin!(answer);
        match tokio::time::timeout(expected + *after, &mut answer).await {
            Ok(answer) => answer,
            Err(_) => {
                tell(&way.address());
                answer.await
            }
        }
    }
}

impl fmt::Debug for Slow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let after = self.0.as_ref().map(|told| told.after);
        f.debug_tuple("Slow").field(&after).finish()
    }
}
