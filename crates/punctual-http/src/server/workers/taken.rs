//! Jobs that were claimed for somebody far, until they are on their way.

use punctual::engine::Engine;
use punctual::job::Job;
use punctual::run::{Outcome, Release, RunId, Settlement};
use punctual::source::Source;
use tokio::runtime::Handle;

use crate::limits::{CLAIM_BYTES, SETTLE_DEADLINE};
use crate::server::Rooms;

/// Claimed jobs. Unless they are handed over, they are put back as this is dropped: nobody would run them until their leases
/// are over.
pub(in crate::server) struct Taken {
    rooms: Rooms,
    jobs: Vec<Job>,
}

impl Taken {
    pub(super) fn new(rooms: Rooms, jobs: Vec<Job>) -> Taken {
        Taken { rooms, jobs }
    }

    pub(super) fn jobs(&self) -> &[Job] {
        &self.jobs
    }

    /// Puts back what would make the answer too long; the first job always stays.
    pub(super) fn keep_what_fits(&mut self) {
        let mut bytes = 0;
        let fits = |job: &&Job| {
            bytes += job.body.payload.len();
            bytes <= CLAIM_BYTES
        };
        let kept = self.jobs.iter().take_while(fits).count().max(1);
        if kept < self.jobs.len() {
            let rest = self.jobs.split_off(kept);
            drop(Taken::new(self.rooms.clone(), rest));
        }
    }

    /// They are on their way.
    pub(in crate::server) fn hand_over(mut self) {
        self.jobs.clear();
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if self.jobs.is_empty() {
            return;
        }
        // Without a runtime the process is ending, and the leases bring the jobs back.
        if let Ok(runtime) = Handle::try_current() {
            let jobs = std::mem::take(&mut self.jobs);
            let putting_back = put_back(self.rooms.engine.clone(), jobs);
            self.rooms.tasks.spawn_on(putting_back, &runtime);
        }
    }
}

async fn put_back(engine: Engine, jobs: Vec<Job>) {
    let count = jobs.len();
    let settlement = |job: Job| Settlement {
        id: RunId {
            job: job.id(),
            run: job.status.run,
        },
        outcome: Outcome::Release(Release::Unstarted),
        claimed: Some(job),
    };
    let settling = engine.settle(jobs.into_iter().map(settlement).collect());
    match tokio::time::timeout(SETTLE_DEADLINE, settling).await {
        Ok(Ok(_)) => tracing::debug!(count, "claimed jobs that nobody was there to take were put back"),
        _ => tracing::warn!(
            count,
            "claimed jobs that nobody was there to take could not be put back; their leases bring them back"
        ),
    }
}
