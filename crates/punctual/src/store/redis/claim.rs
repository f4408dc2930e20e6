//! Claim: due waiting jobs become running ones, as far as their queues allow.
//!
//! A script claims so many jobs at most; a larger claim is several of them, as if they had come one after the other at
//! the same instant.

use redis::Value;

use super::insert::id_of;
use super::link::Link;
use super::order::{instant, read_instant};
use super::row::read_job;
use super::script::{Arguments, CLAIM, PUT_OFF};
use super::{push_time, reply};
use crate::error::Error;
use crate::job::{Job, JobId};
use crate::limits;
use crate::queue::QueueName;
use crate::run::{Claim, ClaimFrom, Claimed};
use crate::time::{Timestamp, format_length, micros};

pub(super) async fn claim(link: &Link, claim: &Claim) -> Result<Claimed, Error> {
    let mut claiming = Claiming {
        link,
        claim,
        now: claim.now,
        jobs: Vec::new(),
        next_due: None,
        put_off_until: None,
    };
    match claiming.take_all().await {
        // What was taken before is this worker's, and better run than left to its lease.
        Err(error) if !claiming.jobs.is_empty() => {
            tracing::warn!(%error, jobs = claiming.jobs.len(), "a claim ends early");
            claiming.next_due = claiming.now;
        }
        taken => taken?,
    }
    let short = claiming.jobs.len() < claim.max;
    let next_due = [claiming.next_due, claiming.put_off_until].into_iter().flatten();
    Ok(Claimed {
        next_due: next_due.min().filter(|_| short),
        now: claiming.now.unwrap_or_default(),
        jobs: claiming.jobs,
    })
}

/// A claim on its way.
struct Claiming<'a> {
    link: &'a Link,
    claim: &'a Claim,
    /// The instant that is taken for now: the caller's, or that of the first script.
    now: Option<Timestamp>,
    jobs: Vec<Job>,
    next_due: Option<Timestamp>,
    /// When rows that cannot be read are due again.
    put_off_until: Option<Timestamp>,
}

/// What one script took.
struct Taken {
    started: usize,
    next_due: Option<Timestamp>,
    /// It stopped early, since it had done enough.
    cut: bool,
}

/// Where one script looks.
enum From<'a> {
    Queues(&'a [QueueName]),
    Ids(&'a [JobId]),
}

impl Claiming<'_> {
    async fn take_all(&mut self) -> Result<(), Error> {
        match &self.claim.from {
            ClaimFrom::Queues(queues) => self.take_from(From::Queues(queues)).await,
            ClaimFrom::Ids(ids) => {
                // Also of no ids the store's time is told.
                for ids in ids
                    .chunks(limits::SCRIPT_ITEMS)
                    .chain(ids.is_empty().then_some(&ids[..]))
                {
                    self.take_from(From::Ids(ids)).await?;
                }
                Ok(())
            }
        }
    }

    /// Takes until there are enough, or no more.
    async fn take_from(&mut self, from: From<'_>) -> Result<(), Error> {
        let before = self.next_due;
        loop {
            let wanted = (self.claim.max - self.jobs.len()).min(limits::SCRIPT_ITEMS);
            let taken = self.take(&from, wanted).await?;
            // Those that were put off count as none.
            let more = taken.cut || taken.started == wanted;
            self.next_due = [before, taken.next_due].into_iter().flatten().min();
            if self.jobs.len() >= self.claim.max || !more {
                return Ok(());
            }
            if taken.started == 0 {
                // It passed as many entries as it may, and found none that may start.
                self.next_due = self.now;
                return Ok(());
            }
        }
    }

    async fn take(&mut self, from: &From<'_>, wanted: usize) -> Result<Taken, Error> {
        let mut arguments = Arguments::default();
        push_time(&mut arguments, self.now, self.claim.lease);
        arguments
            .bytes(self.claim.worker.as_str())
            .number(wanted)
            .number(limits::SCRIPT_BYTES)
            .number(limits::SCRIPT_PASSED);
        match from {
            From::Queues(queues) => {
                arguments.bytes("Q");
                arguments.each(queues.iter().map(QueueName::as_str));
            }
            From::Ids(ids) => {
                arguments.bytes("I");
                arguments.each(ids.iter().map(|id| id.0.as_bytes()));
            }
        }
        let [now, next_due, cut, rows] = reply::parts(self.link.write(&CLAIM, arguments).await?)?;
        let now = read_instant(reply::fixed(&reply::bytes(now)?)?);
        self.now.get_or_insert(now);
        let next_due = reply::bytes(next_due)?;
        let rows = reply::list(rows)?;
        for row in rows.chunks_exact(3) {
            self.keep(row, now).await?;
        }
        Ok(Taken {
            started: rows.len() / 3,
            next_due: (!next_due.is_empty())
                .then(|| reply::fixed(&next_due).map(read_instant))
                .transpose()?,
            cut: reply::number(cut)? != 0,
        })
    }

    /// Keeps a row that was started, or puts it off if it cannot be read: a newer version may have written it.
    async fn keep(&mut self, row: &[Vec<u8>], now: Timestamp) -> Result<(), Error> {
        let [id, status, body] = row else {
            return Err(Error::internal("a row has three parts"));
        };
        let id = id_of(id)?;
        match read_job(id, status, body) {
            Ok(job) => {
                self.jobs.push(self.started(job, now));
                Ok(())
            }
            Err(error) => {
                tracing::error!(
                    job = %id, %error, "a row that is due cannot be read; it is put off by {}",
                    format_length(limits::UNREADABLE_DELAY)
                );
                self.put_off_until.get_or_insert(now + limits::UNREADABLE_DELAY);
                self.put_off(id, status).await
            }
        }
    }

    /// The row as the script has written it.
    fn started(&self, mut job: Job, now: Timestamp) -> Job {
        self.claim.start(&mut job.status, now);
        job
    }

    /// Makes it due later, as it was before, so that it does not stand at the head of its line.
    async fn put_off(&self, id: JobId, status: &[u8]) -> Result<(), Error> {
        let rev = status
            .get(4..12)
            .ok_or_else(|| Error::internal("a row has no rev"))?;
        let run = u64::from_be_bytes(reply::fixed(rev)?).saturating_add(1);
        let due = self
            .claim
            .now
            .map_or(Vec::new(), |now| instant(now + limits::UNREADABLE_DELAY).to_vec());
        let mut arguments = Arguments::default();
        arguments
            .bytes(id.0.as_bytes())
            .bytes(run.to_be_bytes())
            .bytes(status)
            .number(micros(limits::UNREADABLE_DELAY))
            .bytes(due);
        self.link.write(&PUT_OFF, arguments).await.map(|_: Value| ())
    }
}
