//! The settings of all queues, as an engine remembers them for a few seconds.
//!
//! They serve decisions for which a few seconds do not matter: how long to keep what ends now, and whether an end frees
//! a place under a limit. A claim reads the store's own record.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::change::{Record, RecordKind};
use crate::clock::Clock;
use crate::error::Error;
use crate::limits::{PAGE_ITEMS, SETTINGS_AGE, SETTINGS_PAGES};
use crate::queue::{QueueName, QueueSettings, Retention};
use crate::store::Store;

/// Settings and `rev` by queue.
pub(super) type ByQueue = BTreeMap<QueueName, (QueueSettings, u64)>;

/// What the queues are set to.
pub(super) struct Settings {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    known: Mutex<Option<Known>>,
    /// Held by whoever reads them anew, so that one does.
    reading: tokio::sync::Mutex<()>,
}

struct Known {
    read_at: Duration,
    queues: Arc<ByQueue>,
}

impl Settings {
    pub(super) fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Settings {
        Settings {
            store,
            clock,
            known: Mutex::new(None),
            reading: tokio::sync::Mutex::new(()),
        }
    }

    /// The settings of all queues, at most [`SETTINGS_AGE`] old unless the store cannot be read.
    pub(super) async fn known(&self) -> Result<Arc<ByQueue>, Error> {
        let (old, fresh) = self.look();
        match (old, fresh) {
            (Some(queues), true) => Ok(queues),
            // Others need not wait for the one that reads, nor fail with it.
            (Some(queues), false) => match self.reading.try_lock() {
                Ok(_reading) => Ok(self.read().await.unwrap_or_else(|error| {
                    tracing::warn!(%error, "queue settings cannot be read; the last known ones stay in force");
                    queues
                })),
                Err(_) => Ok(queues),
            },
            (None, _) => {
                let _reading = self.reading.lock().await;
                match self.look() {
                    (Some(queues), _) => Ok(queues),
                    (None, _) => self.read().await,
                }
            }
        }
    }

    /// Reads the settings of all queues from the store.
    pub(super) async fn read(&self) -> Result<Arc<ByQueue>, Error> {
        let read_at = self.clock.uptime();
        let mut queues = ByQueue::new();
        let mut after: Option<String> = None;
        for _ in 0..SETTINGS_PAGES {
            let page = self
                .store
                .records(RecordKind::Queue, after.as_deref(), PAGE_ITEMS)
                .await?;
            let ended = page.len() < PAGE_ITEMS;
            after = page.last().map(|record| record.name.clone());
            queues.extend(page.into_iter().map(|record| self.understand(record)));
            if ended {
                break;
            }
        }
        let queues = Arc::new(queues);
        let known = Known {
            read_at,
            queues: Arc::clone(&queues),
        };
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
        Ok(queues)
    }

    /// The settings that a record holds, or those of a queue whose settings cannot be read. That is reported once for each
    /// version of them.
    fn understand(&self, record: Record) -> (QueueName, (QueueSettings, u64)) {
        let name = QueueName::from(record.name);
        let settings = QueueSettings::from_json(&record.document).unwrap_or_else(|error| {
            let (known, _) = self.look();
            let known = known.and_then(|queues| queues.get(&name).map(|(_, rev)| *rev));
            if known != Some(record.rev) {
                tracing::error!(
                    queue = %name, %error,
                    "the settings of a queue cannot be read: it stands still and keeps what has ended, until it is set anew"
                );
            }
            QueueSettings::unreadable()
        });
        (name, (settings, record.rev))
    }

    fn look(&self) -> (Option<Arc<ByQueue>>, bool) {
        match &*self.known.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(known) => {
                let age = self.clock.uptime().saturating_sub(known.read_at);
                (Some(Arc::clone(&known.queues)), age < SETTINGS_AGE)
            }
            None => (None, false),
        }
    }
}

/// How long ended jobs of `queue` are kept, `unset` where it does not say.
pub(super) fn retention_of(queues: &ByQueue, queue: &QueueName, unset: Retention) -> Retention {
    let settings = queues.get(queue).map(|(settings, _)| settings);
    settings.and_then(|settings| settings.retention).unwrap_or(unset)
}

/// Whether a place in `queue` that becomes free lets another job start.
pub(super) fn is_limited(queues: &ByQueue, queue: &QueueName) -> bool {
    queues
        .get(queue)
        .is_some_and(|(settings, _)| settings.max_running.is_some())
}
