//! Apply: what rules decided, each change wholly or not at all.
//!
//! Nearly every batch only writes rows, or only deletes them, and none of it has a unique key: then no change hangs on
//! another, and one short statement makes them so if all rows have the expected `rev`. Where there are keys, a longer statement
//! makes the whole batch so, or nothing of it. What is left, and a batch that pokes schedules, goes the careful way: in one
//! transaction, change by change where the order matters, read to the end before it is committed.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::types::Type;
use uuid::Uuid;

use super::fault::Fault;
use super::fetch::fetch;
use super::insert::{ids_of, insert_in, partly_done};
use super::row::{BodyColumns, Columns, StatusColumns, read_holder};
use super::schedules;
use super::session::{Link, Param, Session};
use crate::change::{Applied, Change, Holder, Inserted};
use crate::error::Error;
use crate::job::{Job, JobId};
use crate::limits;

/// Applies a batch in a transaction of its own.
pub(super) async fn apply(session: &Session, changes: &[Change]) -> Result<Vec<Applied>, Fault> {
    let pokes = changes.iter().any(|change| change.pokes.is_some());
    if !pokes && plain_part(changes).len() == changes.len() {
        if let Some(sort) = Sort::of(changes) {
            return apply_alone(session, sort, changes).await;
        }
        let batch = Batch::of(changes);
        let rows = session.write(APPLY, &batch.params(&true, &false)).await?;
        if read_places(&rows)?.values().filter(|found| found.done).count() == changes.len() {
            return Ok(vec![Applied::Applied; changes.len()]);
        }
    }
    let link = session.begin("").await?;
    let applied = apply_in(link, changes).await;
    session.end(applied).await
}

/// Plain changes of one sort, of which none hangs on another.
#[derive(Clone, Copy)]
enum Sort {
    Deletes,
    Writes,
}

impl Sort {
    /// The sort that all of these are; nothing if they differ, or if one has a unique key.
    fn of(changes: &[Change]) -> Option<Sort> {
        let written = || changes.iter().filter_map(|change| change.becomes.as_ref());
        if written().any(|status| status.unique_key.is_some()) {
            return None;
        }
        match written().count() {
            0 => Some(Sort::Deletes),
            all if all == changes.len() => Some(Sort::Writes),
            _ => None,
        }
    }
}

/// Makes the changes so if all rows have the expected `rev`; those that are left go the careful way.
async fn apply_alone(session: &Session, sort: Sort, changes: &[Change]) -> Result<Vec<Applied>, Fault> {
    let mut in_order: Vec<&Change> = changes.iter().collect();
    in_order.sort_by_key(|change| change.id);
    let batch = Batch::of(in_order);
    let (statement, params) = match sort {
        Sort::Deletes => (include_str!("apply_delete.sql"), batch.names().to_vec()),
        Sort::Writes => (include_str!("apply_write.sql"), batch.rows()),
    };
    let done = ids_of(&session.write(statement, &params).await?)?;
    let is_done = |change: &&Change| done.contains(&change.id.0);
    let left: Vec<Change> = changes
        .iter()
        .filter(|change| !is_done(change))
        .cloned()
        .collect();
    let mut told = Vec::new();
    if !left.is_empty() {
        let looked = async {
            let link = session.begin("").await?;
            let applied = apply_left(link, &left).await;
            session.end(applied).await
        };
        told = looked.await.map_err(|fault| match done.is_empty() {
            true => fault,
            false => Fault::Told(partly_done(fault)),
        })?;
    }
    let mut told = told.into_iter();
    let answers = changes.iter().map(|change| match is_done(&change) {
        true => Applied::Applied,
        false => told.next().expect("there is an answer for each that was left"),
    });
    Ok(answers.collect())
}

/// Tells of rows that have moved on, without a lock, since a rev only grows; the others go the careful way.
async fn apply_left(link: Link<'_>, changes: &[Change]) -> Result<Vec<Applied>, Fault> {
    let ids: Vec<JobId> = changes.iter().map(|change| change.id).collect();
    let rows = fetch(link, &ids).await?;
    let as_expected = |change: &Change, row: &Option<Job>| {
        let row = row.as_ref();
        row.is_some_and(|row| row.status.rev == change.expect)
    };
    let pairs = changes.iter().zip(&rows);
    let open: Vec<Change> = pairs
        .filter(|(change, row)| as_expected(change, row))
        .map(|(change, _)| change.clone())
        .collect();
    let mut applied = match open.is_empty() {
        true => Vec::new(),
        false => apply_in(link, &open).await?,
    }
    .into_iter();
    let told = changes.iter().zip(rows).map(|(change, row)| match row {
        row if as_expected(change, &row) => {
            applied.next().expect("there is an answer for each that was open")
        }
        Some(row) => Applied::Stale(Box::new(row)),
        None => Applied::Missing,
    });
    Ok(told.collect())
}

/// Applies a batch within a transaction that somebody else began.
pub(super) async fn apply_in(link: Link<'_>, changes: &[Change]) -> Result<Vec<Applied>, Fault> {
    let ids: Vec<Uuid> = changes.iter().map(|change| change.id.0).collect();
    link.query(include_str!("apply_lock.sql"), &[(&ids, Type::UUID_ARRAY)])
        .await?;
    let mut answers = Vec::new();
    while answers.len() < changes.len() {
        let left = &changes[answers.len()..];
        let mut found = apply_part(link, plain_part(left)).await?;
        if found.is_empty() {
            // The first of them is not plain, or takes a key.
            found.push(apply_one(link, &left[0]).await?);
        }
        // The row of one that is stale is told as it is now: a later change of the batch may be of the same row.
        answers.extend(tell_stale(link, left, found).await?);
    }
    schedules::poke(link, changes, &answers).await?;
    Ok(answers)
}

const APPLY: &str = include_str!("apply.sql");

/// What came of a change, before the row of a stale one is read.
enum Found {
    Applied,
    Stale,
    Missing,
    Held(Holder),
}

/// Whether a statement can make it so together with others.
fn is_plain(change: &Change) -> bool {
    change.body.is_none() && change.then.is_empty()
}

/// The first changes, as far as they are plain and of different rows.
fn plain_part(changes: &[Change]) -> &[Change] {
    let mut ids = BTreeSet::new();
    let end = changes
        .iter()
        .position(|change| !is_plain(change) || !ids.insert(change.id));
    &changes[..end.unwrap_or(changes.len())]
}

/// Applies plain changes, up to the first one that takes a unique key.
async fn apply_part(link: Link<'_>, changes: &[Change]) -> Result<Vec<Found>, Fault> {
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    let batch = Batch::of(changes);
    let found = read_places(&link.query(APPLY, &batch.params(&false, &false)).await?)?;
    let answers = (0..changes.len()).map(|place| match found.get(&place) {
        None => Some(Found::Missing),
        Some(At { done: true, .. }) => Some(Found::Applied),
        Some(At { fresh: false, .. }) => Some(Found::Stale),
        Some(At {
            fresh: true,
            done: false,
        }) => None,
    });
    // Behind one that is not done, nothing is: what looks stale or missing there may be so by then, or not.
    Ok(answers.map_while(|answer| answer).collect())
}

/// Applies one change that takes a key, edits a body or brings jobs along.
async fn apply_one(link: Link<'_>, change: &Change) -> Result<Found, Fault> {
    for _ in 0..limits::CONFLICT_ROUNDS {
        link.run("savepoint punctual_part").await?;
        let done = try_one(link, change).await;
        match &done {
            Ok(Found::Applied) => link.run("release savepoint punctual_part").await?,
            _ => {
                link.run("rollback to savepoint punctual_part; release savepoint punctual_part")
                    .await?
            }
        }
        match done {
            // Somebody took the key meanwhile, and is now seen to hold it.
            Err(fault) if fault.is_taken() => {}
            done => return done,
        }
    }
    Err(Fault::Told(Error::locked(
        "the holder of a unique key keeps changing; nothing was stored",
    )))
}

async fn try_one(link: Link<'_>, change: &Change) -> Result<Found, Fault> {
    let key: [Param<'_>; 1] = [(&change.id.0, Type::UUID)];
    let rows = link.query(include_str!("apply_before.sql"), &key).await?;
    let Some(row) = rows.first() else {
        return Ok(Found::Missing);
    };
    let column = Columns::of(row);
    if column.get::<i64>(0)?.cast_unsigned() != change.expect {
        return Ok(Found::Stale);
    }
    let held: Option<&str> = column.get(1)?;
    let wanted = change
        .becomes
        .as_ref()
        .and_then(|status| status.unique_key.as_deref());
    if wanted != held
        && let Some(holder) = holder(link, wanted).await?
    {
        return Ok(Found::Held(holder));
    }
    let batch = Batch::of(std::slice::from_ref(change));
    link.query(APPLY, &batch.params(&false, &true)).await?;
    write_body(link, change).await?;
    write_then(link, &change.then).await
}

async fn holder(link: Link<'_>, key: Option<&str>) -> Result<Option<Holder>, Fault> {
    if key.is_none() {
        return Ok(None);
    }
    let rows = link
        .query(include_str!("holder.sql"), &[(&key, Type::TEXT)])
        .await?;
    match rows.first() {
        Some(row) => read_holder(row, 0),
        None => Ok(None),
    }
}

async fn write_body(link: Link<'_>, change: &Change) -> Result<(), Fault> {
    let (Some(body), Some(status)) = (&change.body, &change.becomes) else {
        return Ok(());
    };
    let job = Job {
        body: body.clone(),
        status: status.clone(),
    };
    let columns = BodyColumns::of(&[&job]);
    link.query(include_str!("apply_body.sql"), &columns.params())
        .await?;
    Ok(())
}

async fn write_then(link: Link<'_>, jobs: &[Job]) -> Result<Found, Fault> {
    let jobs: Vec<&Job> = jobs.iter().collect();
    for (job, inserted) in jobs.iter().zip(insert_in(link, &jobs).await?) {
        match inserted {
            Inserted::Inserted => {}
            Inserted::Held(holder) => return Ok(Found::Held(holder)),
            Inserted::Exists { .. } => {
                let there = fetch(link, &[job.id()]).await?.into_iter().flatten().next();
                let there = there.ok_or_else(|| Error::internal("a row vanished within a transaction"))?;
                return Ok(Found::Held(Holder::of(&there)));
            }
        }
    }
    Ok(Found::Applied)
}

/// What came of the first changes, with the rows of those that were stale, as they are now.
async fn tell_stale(link: Link<'_>, changes: &[Change], found: Vec<Found>) -> Result<Vec<Applied>, Fault> {
    let pairs = changes.iter().zip(&found);
    let stale: Vec<JobId> = pairs
        .filter(|(_, found)| matches!(found, Found::Stale))
        .map(|(change, _)| change.id)
        .collect();
    let mut rows = match stale.is_empty() {
        true => Vec::new(),
        false => fetch(link, &stale).await?,
    }
    .into_iter();
    let told = found.into_iter().map(|found| match found {
        Found::Applied => Applied::Applied,
        Found::Missing => Applied::Missing,
        Found::Held(holder) => Applied::Held(holder),
        Found::Stale => match rows.next().flatten() {
            Some(row) => Applied::Stale(Box::new(row)),
            None => Applied::Missing,
        },
    });
    Ok(told.collect())
}

/// Changes column by column.
struct Batch<'a> {
    ids: Vec<Uuid>,
    expects: Vec<i64>,
    statuses: StatusColumns<'a>,
}

impl<'a> Batch<'a> {
    fn of(changes: impl IntoIterator<Item = &'a Change>) -> Batch<'a> {
        let mut batch = Batch {
            ids: Vec::new(),
            expects: Vec::new(),
            statuses: StatusColumns::default(),
        };
        for change in changes {
            batch.ids.push(change.id.0);
            batch.expects.push(change.expect.cast_signed());
            batch.statuses.add(change.becomes.as_ref());
        }
        batch
    }

    /// Which rows are meant: the parameters of `apply_delete.sql`.
    fn names(&self) -> [Param<'_>; 2] {
        [(&self.ids, Type::UUID_ARRAY), (&self.expects, Type::INT8_ARRAY)]
    }

    /// And what they become: the parameters of `apply_write.sql`.
    fn rows(&self) -> Vec<Param<'_>> {
        let mut params = self.names().to_vec();
        params.extend(self.statuses.params());
        params
    }

    /// The parameters of `apply.sql`: besides, whether it does all or nothing, and whether it may take unique keys.
    fn params<'b>(&'b self, all_or_nothing: &'b bool, may_take: &'b bool) -> Vec<Param<'b>> {
        let mut params = self.rows();
        params.push((all_or_nothing, Type::BOOL));
        params.push((may_take, Type::BOOL));
        params
    }
}

/// What `apply.sql` found of a change.
struct At {
    fresh: bool,
    done: bool,
}

fn read_places(rows: &[tokio_postgres::Row]) -> Result<BTreeMap<usize, At>, Fault> {
    let read = |row| {
        let column = Columns::of(row);
        let place: usize = column.number::<i64, usize>(0)?;
        let at = At {
            fresh: column.get(1)?,
            done: column.get(2)?,
        };
        Ok((place - 1, at))
    };
    rows.iter().map(read).collect()
}
