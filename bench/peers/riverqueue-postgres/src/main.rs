//! riverqueue on PostgreSQL: 20 connections, 2,000 workers, a fetch every 2 ms (1 ms where latency is measured), a poll every 20 ms.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use protocol::{Error, Job, OnStart, Payload, Request, System};
use riverqueue::{
    Client, InsertOpts, JobArgs, QueueConfig, WorkContext, WorkOutcome, Workers,
    jiff::Timestamp,
    migrate::PostgresMigrator,
    sqlx::{self, PgPool, postgres::PgPoolOptions},
};
use serde::{Deserialize, Serialize};

/// Callers that enqueue at once have a connection each, up to this.
const CONNECTIONS: u32 = 20;

fn main() -> Result<(), Error> {
    protocol::run::<River>()
}

struct River {
    pool: PgPool,
    /// Inserts, and works once it is started: one client, so that an insertion here wakes the worker here.
    client: Client,
    on_start: Arc<OnceLock<OnStart>>,
}

#[derive(Clone, Deserialize, JobArgs, Serialize)]
#[river(kind = "bench")]
#[serde(transparent)]
struct Task {
    payload: Payload,
}

impl System for River {
    fn unsupported(request: &Request) -> Option<String> {
        request.delete.then(|| "keeps finished jobs".to_owned())
    }

    async fn open(request: &Request) -> Result<Self, Error> {
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .connect(&request.store)
            .await?;
        PostgresMigrator::new(pool.clone()).migrate_up().await?;
        let fetch_cooldown = Duration::from_millis(if request.is_of_latency() { 1 } else { 2 });
        let on_start = Arc::new(OnceLock::<OnStart>::new());
        let mut workers = Workers::new();
        let handler = on_start.clone();
        workers.add_fn(move |_: WorkContext, job: riverqueue::Job<Task>| {
            if let Some(on_start) = handler.get() {
                on_start(job.args.payload.number);
            }
            async { Ok::<_, Error>(WorkOutcome::Complete) }
        })?;
        let queue = QueueConfig::new(2_000).with_fetch_poll_interval(Duration::from_millis(20));
        let client = Client::builder(pool.clone())
            .workers(workers)
            .fetch_cooldown(fetch_cooldown)
            .queue("default", queue)
            .build()?;
        Ok(Self {
            pool,
            client,
            on_start,
        })
    }

    async fn is_durable(&self) -> Result<bool, Error> {
        let durable =
            "SELECT current_setting('fsync') = 'on' AND current_setting('synchronous_commit') = 'on'";
        Ok(sqlx::query_scalar(durable).fetch_one(&self.pool).await?)
    }

    async fn enqueue(&self, job: Job) -> Result<(), Error> {
        let (task, options) = arguments(job)?;
        self.client.insert(task).opts(options).await?;
        Ok(())
    }

    async fn enqueue_all(&self, jobs: Vec<Job>) -> Result<(), Error> {
        let jobs = jobs.into_iter().map(arguments).collect::<Result<Vec<_>, _>>()?;
        self.client.insert_many(jobs).await?;
        Ok(())
    }

    async fn work(&self, on_start: OnStart) -> Result<(), Error> {
        self.on_start.set(on_start).map_err(|_| "works already")?;
        self.client.start()?.wait().await?;
        Ok(())
    }

    async fn is_drained(&self) -> Result<bool, Error> {
        let open: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM river_job WHERE state IN ('available', 'running', 'retryable'))",
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(!open)
    }

    async fn close(&self) -> Result<(), Error> {
        self.pool.close().await;
        Ok(())
    }
}

/// Priority 1 is the first of four and the default; ordinary jobs take 2, to leave room above them.
fn arguments(job: Job) -> Result<(Task, InsertOpts), Error> {
    let mut options = InsertOpts::default().with_priority(if job.urgent { 1 } else { 2 });
    if let Some(micros) = job.due_micros() {
        options = options.with_scheduled_at(Timestamp::from_microsecond(micros)?);
    }
    Ok((Task { payload: job.payload }, options))
}
