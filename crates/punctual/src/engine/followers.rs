//! Who follows which job's output: hints find them without anybody else being woken.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::error::Error;
use crate::job::JobId;
use crate::limits::FOLLOWERS;

/// All followers of one engine.
#[derive(Clone, Default)]
pub(super) struct Followers(Arc<Mutex<Seats>>);

#[derive(Default)]
struct Seats {
    jobs: BTreeMap<JobId, Bell>,
    taken: usize,
}

#[derive(Default)]
struct Bell {
    rings: watch::Sender<()>,
    followers: usize,
}

impl Bell {
    fn ring(&self) {
        self.rings.send_replace(());
    }
}

impl Followers {
    /// Begins to hear of this job.
    ///
    /// # Errors
    ///
    /// `Unavailable` when [`FOLLOWERS`] follow already.
    pub(super) fn join(&self, id: JobId) -> Result<Seat, Error> {
        let mut seats = self.seats();
        if seats.taken >= FOLLOWERS {
            return Err(Error::unavailable(format!(
                "{FOLLOWERS} follow the output of jobs already; read it without following it"
            )));
        }
        seats.taken += 1;
        let bell = seats.jobs.entry(id).or_default();
        bell.followers += 1;
        let rung = bell.rings.subscribe();
        drop(seats);
        Ok(Seat {
            followers: self.clone(),
            id,
            rung,
        })
    }

    /// There may be news of this job.
    pub(super) fn ring(&self, id: JobId) {
        if let Some(bell) = self.seats().jobs.get(&id) {
            bell.ring();
        }
    }

    /// There may be news of these jobs.
    pub(super) fn ring_each(&self, ids: impl Iterator<Item = JobId>) {
        let seats = self.seats();
        if !seats.jobs.is_empty() {
            ids.filter_map(|id| seats.jobs.get(&id)).for_each(Bell::ring);
        }
    }

    /// There may be news of any job. Answers how many follow.
    pub(super) fn ring_all(&self) -> usize {
        let seats = self.seats();
        seats.jobs.values().for_each(Bell::ring);
        seats.taken
    }

    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one follower, given back when it is dropped.
pub(super) struct Seat {
    followers: Followers,
    id: JobId,
    rung: watch::Receiver<()>,
}

impl Seat {
    /// Waits for a hint that came after the last one heard here.
    pub(super) async fn rung(&mut self) {
        if self.rung.changed().await.is_err() {
            // The bell hangs in the seats as long as anybody listens to it.
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.followers.seats();
        seats.taken -= 1;
        if let Some(bell) = seats.jobs.get_mut(&self.id) {
            bell.followers -= 1;
            if bell.followers == 0 {
                seats.jobs.remove(&self.id);
            }
        }
    }
}
