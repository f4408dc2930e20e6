//! Compares everything that two stores hold.

use futures_util::FutureExt;

use super::Told;
use super::play::{Played, Twins, same};
use crate::change::RecordKind;
use crate::error::Error;
use crate::job::JobId;
use crate::queue::Counts;
use crate::store::{Answer, Filter, Head, Page, Store};
use crate::testing::sample::{VIEWS, id};

impl Twins {
    /// Compares the rows, their order in every view, what is overdue, the counts, the records, the schedules and the output.
    pub(super) async fn look(&self) -> Played {
        let ids: Vec<JobId> = self.jobs.iter().map(|job| id(u64::from(*job))).collect();
        same(&ids, self.memory.fetch(&ids), self.store.fetch(&ids)).await?;
        for view in VIEWS {
            let filter = Filter {
                view,
                now: Some(self.now),
                ..Filter::default()
            };
            self.list(&filter, 100).await?;
        }
        let (memory, store) = (counts(&*self.memory), counts(&*self.store));
        same(&"counts", memory, store).await?;
        let now = Some(self.now);
        same(
            &"overdue",
            self.memory.overdue(1_000, now),
            self.store.overdue(1_000, now),
        )
        .await?;
        self.look_at_records().await?;
        self.look_at_schedules().await?;
        self.look_at_output().await
    }

    async fn look_at_records(&self) -> Played {
        let kind = RecordKind::Queue;
        for after in [None, Some("queue-0"), Some("queue-1x")] {
            for limit in [1, 100] {
                let memory = self.memory.records(kind, after, limit);
                let store = self.store.records(kind, after, limit);
                same(&("records", after, limit), memory, store).await?;
            }
        }
        Ok(())
    }

    async fn look_at_output(&self) -> Played {
        for run in &self.runs {
            for from in [0, 100_000, 200_000, 300_000] {
                let (memory, store) = (self.memory.output(*run, from), self.store.output(*run, from));
                same(&("output", run, from), memory, store).await?;
            }
        }
        Ok(())
    }

    /// Compares what a filter lets through. Where a page ends is a store's own business, so that whole lists are compared.
    pub(super) async fn list(&self, filter: &Filter, limit: usize) -> Result<(), Told> {
        let memory = walk(&*self.memory, filter, limit);
        let store = walk(&*self.store, filter, limit);
        same(&(filter, limit), memory, store).await?;
        Ok(())
    }
}

/// Pages that are read of one list: a history has no more jobs than numbers.
const PAGES: usize = 1_000;

fn walk<'a>(store: &'a dyn Store, filter: &'a Filter, limit: usize) -> Answer<'a, Vec<Head>> {
    let walk = async move {
        let mut heads = Vec::new();
        let mut after = None;
        for _ in 0..PAGES {
            let listed = store.list(filter.clone(), Page { limit, after }).await?;
            heads.extend(listed.items);
            after = listed.next;
            if after.is_none() {
                return Ok(heads);
            }
        }
        Err(Error::internal("the list has no end"))
    };
    walk.boxed()
}

/// Jobs by queue and state. How old they are, and how old the oldest one is, follows each store's own clock.
fn counts(store: &dyn Store) -> Answer<'_, Vec<Counts>> {
    let counts = async move {
        let mut queues = store.counts().await?.queues;
        queues.iter_mut().for_each(|counts| counts.oldest_ready = None);
        Ok(queues)
    };
    counts.boxed()
}
