//! Jobs that come with output. A store adds output to a run that is held, and to no other; so the row is parked: it runs, under
//! no worker and a lease that never ends, as each of its runs in turn, until their output is there. Then it becomes what it is.
//!
//! The version of a parked row says how far it has come, so that an import that was killed on the way is begun again where it
//! stopped; until then the job neither runs nor ends.

use crate::change::{Applied, Change};
use crate::error::{Error, Field};
use crate::job::{Job, State, Status};
use crate::limits::{HISTORY_ATTEMPTS, OUTPUT_BYTES};
use crate::run::WorkerId;
use crate::time::Timestamp;

use super::super::Core;
use super::super::writes::Tell;
use super::{HOLDER, Imported, Kept, Moved, told};

impl Core {
    pub(super) async fn import_with_output(&self, moved: Moved) -> Result<Imported, Error> {
        check(&moved)?;
        let inserted = self.inserts.submit(moved.at(0), ()).await?;
        let mut imported = told(&moved.job, inserted)?;
        for _ in 0..moved.output.len() {
            let Some(row) = self.read(moved.job.id()).await? else {
                break;
            };
            let Some(step) = moved.step(&row.status) else {
                break;
            };
            self.restore(row.id(), &moved.output[step]).await?;
            let next = moved.at(step + 1);
            let mut change = Change::to(&row, next.status.clone());
            change.body = None;
            let tell = Tell {
                due: (next.status.state == State::Waiting)
                    .then(|| (next.body.queue.clone(), next.status.due)),
                job: None,
            };
            if self.changes.submit(change, tell).await? != Applied::Applied {
                return Err(Error::conflict(format!(
                    "job {} was changed while it was imported",
                    row.id()
                )));
            }
            imported = Imported::Added;
        }
        Ok(imported)
    }
}

impl Moved {
    /// The row after so many steps, one for each run with output; after all of them, what it is.
    fn at(&self, step: usize) -> Job {
        let mut job = self.job.clone();
        let Some(kept) = self.output.get(step) else {
            return job;
        };
        let Status { due, rev, .. } = job.status;
        job.status = Status {
            state: State::Running,
            run: kept.run,
            alarm: Some(Timestamp::MAX),
            worker: Some(WorkerId::from(HOLDER)),
            unique_key: job.status.unique_key.take(),
            key_until: job.status.key_until,
            ..Status::waiting(rev - (self.output.len() - step) as u64, due)
        };
        job
    }

    /// How many steps a row has come; nothing if it is not parked.
    fn step(&self, status: &Status) -> Option<usize> {
        (0..self.output.len()).find(|step| {
            let parked = self.at(*step).status;
            (status.state, status.rev, status.run, &status.worker)
                == (parked.state, parked.rev, parked.run, &parked.worker)
        })
    }
}

/// Refuses output that no runs of the row can have left.
fn check(moved: &Moved) -> Result<(), Error> {
    let status = &moved.job.status;
    let half = OUTPUT_BYTES / 2;
    let whole = |kept: &Kept| match kept.left_out {
        0 => kept.tail.is_empty() && kept.head.len() <= OUTPUT_BYTES,
        _ => kept.head.len() == half && kept.tail.len() == half,
    };
    let ascending = moved.output.is_sorted_by(|one, next| one.run < next.run);
    let known = moved
        .output
        .iter()
        .all(|kept| (1..=status.rev).contains(&kept.run));
    let few = moved.output.len() <= HISTORY_ATTEMPTS + 1;
    if few && ascending && known && status.rev > moved.output.len() as u64 && moved.output.iter().all(whole) {
        return Ok(());
    }
    Err(Error::invalid_fields(vec![Field {
        pointer: "/output".to_owned(),
        message: format!(
            "it is for each run once, in their order, at most {} of them, with at most {OUTPUT_BYTES} bytes; where some are \
             left out, with half of these before and half behind",
            HISTORY_ATTEMPTS + 1
        ),
    }]))
}
