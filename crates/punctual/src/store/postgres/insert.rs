//! Insert: whole rows, each by itself.
//!
//! A batch goes in by one statement that skips whatever stands against it, in the order of the unique keys, so that two
//! batches never wait for each other in a circle. Why a row was skipped is asked afterwards; if the reason is gone by
//! then, the row is tried again.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::fault::Fault;
use super::row::{BodyColumns, Columns, StatusColumns, new_params, read_holder};
use super::session::{Link, Param, Session};
use crate::change::Inserted;
use crate::error::Error;
use crate::job::Job;
use crate::limits;
use crate::store::codec;

/// Inserts a batch in a transaction of its own.
pub(super) async fn insert(session: &Session, jobs: &[Job]) -> Result<Vec<Inserted>, Fault> {
    let jobs: Vec<&Job> = jobs.iter().collect();
    let ids: BTreeSet<Uuid> = jobs.iter().map(|job| job.id().0).collect();
    if ids.len() < jobs.len() {
        let link = session.begin("").await?;
        let inserted = insert_in(link, &jobs).await;
        return session.end(inserted).await;
    }
    let batch = Batch::of(&jobs);
    let inserted = ids_of(&session.write(batch.statement(), &batch.params()).await?)?;
    let skipped = skipped(&jobs, &inserted);
    let mut reasons = Vec::new();
    if !skipped.is_empty() {
        let looked = async {
            let link = session.begin("").await?;
            let reasons = tell_why(link, &skipped).await;
            session.end(reasons).await
        };
        // What was not skipped is stored by now.
        reasons = looked.await.map_err(|fault| Fault::Told(partly_done(fault)))?;
    }
    Ok(answers(&jobs, &inserted, reasons))
}

/// Inserts a batch within a transaction that somebody else began. Ids that come twice part it.
pub(super) async fn insert_in(link: Link<'_>, jobs: &[&Job]) -> Result<Vec<Inserted>, Fault> {
    let mut answers: Vec<Inserted> = Vec::new();
    // The fingerprints of rows that are there.
    let mut there: BTreeMap<Uuid, u128> = BTreeMap::new();
    let mut part: Vec<&Job> = Vec::new();
    let mut places: Vec<Place> = Vec::new();
    for job in jobs {
        if part.iter().any(|other| other.id() == job.id()) {
            finish(link, &mut part, &mut places, &mut answers, &mut there).await?;
        }
        match there.get(&job.id().0) {
            Some(fingerprint) => places.push(Place::Known(Inserted::Exists {
                same: *fingerprint == job.body.fingerprint,
            })),
            None => {
                part.push(job);
                places.push(Place::Asked);
            }
        }
    }
    finish(link, &mut part, &mut places, &mut answers, &mut there).await?;
    Ok(answers)
}

/// Inserts those of these jobs that nothing stands against, and answers their ids. No two have the same id.
pub(super) async fn insert_absent(link: Link<'_>, jobs: &[&Job]) -> Result<BTreeSet<Uuid>, Fault> {
    let batch = Batch::of(jobs);
    ids_of(&link.query(batch.statement(), &batch.params()).await?)
}

/// How the answer for an item is found.
enum Place {
    Known(Inserted),
    Asked,
}

/// Inserts one part, and adds the answers.
async fn finish(
    link: Link<'_>,
    part: &mut Vec<&Job>,
    places: &mut Vec<Place>,
    answers: &mut Vec<Inserted>,
    there: &mut BTreeMap<Uuid, u128>,
) -> Result<(), Fault> {
    let told = insert_part(link, part).await?;
    for (job, answer) in part.iter().zip(&told) {
        match answer {
            Inserted::Inserted | Inserted::Exists { same: true } => {
                there.insert(job.id().0, job.body.fingerprint);
            }
            Inserted::Exists { same: false } | Inserted::Held(_) => {}
        }
    }
    let mut told = told.into_iter();
    answers.extend(places.drain(..).map(|place| {
        match place {
            Place::Known(answer) => answer,
            Place::Asked => told
                .next()
                .expect("there is an answer for each that was asked about"),
        }
    }));
    part.clear();
    Ok(())
}

async fn insert_part(link: Link<'_>, jobs: &[&Job]) -> Result<Vec<Inserted>, Fault> {
    let inserted = insert_absent(link, jobs).await?;
    let skipped = skipped(jobs, &inserted);
    let reasons = tell_why(link, &skipped).await?;
    Ok(answers(jobs, &inserted, reasons))
}

/// The jobs that were not inserted.
fn skipped<'a>(jobs: &[&'a Job], inserted: &BTreeSet<Uuid>) -> Vec<&'a Job> {
    let is_skipped = |job: &&&Job| !inserted.contains(&job.id().0);
    jobs.iter().filter(is_skipped).copied().collect()
}

/// An answer for each job; `reasons` are those of the skipped ones, in their order.
fn answers(jobs: &[&Job], inserted: &BTreeSet<Uuid>, reasons: Vec<Inserted>) -> Vec<Inserted> {
    let mut reasons = reasons.into_iter();
    let answers = jobs.iter().map(|job| match inserted.contains(&job.id().0) {
        true => Inserted::Inserted,
        false => reasons
            .next()
            .expect("there is a reason for each that was skipped"),
    });
    answers.collect()
}

/// Why these were not inserted; or that they are now, since the reason is gone.
async fn tell_why(link: Link<'_>, skipped: &[&Job]) -> Result<Vec<Inserted>, Fault> {
    let mut answers: BTreeMap<Uuid, Inserted> = BTreeMap::new();
    let mut left: Vec<&Job> = skipped.to_vec();
    for _ in 0..limits::CONFLICT_ROUNDS {
        if left.is_empty() {
            let answer = |job: &&Job| {
                answers
                    .remove(&job.id().0)
                    .expect("none is left without an answer")
            };
            return Ok(skipped.iter().map(answer).collect());
        }
        for row in ask_why(link, &left).await? {
            let (id, reason) = row?;
            let job = left.iter().find(|job| job.id().0 == id);
            let reason = job.and_then(|job| reason.answer(job));
            answers.extend(reason.map(|reason| (id, reason)));
        }
        left.retain(|job| !answers.contains_key(&job.id().0));
        if !left.is_empty() {
            let batch = Batch::of(&left);
            for id in ids_of(&link.query(batch.statement(), &batch.params()).await?)? {
                answers.insert(id, Inserted::Inserted);
            }
            left.retain(|job| !answers.contains_key(&job.id().0));
        }
    }
    Err(Fault::Told(Error::locked(
        "the holder of a unique key keeps changing; nothing was stored",
    )))
}

struct Reason {
    there: Option<u128>,
    holder: Option<crate::change::Holder>,
}

impl Reason {
    /// The id is looked at before the key.
    fn answer(self, job: &Job) -> Option<Inserted> {
        match (self.there, self.holder) {
            (Some(fingerprint), _) => Some(Inserted::Exists {
                same: fingerprint == job.body.fingerprint,
            }),
            (None, Some(holder)) => Some(Inserted::Held(holder)),
            (None, None) => None,
        }
    }
}

async fn ask_why(
    link: Link<'_>,
    jobs: &[&Job],
) -> Result<impl Iterator<Item = Result<(Uuid, Reason), Fault>>, Fault> {
    let ids: Vec<Uuid> = jobs.iter().map(|job| job.id().0).collect();
    let keys: Vec<Option<&str>> = jobs.iter().map(|job| job.status.unique_key.as_deref()).collect();
    let params: [Param<'_>; 2] = [(&ids, Type::UUID_ARRAY), (&keys, Type::TEXT_ARRAY)];
    let rows = link.query(include_str!("insert_why.sql"), &params).await?;
    Ok(rows.into_iter().map(|row| {
        let column = Columns::of(&row);
        let reason = Reason {
            there: column.get::<Option<Uuid>>(1)?.map(|there| there.as_u128()),
            holder: read_holder(&row, 2)?,
        };
        Ok((column.get(0)?, reason))
    }))
}

/// Rows with ids of their own, in the order in which they are inserted.
struct Batch<'a> {
    bodies: BodyColumns<'a>,
    statuses: StatusColumns<'a>,
    whole: bool,
}

impl<'a> Batch<'a> {
    /// By their unique keys, so that everybody takes keys in one order; of those that share one, the first comes first. Then,
    /// by their ids, those that take none.
    fn of(jobs: &[&'a Job]) -> Batch<'a> {
        let mut jobs = jobs.to_vec();
        jobs.sort_by_key(|job| match &job.status.unique_key {
            Some(key) => (false, Some(key.as_str()), None),
            None => (true, None, Some(job.id())),
        });
        Batch {
            bodies: BodyColumns::of(&jobs),
            statuses: StatusColumns::of(jobs.iter().map(|job| Some(&job.status))),
            whole: !jobs.iter().all(|job| codec::is_new(&job.status)),
        }
    }

    fn statement(&self) -> &'static str {
        match self.whole {
            true => include_str!("insert_whole.sql"),
            false => include_str!("insert.sql"),
        }
    }

    fn params(&self) -> Vec<Param<'_>> {
        match self.whole {
            true => [self.bodies.params(), self.statuses.params()].concat(),
            false => new_params(&self.bodies, &self.statuses),
        }
    }
}

pub(super) fn ids_of(rows: &[Row]) -> Result<BTreeSet<Uuid>, Fault> {
    rows.iter().map(|row| Columns::of(row).get(0)).collect()
}

/// Why a part of a batch is without an answer, while the rest of it stands.
pub(super) fn partly_done(fault: Fault) -> Error {
    let error = Error::from(fault);
    Error::unknown(format!("a part of this was stored: {error}")).caused_by(error)
}
