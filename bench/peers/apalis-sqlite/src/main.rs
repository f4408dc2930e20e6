//! apalis-sqlite: batches of 100, a poll every 5 ms, a heartbeat every second. Its `setup` turns `synchronous` off on one connection of the pool, so
//! the tables are made by its documented migrations and the pool's own options say FULL.

use std::time::Duration;

use apalis::prelude::*;
use apalis_sqlite::{
    Config, SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteStorage, queries::push_tasks,
};
use protocol::{Job, OnStart, Payload, Request, SQLITE_FULL, System};
use sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};

/// Its queue.
const QUEUE: &str = "bench";

/// Without an interval an idle worker looks only when it beats; 20 ms were worse than 5 ms.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// An interval is sometimes lost, and then the next heartbeat is what finds the job: not every 30 s, then.
const HEARTBEAT: Duration = Duration::from_secs(1);

fn main() -> Result<(), protocol::Error> {
    protocol::run::<Apalis>()
}

struct Apalis {
    pool: SqlitePool,
}

impl System for Apalis {
    fn unsupported(request: &Request) -> Option<String> {
        request.delete.then(|| "keeps finished jobs".to_owned())
    }

    async fn open(request: &Request) -> Result<Self, protocol::Error> {
        let options = SqliteConnectOptions::new()
            .filename(request.file())
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(30));
        let pool = SqlitePoolOptions::new()
            .max_connections(5)
            .connect_with(options)
            .await?;
        SqliteStorage::migrations().run(&pool).await?;
        Ok(Self { pool })
    }

    async fn is_durable(&self) -> Result<bool, protocol::Error> {
        let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous")
            .fetch_one(&self.pool)
            .await?;
        Ok(synchronous >= SQLITE_FULL)
    }

    async fn enqueue(&self, job: Job) -> Result<(), protocol::Error> {
        self.enqueue_all(vec![job]).await
    }

    async fn enqueue_all(&self, jobs: Vec<Job>) -> Result<(), protocol::Error> {
        let tasks = jobs.iter().map(task).collect::<Result<Vec<_>, _>>()?;
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        push_tasks(&mut *transaction, QUEUE, &tasks).await?;
        transaction.commit().await?;
        Ok(())
    }

    async fn work(&self, on_start: OnStart) -> Result<(), protocol::Error> {
        let config = Config::default()
            .queue(QUEUE)
            .batch_size(100)
            .heartbeat_interval(HEARTBEAT)
            .missed_heartbeats(60);
        let backend = SqliteStorage::<Payload>::new(&self.pool)
            .with_config(config)
            .poll_with_interval(POLL_INTERVAL);
        let handler = move |payload: Payload| {
            on_start(payload.number);
            async { Ok::<(), BoxDynError>(()) }
        };
        let worker = WorkerBuilder::new("bench").backend(backend).build(handler);
        // Its future is not provably `Send`; like in its examples, a thread of its own blocks on it.
        let runtime = tokio::runtime::Handle::current();
        tokio::task::spawn_blocking(move || runtime.block_on(worker.run())).await??;
        Ok(())
    }

    async fn is_drained(&self) -> Result<bool, protocol::Error> {
        let open: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM Jobs WHERE status IN ('Queued', 'Running'))
                 OR EXISTS (SELECT 1 FROM Jobs WHERE status = 'Pending' AND run_at <= unixepoch())",
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(!open)
    }

    async fn close(&self) -> Result<(), protocol::Error> {
        self.pool.close().await;
        Ok(())
    }
}

fn task(job: &Job) -> Result<Task<Vec<u8>>, protocol::Error> {
    let mut task = TaskBuilder::new(serde_json::to_vec(&job.payload)?).priority(usize::from(job.urgent));
    if let Some(seconds) = job.due_seconds() {
        task = task.run_at_timestamp(seconds);
    }
    Ok(task.build())
}
