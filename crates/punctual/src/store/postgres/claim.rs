//! Claim: due waiting jobs become running ones, as far as their queues allow.
//!
//! A claim of queues that hold nothing back is one statement, sent together with the locks and the commit around it. Where a
//! queue has limits, a transaction reads how far they are used up, claims, and writes down what it used.

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::claim_ids::claim_ids;
use super::fault::Fault;
use super::floors::{Begun, Came, Floors};
use super::gates::{self, Known, Settings};
use super::row::Columns;
use super::session::{Link, Param, Session};
use super::unreadable::Unreadable;
use crate::error::Error;
use crate::job::Job;
use crate::limits;
use crate::queue::QueueName;
use crate::run::{Claim, ClaimFrom, Claimed};
use crate::time::Timestamp;

/// Claims. Rows that cannot be read are put off, and others claimed in their stead.
pub(super) async fn claim(
    session: &Session,
    known: &Known,
    floors: &Floors,
    claim: &Claim,
) -> Result<Claimed, Fault> {
    let mut claimed = Claimed {
        jobs: Vec::new(),
        next_due: None,
        now: Timestamp::MIN,
    };
    for _ in 0..limits::UNREADABLE_ROUNDS {
        let mut unreadable = Unreadable::default();
        let left = Claim {
            max: claim.max - claimed.jobs.len(),
            ..claim.clone()
        };
        let more = match &claim.from {
            ClaimFrom::Queues(queues) => {
                claim_queues(session, known, floors, queues, &left, &mut unreadable).await
            }
            ClaimFrom::Ids(ids) => claim_ids(session, known, ids, &left, &mut unreadable).await,
        };
        let more = more.map_err(|fault| after(&claimed, fault))?;
        claimed.jobs.extend(more.jobs);
        claimed.next_due = more.next_due.filter(|_| claimed.jobs.len() < claim.max);
        claimed.now = more.now;
        if unreadable.is_empty() {
            return Ok(claimed);
        }
        let put_off = unreadable.put_off(session, claimed.now).await;
        put_off.map_err(|fault| after(&claimed, fault))?;
    }
    // More of them may be left, and others behind them.
    claimed.next_due = Some(claimed.now);
    Ok(claimed)
}

/// A fault behind what was claimed already: that stands, whatever became of the rest.
pub(super) fn after(claimed: &Claimed, fault: Fault) -> Fault {
    match claimed.jobs.is_empty() {
        true => fault,
        false => {
            let error = Error::from(fault);
            Fault::Told(Error::unknown(format!("a part of this claim stands: {error}")).caused_by(error))
        }
    }
}

async fn claim_queues(
    session: &Session,
    known: &Known,
    floors: &Floors,
    queues: &[QueueName],
    claim: &Claim,
    unreadable: &mut Unreadable,
) -> Result<Claimed, Fault> {
    for _ in 0..limits::CONFLICT_ROUNDS {
        let wanted = Wanted {
            known,
            floors,
            queues,
            settings: &known.of(queues),
            claim,
        };
        let claimed = match wanted.settings.iter().all(Settings::is_open) {
            true => claim_open(session, &wanted, unreadable).await?,
            false => claim_gated(session, &wanted, unreadable).await?,
        };
        if let Some(claimed) = claimed {
            return Ok(claimed);
        }
    }
    Err(Fault::Told(Error::unavailable(
        "the settings of the queues keep changing; nothing was claimed",
    )))
}

/// A claim of queues, and what this process knows of them.
struct Wanted<'a> {
    known: &'a Known,
    floors: &'a Floors,
    queues: &'a [QueueName],
    settings: &'a [Settings],
    claim: &'a Claim,
}

impl Wanted<'_> {
    /// A statement that takes the locks of its queues.
    fn locks(&self, session: &Session) -> String {
        gates::locks(session.namespace(), self.queues, self.settings)
    }

    /// Where it begins. Where time is stepped, the order of claims is exact at any rate.
    fn begin(&self) -> Begun {
        match self.claim.now {
            None => self.floors.begin(self.queues),
            Some(_) => Begun::without(self.queues.len()),
        }
    }

    /// Learns from the answer how far it came. Answers when somebody has to look again for the floors it began with.
    fn learn(
        &self,
        begun: &Begun,
        answer: &Answer,
        rooms: &[usize],
        unreadable: &Unreadable,
    ) -> Option<Timestamp> {
        match unreadable.is_empty() {
            true => self
                .floors
                .learn(begun, &answer.came(self.queues, rooms, self.claim)),
            false => None,
        }
    }
}

/// Claims from queues that hold nothing back; nothing if one of them does.
async fn claim_open(
    session: &Session,
    wanted: &Wanted<'_>,
    unreadable: &mut Unreadable,
) -> Result<Option<Claimed>, Fault> {
    let Wanted { queues, claim, .. } = *wanted;
    let begun = wanted.begin();
    let rooms = vec![claim.max; queues.len()];
    let documents = wanted.settings.iter().map(|one| &*one.document);
    let wish = Wish::new(queues, &rooms, documents, &begun, claim);
    let rows = session
        .write_locked(&wanted.locks(session), CLAIM, &wish.params())
        .await?;
    let Some(answer) = read_answer(&rows, queues, unreadable)? else {
        let link = session.begin("").await?;
        let looked = gates::gates(link, wanted.known, queues, wanted.settings, claim.now).await;
        session.end(looked).await?;
        return Ok(None);
    };
    let again = wanted.learn(&begun, &answer, &rooms, unreadable);
    let next_due = answer.dues.into_iter().flatten().chain(again).min();
    Ok(Some(Claimed {
        jobs: answer.jobs,
        next_due,
        now: answer.now,
    }))
}

/// Claims as far as the queues' gates allow; nothing if the locks that this takes were the wrong ones.
async fn claim_gated(
    session: &Session,
    wanted: &Wanted<'_>,
    unreadable: &mut Unreadable,
) -> Result<Option<Claimed>, Fault> {
    let link = session.begin(&wanted.locks(session)).await?;
    let done = pass_gates(link, wanted, unreadable).await;
    session.end(done).await
}

async fn pass_gates(
    link: Link<'_>,
    wanted: &Wanted<'_>,
    unreadable: &mut Unreadable,
) -> Result<Option<Claimed>, Fault> {
    let Wanted { queues, claim, .. } = *wanted;
    let gates = gates::gates(link, wanted.known, queues, wanted.settings, claim.now).await?;
    let Some(mut gates) = gates else {
        return Ok(None);
    };
    let now = gates.now;
    let room = |place: usize| gates.gates[place].gate.room(now).min(claim.max);
    let rooms: Vec<usize> = (0..queues.len()).map(room).collect();
    let at = Claim {
        now: Some(now),
        ..claim.clone()
    };
    let documents = gates.documents.iter().map(|one| &**one);
    let begun = wanted.begin();
    let wish = Wish::new(queues, &rooms, documents, &begun, &at);
    let rows = link.query(CLAIM, &wish.params()).await?;
    let Some(answer) = read_answer(&rows, queues, unreadable)? else {
        return Ok(None);
    };
    let again = wanted.learn(&begun, &answer, &rooms, unreadable);
    let mut used_up = Vec::new();
    for (place, queue) in queues.iter().enumerate() {
        let started = answer.jobs.iter().filter(|job| job.body.queue == *queue).count();
        (0..started).for_each(|_| gates.gates[place].gate.pass(now));
        if started == rooms[place] {
            used_up.push(queue.as_str());
        }
    }
    gates::close(link, queues, &gates).await?;
    let mut next_due = None;
    if answer.jobs.len() < claim.max {
        let mut dues = answer.dues;
        dues.resize(queues.len(), None);
        // Where a gate was narrower than the line, jobs that are due are left.
        for (queue, due) in earliest_due(link, &used_up, now).await? {
            let place = queues.iter().position(|other| other.as_str() == queue);
            place.into_iter().for_each(|place| dues[place] = Some(due));
        }
        let opens = dues.iter().zip(&gates.gates);
        let opens = opens.filter_map(|(due, stored)| due.and_then(|due| stored.gate.opens(due, now)));
        next_due = opens.chain(again).min();
    }
    Ok(Some(Claimed {
        jobs: answer.jobs,
        next_due,
        now,
    }))
}

async fn earliest_due(
    link: Link<'_>,
    queues: &[&str],
    now: Timestamp,
) -> Result<Vec<(String, Timestamp)>, Fault> {
    if queues.is_empty() {
        return Ok(Vec::new());
    }
    let now = now.as_micros();
    let params: [Param<'_>; 2] = [(&queues, Type::TEXT_ARRAY), (&now, Type::INT8)];
    let rows = link.query(include_str!("claim_next.sql"), &params).await?;
    let read = |row| {
        let column = Columns::of(row);
        Ok((column.get(0)?, column.instant(1)?))
    };
    rows.iter().map(read).collect()
}

const CLAIM: &str = include_str!("claim.sql");

/// What `claim.sql` is asked.
struct Wish<'a> {
    queues: Vec<&'a str>,
    rooms: Vec<i64>,
    max: i64,
    documents: Vec<&'a [u8]>,
    now: Option<i64>,
    worker: &'a str,
    lease: i64,
    floors: &'a [i64],
}

impl<'a> Wish<'a> {
    fn new(
        queues: &'a [QueueName],
        rooms: &[usize],
        documents: impl Iterator<Item = &'a [u8]>,
        begun: &'a Begun,
        claim: &'a Claim,
    ) -> Wish<'a> {
        Wish {
            queues: queues.iter().map(QueueName::as_str).collect(),
            rooms: rooms.iter().copied().map(number).collect(),
            max: number(claim.max),
            documents: documents.collect(),
            now: claim.now.map(Timestamp::as_micros),
            worker: claim.worker.as_str(),
            lease: lease_micros(claim),
            floors: &begun.floors,
        }
    }

    fn params(&self) -> [Param<'_>; 8] {
        [
            (&self.queues, Type::TEXT_ARRAY),
            (&self.rooms, Type::INT8_ARRAY),
            (&self.max, Type::INT8),
            (&self.documents, Type::BYTEA_ARRAY),
            (&self.now, Type::INT8),
            (&self.worker, Type::TEXT),
            (&self.lease, Type::INT8),
            (&self.floors, Type::INT8_ARRAY),
        ]
    }
}

/// What `claim.sql` answered.
pub(super) struct Answer {
    pub(super) now: Timestamp,
    /// For each queue the first instant after now at which one of its jobs is due; empty where that was not asked.
    dues: Vec<Option<Timestamp>>,
    /// How many entries of the index were passed.
    passed: u64,
    pub(super) jobs: Vec<Job>,
}

impl Answer {
    /// How far the claim came that this answers.
    fn came<'a>(&'a self, queues: &'a [QueueName], rooms: &'a [usize], claim: &Claim) -> Came<'a> {
        Came {
            queues,
            rooms,
            max: claim.max,
            now: self.now,
            jobs: &self.jobs,
            passed: self.passed,
        }
    }
}

/// Reads the answer; nothing if settings were other than the claim supposed.
pub(super) fn read_answer(
    rows: &[Row],
    queues: &[QueueName],
    unreadable: &mut Unreadable,
) -> Result<Option<Answer>, Fault> {
    /// Columns before those of a claimed row.
    const BEFORE: usize = 4;
    let first = rows
        .first()
        .ok_or_else(|| Error::internal("a claim has no answer"))?;
    let column = Columns::of(first);
    if column.get(1)? {
        return Ok(None);
    }
    let dues: Option<Vec<Option<i64>>> = column.get(2)?;
    let mut jobs = Vec::new();
    let mut passed = 0;
    for row in rows {
        passed = Columns::of(row).number::<i64, u64>(3)?;
        let is_there = Columns::of(row).get::<Option<uuid::Uuid>>(BEFORE)?.is_some();
        if is_there {
            jobs.extend(unreadable.read_or_note(row, BEFORE)?);
        }
    }
    // Nobody promises an order of what an update returns.
    let place = |job: &Job| queues.iter().position(|queue| *queue == job.body.queue);
    jobs.sort_by_cached_key(|job| (place(job), job.body.priority, job.status.due, job.id()));
    let dues = dues.unwrap_or_default().into_iter();
    Ok(Some(Answer {
        now: column.instant(0)?,
        dues: dues.map(|due| due.map(Timestamp::from_micros)).collect(),
        passed,
        jobs,
    }))
}

/// How long a claim leases, in microseconds.
pub(super) fn lease_micros(claim: &Claim) -> i64 {
    i64::try_from(claim.lease.as_micros()).unwrap_or(i64::MAX)
}

/// A count as PostgreSQL takes it.
pub(super) fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
