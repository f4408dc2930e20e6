//! apalis-redis: batches of 1,000, 100 at once, a poll every 5 ms, a heartbeat every second. Its due instants are in whole seconds, and a script of its own fails when
//! more than some thousand jobs become due at once.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use apalis::prelude::*;
use apalis_redis::{Config, ConnectionManager, RedisStorage, queries};
use protocol::{Job, OnStart, Payload, Request, System};

/// Its queue.
const QUEUE: &str = "bench";
const WORKER: &str = "bench";

/// Jobs that are fetched at once, and jobs that run at once.
const BATCH: usize = 1_000;
const AT_ONCE: usize = 100;

/// Without an interval an idle worker looks only when it beats.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// An interval is sometimes lost, and then the next heartbeat is what finds the job: not every 30 s, then.
const HEARTBEAT: Duration = Duration::from_secs(1);

fn main() -> Result<(), protocol::Error> {
    protocol::run::<Apalis>()
}

struct Apalis {
    connection: ConnectionManager,
}

impl System for Apalis {
    fn unsupported(request: &Request) -> Option<String> {
        request.delete.then(|| "keeps finished jobs".to_owned())
    }

    async fn open(request: &Request) -> Result<Self, protocol::Error> {
        let connection = apalis_redis::connect(request.store.as_str()).await?;
        Ok(Self { connection })
    }

    async fn is_durable(&self) -> Result<bool, protocol::Error> {
        let setting: Vec<String> = redis::cmd("CONFIG")
            .arg("GET")
            .arg("appendonly")
            .query_async(&mut self.connection.clone())
            .await?;
        Ok(setting.last().is_some_and(|value| value == "yes"))
    }

    async fn enqueue(&self, job: Job) -> Result<(), protocol::Error> {
        self.enqueue_all(vec![job]).await
    }

    async fn enqueue_all(&self, jobs: Vec<Job>) -> Result<(), protocol::Error> {
        let tasks = jobs.iter().map(task).collect::<Result<Vec<_>, _>>()?;
        queries::push_tasks(&mut self.connection.clone(), &config(), &tasks).await?;
        Ok(())
    }

    async fn work(&self, on_start: OnStart) -> Result<(), protocol::Error> {
        let backend = RedisStorage::<Payload>::new(self.connection.clone())
            .with_config(config())
            .poll_with_interval(POLL_INTERVAL);
        let handler = move |payload: Payload| {
            on_start(payload.number);
            async { Ok::<(), BoxDynError>(()) }
        };
        let worker = WorkerBuilder::new(WORKER)
            .backend(backend)
            .concurrency(AT_ONCE)
            .build(handler);
        // Its future is not provably `Send`; like in its examples, a thread of its own blocks on it.
        let runtime = tokio::runtime::Handle::current();
        tokio::task::spawn_blocking(move || runtime.block_on(worker.run())).await??;
        Ok(())
    }

    async fn is_drained(&self) -> Result<bool, protocol::Error> {
        let mut connection = self.connection.clone();
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let config = config();
        let due: u64 = redis::cmd("ZCOUNT")
            .arg(config.scheduled_jobs_set())
            .arg("-inf")
            .arg(now)
            .query_async(&mut connection)
            .await?;
        let ready: u64 = redis::cmd("LLEN")
            .arg(config.active_jobs_list())
            .query_async(&mut connection)
            .await?;
        let running: u64 = redis::cmd("SCARD")
            .arg(format!("{}:{WORKER}", config.inflight_jobs_set()))
            .query_async(&mut connection)
            .await?;
        Ok(due + ready + running == 0)
    }

    async fn close(&self) -> Result<(), protocol::Error> {
        Ok(())
    }
}

fn config() -> Config {
    Config::default()
        .queue(QUEUE)
        .batch_size(BATCH)
        .heartbeat_interval(HEARTBEAT)
        .missed_heartbeats(60)
}

fn task(job: &Job) -> Result<Task<Vec<u8>>, protocol::Error> {
    let mut task = TaskBuilder::new(serde_json::to_vec(&job.payload)?);
    if let Some(seconds) = job.due_seconds() {
        task = task.run_at_timestamp(seconds);
    }
    Ok(task.build())
}
