//! The table, and the statements.

use std::{
    path::Path,
    process,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use protocol::{Error, Job};
use rusqlite::{Connection, TransactionBehavior, params};

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS job (
        id       BLOB NOT NULL PRIMARY KEY, -- 16 bytes, ascending, as those of a UUID v7
        queue    TEXT NOT NULL,
        kind     TEXT NOT NULL,
        state    INTEGER NOT NULL DEFAULT 0, -- 0 waiting, 1 running, 2 finished
        priority INTEGER NOT NULL,
        due      INTEGER NOT NULL,
        lease    INTEGER,
        ended    INTEGER,
        payload  TEXT NOT NULL
    ) STRICT;
    CREATE INDEX IF NOT EXISTS line  ON job (queue, priority, due, id) WHERE state = 0;
    CREATE INDEX IF NOT EXISTS lease ON job (lease) WHERE state = 1;
    CREATE INDEX IF NOT EXISTS ended ON job (queue, ended) WHERE state = 2;
";

/// A job that is sent again is the same job.
const INSERT: &str = "
    INSERT INTO job (id, queue, kind, priority, due, payload) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
    ON CONFLICT DO NOTHING";

/// One priority's line, first due first.
const CLAIM: &str = "
    UPDATE job SET state = 1, lease = ?1
    WHERE rowid IN (
        SELECT rowid FROM job WHERE state = 0 AND queue = ?5 AND priority = ?2 AND due <= ?3 ORDER BY due, id LIMIT ?4)
    RETURNING rowid, payload";

const NEXT_DUE: &str =
    "SELECT due FROM job WHERE state = 0 AND queue = ?2 AND priority = ?1 ORDER BY due LIMIT 1";

const FINISH: &str = "UPDATE job SET state = 2, lease = NULL, ended = ?2 WHERE rowid = ?1 AND state = 1";

const DELETE: &str = "DELETE FROM job WHERE rowid = ?1 AND state = 1";

const IS_OPEN: &str = "
    SELECT EXISTS (SELECT 1 FROM job WHERE state = 1)
        OR EXISTS (SELECT 1 FROM job WHERE state = 0 AND queue = ?2 AND priority = 0 AND due <= ?1)
        OR EXISTS (SELECT 1 FROM job WHERE state = 0 AND queue = ?2 AND priority = 5 AND due <= ?1)";

/// What every job has, and no job of a benchmark has otherwise.
const QUEUE: &str = "default";
const KIND: &str = "bench";

/// The priorities there are: urgent, ordinary.
const PRIORITIES: [i64; 2] = [0, 5];

const LEASE_MICROS: i64 = 30_000_000;

/// Between two tries for a lock that another process holds, and how often.
const LOCK_PAUSE: Duration = Duration::from_micros(50);
const LOCK_TRIES: i32 = 100_000;

/// A connection.
pub(crate) struct Store {
    connection: Connection,
}

/// A claimed job.
pub(crate) struct Claimed {
    pub(crate) id: i64,
    pub(crate) payload: String,
}

impl Store {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let mut connection = Connection::open(path)?;
        connection.busy_handler(Some(|tries| {
            thread::sleep(LOCK_PAUSE);
            tries < LOCK_TRIES
        }))?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "cache_size", -65_536)?;
        connection.pragma_update(None, "wal_autocheckpoint", 10_000)?;
        connection.execute_batch(SCHEMA)?;
        Ok(Self { connection })
    }

    pub(crate) fn synchronous(&self) -> Result<i64, Error> {
        Ok(self
            .connection
            .pragma_query_value(None, "synchronous", |row| row.get(0))?)
    }

    /// Inserts all of these jobs in one commit.
    pub(crate) fn insert<'a>(&mut self, jobs: impl Iterator<Item = &'a Job>) -> Result<(), Error> {
        let now = now();
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut insert = transaction.prepare_cached(INSERT)?;
            for job in jobs {
                let priority = PRIORITIES[usize::from(!job.urgent)];
                let payload = serde_json::to_string(&job.payload)?;
                let due = job.due_micros().unwrap_or(now);
                insert.execute(params![fresh_id(now), QUEUE, KIND, priority, due, payload])?;
            }
        }
        Ok(transaction.commit()?)
    }

    /// Claims up to `most` due jobs in one commit.
    pub(crate) fn claim(&mut self, most: usize) -> Result<Vec<Claimed>, Error> {
        let now = now();
        let mut claimed = Vec::with_capacity(most);
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        for priority in PRIORITIES {
            let wanted = (most - claimed.len()) as i64;
            let mut claim = transaction.prepare_cached(CLAIM)?;
            let rows = claim.query_map(params![now + LEASE_MICROS, priority, now, wanted, QUEUE], |row| {
                Ok(Claimed {
                    id: row.get(0)?,
                    payload: row.get(1)?,
                })
            })?;
            for row in rows {
                claimed.push(row?);
            }
        }
        transaction.commit()?;
        Ok(claimed)
    }

    /// Completes these jobs in one commit.
    pub(crate) fn complete(&mut self, jobs: &[Claimed], delete: bool) -> Result<(), Error> {
        let now = now();
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        for job in jobs {
            if delete {
                transaction.prepare_cached(DELETE)?.execute([job.id])?;
            } else {
                transaction.prepare_cached(FINISH)?.execute([job.id, now])?;
            }
        }
        Ok(transaction.commit()?)
    }

    /// How long until a job is due: nothing if one is, `None` if none waits.
    pub(crate) fn until_due(&self) -> Result<Option<Duration>, Error> {
        let mut soonest: Option<i64> = None;
        for priority in PRIORITIES {
            let mut statement = self.connection.prepare_cached(NEXT_DUE)?;
            for due in statement.query_map(params![priority, QUEUE], |row| row.get(0))? {
                let due: i64 = due?;
                soonest = Some(soonest.map_or(due, |other| other.min(due)));
            }
        }
        Ok(soonest.map(|due| Duration::from_micros(due.saturating_sub(now()).max(0) as u64)))
    }

    pub(crate) fn is_drained(&self) -> Result<bool, Error> {
        let open: bool = self
            .connection
            .prepare_cached(IS_OPEN)?
            .query_row(params![now(), QUEUE], |row| row.get(0))?;
        Ok(!open)
    }

    pub(crate) fn checkpoint(&self) -> Result<(), Error> {
        Ok(self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
    }
}

/// An id that no other process takes: the instant, this process, a number.
fn fresh_id(now: i64) -> [u8; 16] {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = u128::from(NUMBER.fetch_add(1, Ordering::Relaxed));
    ((now as u128) << 64 | number << 32 | u128::from(process::id())).to_be_bytes()
}

fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_micros() as i64
}
