//! Which of several nodes fires a schedule first.
//!
//! A node is known to the others by the workers that beat through it. For each schedule the living workers stand in another
//! order, by a hash of both, and the node of the first one goes first; each node behind it waits a little longer, and fires if
//! nobody has. A node without workers stands behind all that have some. Where nobody has any, all of them go first: one
//! of them wins each write, and the others lose a read.

use std::time::Duration;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::error::Error;
use crate::limits::{FIRE_RANK, FIRE_RANKS, SETTINGS_AGE};
use crate::run::{WorkerId, WorkerState};
use crate::schedule::ScheduleId;

use super::super::super::Core;

/// The workers that are alive, as far as was known a moment ago.
#[derive(Default)]
pub(super) struct Ranks {
    read_at: Option<Duration>,
    /// Each, and whether it beats through this node.
    workers: Vec<(WorkerId, bool)>,
}

impl Ranks {
    /// How long this node waits for others to fire a schedule.
    pub(super) async fn of(&mut self, core: &Core, schedule: ScheduleId) -> Result<Duration, Error> {
        let uptime = core.clock.uptime();
        let is_fresh = |read_at: Duration| uptime.saturating_sub(read_at) < SETTINGS_AGE;
        if !self.read_at.is_some_and(is_fresh) {
            self.read(core).await?;
            self.read_at = Some(uptime);
        }
        let rank = self.rank(schedule).min(FIRE_RANKS);
        Ok(FIRE_RANK.saturating_mul(u32::try_from(rank).unwrap_or(u32::MAX)))
    }

    async fn read(&mut self, core: &Core) -> Result<(), Error> {
        let seen = core.store.workers().await?;
        let now = core.clock.now();
        let alive = seen
            .into_iter()
            .filter(|seen| seen.state(now) != WorkerState::Silent);
        self.workers = alive
            .map(|seen| {
                let is_ours = core.members.has(&seen.worker.id);
                (seen.worker.id, is_ours)
            })
            .collect();
        Ok(())
    }

    /// How many workers of other nodes stand before all of this node's.
    fn rank(&self, schedule: ScheduleId) -> usize {
        let seed = schedule.0.as_u64_pair().1;
        let place = |id: &WorkerId| xxh3_64_with_seed(id.as_str().as_bytes(), seed);
        let ours = self.workers.iter().filter(|(_, is_ours)| *is_ours);
        let first = ours.map(|(id, _)| place(id)).min();
        let before = self
            .workers
            .iter()
            .filter(|(id, _)| first.is_none_or(|first| place(id) < first));
        before.count()
    }
}
