//! What operators do with queues: look at them, set, pause and empty them.

use std::collections::BTreeMap;

use tracing::Instrument;

use crate::change::{RecordApplied, RecordChange, RecordKind};
use crate::error::Error;
use crate::job::State;
use crate::limits::{BULK_JOBS, CONFLICT_ROUNDS};
use crate::queue::{Counts, QueueName, QueueSettings};
use crate::signals::Signal;
use crate::store::{Cursor, Filter, View};

use super::bulk::{Bulk, BulkVerb};
use super::{Core, Engine};

/// A queue as an operator sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct QueueView {
    /// What it is set to.
    pub settings: QueueSettings,
    /// The version of its settings: 0 where nothing was ever set.
    pub rev: u64,
    /// How many jobs it has.
    pub counts: Counts,
}

/// Which jobs of a queue to delete.
#[derive(Clone, Debug, PartialEq)]
pub struct Purge {
    /// Those in this state, which is not `Running`.
    pub state: State,
    /// Only count them.
    pub dry_run: bool,
    /// Where the last call ended; unset, from the beginning.
    pub after: Option<Cursor>,
}

/// What a purge came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purged {
    /// Jobs of that state.
    pub matched: u64,
    /// Those of them that were deleted.
    pub changed: u64,
    /// Where to go on; unset, when it is through.
    pub next: Option<Cursor>,
}

impl Engine {
    /// The settings of a queue and their version: 0 where nothing was ever set.
    pub async fn queue(&self, name: impl Into<QueueName>) -> Result<(QueueSettings, u64), Error> {
        let name = name.into();
        let span = tracing::debug_span!("queue", queue = %name);
        self.core.queue(&name).instrument(span).await
    }

    /// Every queue that has jobs or was ever set, by name.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the store cannot be read.
    pub async fn queues(&self) -> Result<Vec<QueueView>, Error> {
        let span = tracing::debug_span!("queues");
        self.core.queues().instrument(span).await
    }

    /// Sets a queue, if its settings have the version `expect`, where that is set. Answers their new version. A pause and
    /// limits hold for every claim that begins after this returns.
    ///
    /// # Errors
    ///
    /// `Conflict` if they have another version; `Invalid` if they cannot be, or the queue cannot have this name.
    pub async fn set_queue(
        &self,
        name: impl Into<QueueName>,
        settings: QueueSettings,
        expect: Option<u64>,
    ) -> Result<u64, Error> {
        let name = name.into();
        let span = tracing::debug_span!("set_queue", queue = %name);
        self.core
            .set_queue(&name, &settings, expect)
            .instrument(span)
            .await
    }

    /// As [`set_queue`](Self::set_queue), for some of the settings: `change` is called on what they are, again where somebody
    /// else was quicker. Answers what they are then, and their version.
    ///
    /// ```
    /// # use punctual::Engine;
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let engine = Engine::open("memory:").await?;
    /// let now = engine.now();
    /// engine.change_queue("mail", None, |queue| queue.pause("the printer burns", now)).await?;
    /// engine.change_queue("mail", None, |queue| queue.max_running = Some(3)).await?;
    /// let (settings, _) = engine.queue("mail").await?;
    /// assert_eq!((settings.paused.as_deref(), settings.max_running), (Some("the printer burns"), Some(3)));
    /// # Ok::<(), punctual::Error>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`set_queue`](Self::set_queue).
    pub async fn change_queue(
        &self,
        name: impl Into<QueueName>,
        expect: Option<u64>,
        change: impl Fn(&mut QueueSettings),
    ) -> Result<(QueueSettings, u64), Error> {
        let name = name.into();
        let span = tracing::debug_span!("set_queue", queue = %name);
        self.core
            .change_queue(&name, expect, change)
            .instrument(span)
            .await
    }

    /// Deletes the jobs of a queue that are in one state, or counts them: so many in one call as take some seconds, and the
    /// answer says where to go on. A job that has moved on when its turn comes is left alone.
    ///
    /// # Errors
    ///
    /// `Invalid` for running jobs, which are cancelled first, and if no queue can have this name.
    pub async fn purge(&self, name: impl Into<QueueName>, purge: Purge) -> Result<Purged, Error> {
        let name = name.into();
        let span = tracing::debug_span!("purge", queue = %name, state = %purge.state);
        self.core.purge(&name, purge).instrument(span).await
    }
}

impl Core {
    pub(super) async fn queue(&self, name: &QueueName) -> Result<(QueueSettings, u64), Error> {
        let queues = self.settings.read().await?;
        Ok(queues.get(name).cloned().unwrap_or_default())
    }

    /// Every queue that has jobs or was ever set, by name.
    pub(super) async fn queues(&self) -> Result<Vec<QueueView>, Error> {
        let queues = self.settings.read().await?;
        let counted = self.store.counts().await?;
        let mut views: BTreeMap<QueueName, QueueView> = queues
            .iter()
            .map(|(name, (settings, rev))| {
                let view = QueueView {
                    settings: settings.clone(),
                    rev: *rev,
                    counts: Counts::none(name.clone()),
                };
                (name.clone(), view)
            })
            .collect();
        for counts in counted.queues {
            let view = views.entry(counts.queue.clone()).or_insert_with(|| QueueView {
                settings: QueueSettings::default(),
                rev: 0,
                counts: Counts::none(counts.queue.clone()),
            });
            view.counts = counts;
        }
        Ok(views.into_values().collect())
    }

    /// Sets a queue, if its settings are still at the version `expect`, or whatever they are if that is unset.
    async fn set_queue(
        &self,
        name: &QueueName,
        settings: &QueueSettings,
        expect: Option<u64>,
    ) -> Result<u64, Error> {
        name.check()?;
        self.check_open()?;
        // What they were need not be read where the store compares their version.
        if let Some(rev) = expect
            && self.write_queue(name, settings, rev).await?
        {
            return Ok(rev + 1);
        }
        let set = |there: &mut QueueSettings| there.clone_from(settings);
        let (_, rev) = self.change_queue(name, expect, set).await?;
        Ok(rev)
    }

    /// Changes what a queue is set to, if its settings are still at the version `expect`, or whatever they are if that is
    /// unset. Answers what they are then.
    pub(super) async fn change_queue(
        &self,
        name: &QueueName,
        expect: Option<u64>,
        change: impl Fn(&mut QueueSettings),
    ) -> Result<(QueueSettings, u64), Error> {
        name.check()?;
        self.check_open()?;
        let (mut settings, mut rev) = self.queue(name).await?;
        for _ in 0..CONFLICT_ROUNDS {
            if let Some(expect) = expect.filter(|expect| *expect != rev) {
                let message = format!(
                    "the settings of queue {name} are at version {rev}, not {expect}; look at them again"
                );
                return Err(Error::moved_on(message, rev));
            }
            change(&mut settings);
            if self.write_queue(name, &settings, rev).await? {
                return Ok((settings, rev + 1));
            }
            (settings, rev) = self.queue(name).await?;
        }
        Err(Error::conflict(format!(
            "the settings of queue {name} changed {CONFLICT_ROUNDS} times meanwhile; try again"
        )))
    }

    /// Writes the settings if they are still at this version. Answers whether they were.
    async fn write_queue(&self, name: &QueueName, settings: &QueueSettings, rev: u64) -> Result<bool, Error> {
        let change = RecordChange {
            kind: RecordKind::Queue,
            name: name.to_string(),
            expect: rev,
            becomes: Some(settings.to_json()),
        };
        let applied = self.store.change_records(&[change]).await?;
        match applied.into_iter().next() {
            Some(RecordApplied::Applied) => {}
            Some(RecordApplied::Stale(_)) => return Ok(false),
            None => return Err(Error::internal("the store did not answer for every record")),
        }
        // A pause or a limit may have been lifted, and whoever decides now is to know of it.
        let now = self.clock.now();
        self.store.signals().send(&[Signal::Due(name.clone(), now)]);
        if let Err(error) = self.settings.read().await {
            tracing::warn!(%error, queue = %name, "what was set is not known here yet; it is read again soon");
        }
        Ok(true)
    }

    /// Deletes, or counts, up to [`BULK_JOBS`] jobs. What has moved on meanwhile is left alone.
    pub(super) async fn purge(&self, name: &QueueName, purge: Purge) -> Result<Purged, Error> {
        name.check()?;
        let view = match purge.state {
            State::Waiting => View::Waiting,
            State::Running => {
                let accepted = "running jobs cannot be purged: cancel them, and purge the cancelled ones";
                return Err(Error::invalid_field("/state", accepted));
            }
            ended => View::Ended(Some(ended)),
        };
        self.check_open()?;
        let bulk = Bulk {
            verb: BulkVerb::Delete,
            filter: Filter {
                view,
                queue: Some(name.clone()),
                ..Filter::default()
            },
            after: purge.after,
            limit: BULK_JOBS,
            dry_run: purge.dry_run,
        };
        let done = self.bulk(&bulk).await?;
        let count = |jobs: usize| u64::try_from(jobs).unwrap_or(u64::MAX);
        Ok(Purged {
            matched: count(done.matched),
            changed: count(done.changed),
            next: done.next,
        })
    }
}
