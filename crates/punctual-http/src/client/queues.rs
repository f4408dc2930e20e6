//! What the client asks about queues.

use http::Method;

use super::{Client, ClientError, NOTHING, cursor_query, escaped};
use crate::wire::{List, Pause, Purge, Purged, Queue, QueueLimits};

impl Client {
    /// One page of queues, by name; `cursor` is `next` of the page before.
    pub async fn queues(&self, cursor: Option<&str>) -> Result<List<Queue>, ClientError> {
        let path = format!("/v1/queues?limit=1000{}", cursor_query(cursor));
        self.ask(Method::GET, &path, NOTHING, None).await
    }

    /// One queue.
    pub async fn queue(&self, name: &str) -> Result<Queue, ClientError> {
        self.ask(Method::GET, &queue_path(name, ""), NOTHING, None).await
    }

    /// Sets the limits of a queue, all of them; those that are unset are lifted. With `expect`, only if its settings are at
    /// that version, [`Queue::rev`]; else it is refused with 412.
    pub async fn limit_queue(
        &self,
        name: &str,
        limits: &QueueLimits,
        expect: Option<u64>,
    ) -> Result<Queue, ClientError> {
        self.change(Method::PUT, &queue_path(name, ""), Some(limits), expect)
            .await
    }

    /// Pauses a queue, for this reason, which may be empty: no run of its jobs begins once this is answered.
    pub async fn pause_queue(&self, name: &str, reason: &str) -> Result<Queue, ClientError> {
        let pause = Pause {
            reason: reason.to_owned(),
        };
        self.ask(Method::POST, &queue_path(name, "/pause"), Some(&pause), None)
            .await
    }

    /// Ends the pause of a queue.
    pub async fn resume_queue(&self, name: &str) -> Result<Queue, ClientError> {
        self.ask(Method::POST, &queue_path(name, "/resume"), NOTHING, None)
            .await
    }

    /// Deletes the waiting jobs of a queue, or those of another state, or counts them. While [`Purged::next`] is set, there
    /// is more: ask again with it as the cursor.
    pub async fn purge_queue(&self, name: &str, purge: &Purge) -> Result<Purged, ClientError> {
        self.ask(Method::POST, &queue_path(name, "/purge"), Some(purge), None)
            .await
    }
}

fn queue_path(name: &str, rest: &str) -> String {
    format!("/v1/queues/{}{rest}", escaped(name))
}
