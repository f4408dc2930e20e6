//! Who works, and how many jobs each worker holds: by the jobs' rows, since a worker tells it only as often as it beats,
//! and one that was killed tells nothing any more.

use std::collections::{BTreeMap, BTreeSet};

use super::Core;
use crate::error::Error;
use crate::limits::{HELD_PAGES, PAGE_ITEMS};
use crate::run::{WorkerId, WorkerSeen};
use crate::store::{Filter, Page, View};

impl Core {
    /// The workers that are there. Where more runs are under way than are counted, what each worker told stands.
    pub(super) async fn workers(&self) -> Result<Vec<WorkerSeen>, Error> {
        let mut workers = self.store.workers().await?;
        if !workers.is_empty()
            && let Some(held) = self.held().await?
        {
            for seen in &mut workers {
                seen.worker.running = held.get(&seen.worker.id).copied().unwrap_or(0);
            }
        }
        Ok(workers)
    }

    /// How many runs each worker holds; nothing if there are too many to count.
    async fn held(&self) -> Result<Option<BTreeMap<WorkerId, u32>>, Error> {
        let filter = Filter {
            view: View::Running,
            ..Filter::default()
        };
        let mut held = BTreeMap::new();
        // A beat moves a run to a later page, where it is not to be counted once more.
        let mut counted = BTreeSet::new();
        let mut after = None;
        for _ in 0..HELD_PAGES {
            let page = Page {
                limit: PAGE_ITEMS,
                after,
            };
            let listed = self.store.list(filter.clone(), page).await?;
            for head in listed.items.into_iter().filter(|head| !head.deferred) {
                if let Some(worker) = head.worker
                    && counted.insert(head.id)
                {
                    *held.entry(worker).or_insert(0) += 1;
                }
            }
            after = listed.next;
            if after.is_none() {
                return Ok(Some(held));
            }
        }
        Ok(None)
    }
}
