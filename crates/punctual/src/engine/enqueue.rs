//! Enqueueing: admission, the lane, and what to do about a unique key that is held.

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};

use crate::change::{Applied, Holder, Inserted};
use crate::error::{Error, Kind};
use crate::job::{Job, JobId, NewJob, OnConflict};
use crate::limits::{CONFLICT_ROUNDS, HOLDER_LINES, SIDE_FLUSHES};
use crate::queue::QueueName;
use crate::rules::admit::{self, Admitted, Conflict, Folded};
use crate::time::Timestamp;

use super::Core;
use super::handle::How;
use super::lane::Tell;
use super::settle::tell_of;

/// A job that was asked for and is there.
pub(super) type Placed = (Job, How);

impl Core {
    pub(super) async fn enqueue(&self, job: NewJob) -> Result<Placed, Error> {
        let admitted = self.admit(job)?;
        self.place(admitted, None).await
    }

    /// Enqueues a batch: in the lane as one bulk caller, and what meets a held key after that. A job that was refused
    /// stands for nobody else: those that it was to stand for are then placed by themselves.
    pub(super) async fn enqueue_all(&self, jobs: Vec<NewJob>) -> Vec<Result<Placed, Error>> {
        let asked: Vec<Result<Admitted, Error>> = jobs.into_iter().map(|job| self.admit(job)).collect();
        let admitted: Vec<Admitted> = asked.iter().flatten().cloned().collect();
        let Folded { distinct, place } = admit::fold(admitted.clone());
        let ids: Vec<JobId> = distinct.iter().map(|new| new.job.id()).collect();
        let placed = self.place_all(distinct).await;
        let alone: Vec<Admitted> = admitted
            .into_iter()
            .zip(&place)
            .filter(|(new, stands)| is_left_alone(new, ids[**stands], &placed[**stands]))
            .map(|(new, _)| new)
            .collect();
        let alone = self.place_all(alone).await;
        unfold(asked, &place, &ids, &placed, alone)
    }

    async fn place_all(&self, jobs: Vec<Admitted>) -> Vec<Result<Placed, Error>> {
        let inserts = jobs
            .iter()
            .map(|new| (new.job.clone(), tell_due(&new.job)))
            .collect();
        let inserted = self.inserts.submit_all(inserts).await;
        stream::iter(jobs.into_iter().zip(inserted))
            .map(|(new, inserted)| async { self.place(new, Some(inserted?)).await })
            .buffered(SIDE_FLUSHES)
            .collect()
            .await
    }

    fn admit(&self, job: NewJob) -> Result<Admitted, Error> {
        let fresh_id = job.id.unwrap_or_else(|| JobId(self.clock.fresh_id()));
        admit::admit(job, fresh_id, &self.moment_with(self.defaults.retention))
    }

    async fn insert(&self, job: &Job) -> Result<Inserted, Error> {
        self.inserts.submit(job.clone(), tell_due(job)).await
    }

    /// Inserts a job, and again where a held key came free. Answers the job that stands for it. `first`: what its first
    /// insert came to, where there was one already.
    async fn place(&self, new: Admitted, mut first: Option<Inserted>) -> Result<Placed, Error> {
        for _ in 0..CONFLICT_ROUNDS {
            let inserted = match first.take() {
                Some(inserted) => inserted,
                None => self.insert(&new.job).await?,
            };
            let placed = match inserted {
                Inserted::Inserted => {
                    self.counters.enqueued();
                    return Ok((new.job, How::Inserted));
                }
                Inserted::Exists { same: false } => {
                    return Err(Error::conflict(format!(
                        "there is another job with the id {}",
                        new.job.id()
                    )));
                }
                Inserted::Exists { same: true } => {
                    self.read(new.job.id()).await?.map(|row| (row, How::Existed))
                }
                Inserted::Held(holder) => self.meet(&new, holder).await?,
            };
            if let Some(placed) = placed {
                self.counters.deduplicated();
                return Ok(placed);
            }
        }
        Err(Error::conflict(format!(
            "the job that holds the unique key {} changed {CONFLICT_ROUNDS} times while it was looked at",
            key_of(&new.job)
        )))
    }

    /// Settles with the job that holds the key of `new`. Nothing: it holds it no longer, or moved on.
    pub(super) async fn meet(&self, new: &Admitted, holder: Holder) -> Result<Option<Placed>, Error> {
        let edits = matches!(new.on_conflict, OnConflict::Replace | OnConflict::Debounce);
        let _turn = match edits {
            true => Some(self.line_of(holder.id).lock().await),
            false => None,
        };
        let Some(row) = self.read(holder.id).await? else {
            return Ok(None);
        };
        let now = self.clock.now();
        match admit::conflict(new, &row, now) {
            Conflict::Gone => Ok(None),
            Conflict::Existing => Ok(Some((row, How::Deduplicated))),
            Conflict::Reject => Err(Error::conflict(format!(
                "the unique key {} is held by job {}",
                key_of(&new.job),
                row.id()
            ))),
            Conflict::Evict(change) => {
                // Whether it was done or somebody was faster, the insert will tell.
                self.changes.submit(change, Tell::default()).await?;
                Ok(None)
            }
            Conflict::Edit(change) => {
                let tell = tell_of(&row, &change, false, now);
                let edited = super::operate::changed(&row, &change);
                match self.changes.submit(change, tell).await? {
                    Applied::Applied => Ok(edited.map(|job| (job, How::Deduplicated))),
                    Applied::Stale(_) | Applied::Missing | Applied::Held(_) => Ok(None),
                }
            }
        }
    }

    /// Where those who edit this holder stand in line.
    fn line_of(&self, holder: JobId) -> &tokio::sync::Mutex<()> {
        let [.., last] = *holder.0.as_bytes();
        &self.holders[usize::from(last) % HOLDER_LINES]
    }

    pub(super) async fn read(&self, id: JobId) -> Result<Option<Job>, Error> {
        let rows = self.store.fetch(&[id]).await?;
        Ok(rows.into_iter().next().flatten())
    }
}

/// Whether the job that was to stand for `new` cannot, for a reason that need not be one for `new`. A store that cannot
/// be written to is one for both.
fn is_left_alone(new: &Admitted, stands: JobId, placed: &Result<Placed, Error>) -> bool {
    let refused = placed
        .as_ref()
        .is_err_and(|error| error.kind() != Kind::Unavailable);
    refused && new.job.id() != stands
}

/// Gives each job that was asked for its own answer in `alone`, or that of the one in `placed` that stood for it.
fn unfold(
    asked: Vec<Result<Admitted, Error>>,
    place: &[usize],
    ids: &[JobId],
    placed: &[Result<Placed, Error>],
    alone: Vec<Result<Placed, Error>>,
) -> Vec<Result<Placed, Error>> {
    let mut place = place.iter();
    let mut alone = alone.into_iter();
    let mut first: BTreeMap<usize, JobId> = BTreeMap::new();
    asked
        .into_iter()
        .map(|ask| {
            let new = ask?;
            let id = new.job.id();
            let stands = *place.next().expect("every admitted job has a place");
            let came_first = *first.entry(stands).or_insert(id) == id;
            if is_left_alone(&new, ids[stands], &placed[stands]) {
                return alone.next().expect("every job that was left alone was placed");
            }
            let (row, how) = placed[stands].clone()?;
            if row.id() == id {
                return Ok((row, how));
            }
            let was_held = !came_first || how == How::Deduplicated;
            if was_held && new.on_conflict == OnConflict::Reject {
                return Err(Error::conflict(format!(
                    "the unique key {} is held by job {}",
                    key_of(&row),
                    row.id()
                )));
            }
            Ok((row, How::Deduplicated))
        })
        .collect()
}

/// When which queue has work, where this job waits.
pub(super) fn due_of(job: &Job) -> (QueueName, Timestamp) {
    (job.body.queue.clone(), job.status.due)
}

fn tell_due(job: &Job) -> Tell {
    Tell {
        due: vec![due_of(job)],
        job: None,
    }
}

fn key_of(job: &Job) -> &str {
    job.body.unique_key.as_deref().unwrap_or_default()
}
