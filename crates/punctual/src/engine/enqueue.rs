//! Enqueueing: admission, the lane, and what to do about a unique key that is held.

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};

use crate::change::{Applied, Holder, Inserted};
use crate::error::{Error, Kind};
use crate::job::{Job, JobId, NewJob, OnConflict};
use crate::limits::{CONFLICT_ROUNDS, HOLDER_LINES, SIDE_FLUSHES};
use crate::rules::admit::{self, Admitted, Conflict};

use super::Core;
use super::handle::How;
use super::settle::tell_of;
use super::writes::Tell;

/// A job that was asked for and is there.
pub(super) type Placed = (Job, How);

impl Core {
    pub(super) async fn enqueue(&self, job: NewJob) -> Result<Placed, Error> {
        let admitted = self.admit(job)?;
        self.place(admitted, None).await
    }

    /// Enqueues a batch, in the lane as one bulk caller.
    pub(super) async fn enqueue_all<O>(&self, jobs: Vec<NewJob<O>>) -> Vec<Result<Placed, Error>> {
        if jobs.iter().all(|job| job.unique.is_none()) {
            return self.enqueue_keyless(jobs).await;
        }
        let count = jobs.len();
        let mut batch = Vec::with_capacity(count);
        let mut refused = Vec::new();
        for (place, job) in jobs.into_iter().enumerate() {
            match self.admit(job.untyped()) {
                Ok(new) => batch.push(new),
                Err(error) => refused.push((place, error)),
            }
        }
        let mut admitted = self.place_batch(&batch).await.into_iter();
        let mut refused = refused.into_iter().peekable();
        (0..count)
            .map(|place| match refused.next_if(|(of, _)| *of == place) {
                Some((_, error)) => Err(error),
                None => admitted.next().expect("every admitted job was placed"),
            })
            .collect()
    }

    /// Enqueues jobs that cannot be folded, for they have no unique keys, each moved from hand to hand as seldom as can
    /// be: of a bulk insert a third is the moving of rows.
    async fn enqueue_keyless<O>(&self, jobs: Vec<NewJob<O>>) -> Vec<Result<Placed, Error>> {
        let mut admitted = Vec::with_capacity(jobs.len());
        let inserts = jobs.into_iter().filter_map(|job| {
            let new = self.admit(job.untyped());
            let insert = new.as_ref().ok().map(|new| (new.job.clone(), ()));
            admitted.push(new);
            insert
        });
        let inserted = self.inserts.submit_all(inserts).await;
        self.place_inserted(admitted, inserted).await
    }

    /// Places those of a batch that stand for themselves, and gives each of the others the answer of the one that
    /// stands for it.
    async fn place_batch(&self, batch: &[Admitted]) -> Vec<Result<Placed, Error>> {
        let stands = admit::fold(batch);
        let (own, folded): (Vec<usize>, Vec<usize>) = (0..batch.len()).partition(|at| stands[*at] == *at);
        let placed = self.place_all(batch, &own).await;
        if folded.is_empty() {
            return placed;
        }
        let mut placed: BTreeMap<usize, Result<Placed, Error>> = own.into_iter().zip(placed).collect();
        let is_alone = |at: &usize| is_left_alone(&batch[*at], &batch[stands[*at]], &placed[&stands[*at]]);
        let alone: Vec<usize> = folded.into_iter().filter(is_alone).collect();
        let placed_alone = self.place_all(batch, &alone).await;
        placed.extend(alone.into_iter().zip(placed_alone));
        let mut first: BTreeMap<usize, JobId> = BTreeMap::new();
        (0..batch.len())
            .map(|at| {
                let new = &batch[at];
                let came_first = *first.entry(stands[at]).or_insert(new.job.id()) == new.job.id();
                match placed.get(&at) {
                    Some(own) => own.clone(),
                    None => share(new, placed[&stands[at]].clone()?, came_first),
                }
            })
            .collect()
    }

    /// Places those of a batch that are at `places`.
    async fn place_all(&self, batch: &[Admitted], places: &[usize]) -> Vec<Result<Placed, Error>> {
        let inserts = places.iter().copied().map(|at| (batch[at].job.clone(), ()));
        let inserted = self.inserts.submit_all(inserts).await;
        let admitted = places.iter().map(|at| Ok(batch[*at].clone())).collect();
        self.place_inserted(admitted, inserted).await
    }

    /// Places what was admitted, as the answers to its inserts ask for. What was inserted at once, as most is, needs
    /// nothing more.
    async fn place_inserted(
        &self,
        admitted: Vec<Result<Admitted, Error>>,
        inserted: Vec<Result<Inserted, Error>>,
    ) -> Vec<Result<Placed, Error>> {
        let mut inserted = inserted.into_iter();
        let mut others = Vec::new();
        let mut placed = Vec::with_capacity(admitted.len());
        for new in admitted {
            let mut answer = || inserted.next().expect("every admitted job was sent to the lane");
            match new.and_then(|new| Ok((new, answer()?))) {
                Ok((new, Inserted::Inserted)) => {
                    self.counters.enqueued();
                    placed.push(Some(Ok((new.job, How::Inserted))));
                }
                Ok((new, other)) => {
                    others.push((new, other));
                    placed.push(None);
                }
                Err(error) => placed.push(Some(Err(error))),
            }
        }
        let others: Vec<_> = stream::iter(others)
            .map(|(new, inserted)| self.place(new, Some(inserted)))
            .buffered(SIDE_FLUSHES)
            .collect()
            .await;
        let mut others = others.into_iter();
        let mut other = || others.next().expect("every other job was placed");
        placed
            .into_iter()
            .map(|placed| placed.unwrap_or_else(&mut other))
            .collect()
    }

    pub(super) fn admit(&self, job: NewJob) -> Result<Admitted, Error> {
        let fresh_id = job.id.unwrap_or_else(|| JobId(self.clock.fresh_id()));
        admit::admit(job, fresh_id, &self.moment_with(self.defaults.retention))
    }

    async fn insert(&self, job: &Job) -> Result<Inserted, Error> {
        self.inserts.submit(job.clone(), ()).await
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
            Conflict::Reject => Err(held(new, &row)),
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
fn is_left_alone(new: &Admitted, stands: &Admitted, placed: &Result<Placed, Error>) -> bool {
    let refused = placed
        .as_ref()
        .is_err_and(|error| error.kind() != Kind::Unavailable);
    refused && new.job.id() != stands.job.id()
}

/// What `new` is answered where another job of its batch took its key and came to be `row`.
fn share(new: &Admitted, (row, how): Placed, came_first: bool) -> Result<Placed, Error> {
    if row.id() == new.job.id() {
        return Ok((row, how));
    }
    let was_held = !came_first || how == How::Deduplicated;
    if was_held && new.on_conflict == OnConflict::Reject {
        return Err(held(new, &row));
    }
    Ok((row, How::Deduplicated))
}

fn held(new: &Admitted, holder: &Job) -> Error {
    Error::conflict(format!(
        "the unique key {} is held by job {}",
        key_of(&new.job),
        holder.id()
    ))
}

fn key_of(job: &Job) -> &str {
    job.body.unique_key.as_deref().unwrap_or_default()
}
