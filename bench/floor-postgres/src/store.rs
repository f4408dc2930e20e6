//! The table, and the statements.

use std::{
    process,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use protocol::{Error, Job};
use tokio_postgres::{Client, NoTls, Statement, types::Type};
use uuid::Uuid;

/// Vacuumed as eagerly as Punctual's own table.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS job (
        id       uuid     NOT NULL PRIMARY KEY, -- ascending, as a UUID v7
        queue    text     NOT NULL COLLATE \"C\",
        kind     text     NOT NULL COLLATE \"C\",
        state    smallint NOT NULL DEFAULT 0, -- 0 waiting, 1 running, 2 finished
        priority smallint NOT NULL,
        due      bigint   NOT NULL,
        lease    bigint,
        ended    bigint,
        payload  bytea    NOT NULL
    ) WITH (
        autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0
    );
    CREATE INDEX IF NOT EXISTS line  ON job (queue, priority, due, id) WHERE state = 0;
    CREATE INDEX IF NOT EXISTS lease ON job (lease) WHERE state = 1;
    CREATE INDEX IF NOT EXISTS ended ON job (queue, ended) WHERE state = 2;
";

/// Good plans also while nothing is known about the table.
const SETTINGS: &str = "
    SET plan_cache_mode = force_generic_plan;
    SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
    SET jit = off;
";

/// A job that is sent again is the same job.
const INSERT: &str = "
    INSERT INTO job (id, queue, kind, priority, due, payload)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::smallint[], $5::bigint[], $6::bytea[])
    ON CONFLICT DO NOTHING";

/// Each priority's line, first due first.
const CLAIM: &str = "
    WITH picked AS MATERIALIZED (
        SELECT first.id
        FROM (VALUES (0::smallint), (5::smallint)) AS step (priority)
        CROSS JOIN LATERAL (
            SELECT id FROM job WHERE state = 0 AND queue = $4 AND priority = step.priority AND due <= $1
            ORDER BY due, id LIMIT $2 FOR UPDATE SKIP LOCKED) AS first
        LIMIT $2)
    UPDATE job SET state = 1, lease = $3 FROM picked WHERE job.id = picked.id
    RETURNING job.id, payload";

const NEXT_DUE: &str = "
    SELECT min(first.due)
    FROM (VALUES (0::smallint), (5::smallint)) AS step (priority)
    CROSS JOIN LATERAL (
        SELECT due FROM job WHERE state = 0 AND queue = $1 AND priority = step.priority ORDER BY due, id LIMIT 1) AS first";

/// By the name: `+ 0` keeps the planner from the index on leases, which it takes for empty.
const FINISH: &str = "
    UPDATE job SET state = 2, lease = NULL, ended = $2 FROM unnest($1::uuid[]) AS done (id)
    WHERE job.id = done.id AND state + 0 = 1";

const DELETE: &str =
    "DELETE FROM job USING unnest($1::uuid[]) AS done (id) WHERE job.id = done.id AND state + 0 = 1";

const IS_OPEN: &str = "
    SELECT EXISTS (SELECT 1 FROM job WHERE state = 1)
        OR EXISTS (SELECT 1 FROM job WHERE state = 0 AND queue = $2 AND priority = 0 AND due <= $1)
        OR EXISTS (SELECT 1 FROM job WHERE state = 0 AND queue = $2 AND priority = 5 AND due <= $1)";

/// What every job has, and no job of a benchmark has otherwise.
const QUEUE: &str = "default";
const KIND: &str = "bench";

/// The priorities there are: urgent, ordinary.
const PRIORITIES: [i16; 2] = [0, 5];

const LEASE_MICROS: i64 = 30_000_000;

/// A connection, and what is prepared on it.
pub(crate) struct Store {
    client: Client,
    prepared: tokio::sync::OnceCell<Prepared>,
}

struct Prepared {
    insert: Statement,
    claim: Statement,
    next_due: Statement,
    finish: Statement,
    delete: Statement,
    is_open: Statement,
}

/// A claimed job.
pub(crate) struct Claimed {
    pub(crate) id: Uuid,
    pub(crate) payload: Vec<u8>,
}

impl Store {
    pub(crate) async fn open(url: &str) -> Result<Self, Error> {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        tokio::spawn(connection);
        client.batch_execute(SETTINGS).await?;
        let prepared = tokio::sync::OnceCell::new();
        Ok(Self { client, prepared })
    }

    /// Makes the table, if it is not there.
    pub(crate) async fn make(&self) -> Result<(), Error> {
        Ok(self.client.batch_execute(SCHEMA).await?)
    }

    pub(crate) async fn is_durable(&self) -> Result<bool, Error> {
        let row = self
            .client
            .query_one(
                "SELECT current_setting('fsync') = 'on' AND current_setting('synchronous_commit') = 'on'",
                &[],
            )
            .await?;
        Ok(row.get(0))
    }

    /// Inserts all of these jobs in one commit.
    pub(crate) async fn insert(&self, jobs: impl Iterator<Item = &Job>) -> Result<(), Error> {
        let now = now();
        let (mut ids, mut priorities, mut dues, mut payloads) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for job in jobs {
            ids.push(fresh_id(now));
            priorities.push(PRIORITIES[usize::from(!job.urgent)]);
            dues.push(job.due_micros().unwrap_or(now));
            payloads.push(serde_json::to_vec(&job.payload)?);
        }
        let (queues, kinds) = (vec![QUEUE; ids.len()], vec![KIND; ids.len()]);
        let statement = &self.prepared().await?.insert;
        self.client
            .execute(statement, &[&ids, &queues, &kinds, &priorities, &dues, &payloads])
            .await?;
        Ok(())
    }

    /// Claims up to `most` due jobs in one commit.
    pub(crate) async fn claim(&self, most: usize) -> Result<Vec<Claimed>, Error> {
        let now = now();
        let statement = &self.prepared().await?.claim;
        let rows = self
            .client
            .query(statement, &[&now, &(most as i64), &(now + LEASE_MICROS), &QUEUE])
            .await?;
        let read = |row: &tokio_postgres::Row| {
            Ok(Claimed {
                id: row.try_get(0)?,
                payload: row.try_get(1)?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// Completes these jobs in one commit.
    pub(crate) async fn complete(&self, jobs: &[Claimed], delete: bool) -> Result<(), Error> {
        if jobs.is_empty() {
            return Ok(());
        }
        let ids: Vec<Uuid> = jobs.iter().map(|job| job.id).collect();
        let prepared = self.prepared().await?;
        if delete {
            self.client.execute(&prepared.delete, &[&ids]).await?;
        } else {
            self.client.execute(&prepared.finish, &[&ids, &now()]).await?;
        }
        Ok(())
    }

    /// How long until a job is due: nothing if one is, `None` if none waits.
    pub(crate) async fn until_due(&self) -> Result<Option<Duration>, Error> {
        let statement = &self.prepared().await?.next_due;
        let due: Option<i64> = self.client.query_one(statement, &[&QUEUE]).await?.try_get(0)?;
        Ok(due.map(|due| Duration::from_micros(due.saturating_sub(now()).max(0) as u64)))
    }

    pub(crate) async fn is_drained(&self) -> Result<bool, Error> {
        let statement = &self.prepared().await?.is_open;
        let open: bool = self
            .client
            .query_one(statement, &[&now(), &QUEUE])
            .await?
            .try_get(0)?;
        Ok(!open)
    }

    async fn prepared(&self) -> Result<&Prepared, Error> {
        let text = |sql| self.client.prepare_typed(sql, &[]);
        self.prepared
            .get_or_try_init(|| async {
                Ok(Prepared {
                    insert: text(INSERT).await?,
                    claim: self
                        .client
                        .prepare_typed(CLAIM, &[Type::INT8, Type::INT8, Type::INT8, Type::TEXT])
                        .await?,
                    next_due: text(NEXT_DUE).await?,
                    finish: text(FINISH).await?,
                    delete: text(DELETE).await?,
                    is_open: text(IS_OPEN).await?,
                })
            })
            .await
    }
}

/// An id that no other process takes: the instant, this process, a number.
fn fresh_id(now: i64) -> Uuid {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = u128::from(NUMBER.fetch_add(1, Ordering::Relaxed));
    Uuid::from_u128((now as u128) << 64 | number << 32 | u128::from(process::id()))
}

fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_micros() as i64
}
