//! graphile_worker: 50 jobs at once, a local queue of 2,000 twice, completions gathered for 20 ms. It deletes what it finished.

use std::{fmt, time::Duration};

use graphile_worker::{
    IntoTaskHandlerResult, JobSpec, LocalQueueConfig, TaskHandler, WorkerContext, WorkerOptions,
    worker_utils::WorkerUtils,
};
use protocol::{Error, Job, OnStart, Payload, Request, System};
use serde::{Deserialize, Serialize};
use sqlx::{PgPool, postgres::PgPoolOptions, types::chrono::DateTime};

/// Callers that enqueue at once have a connection each, up to this.
const CONNECTIONS: u32 = 20;

const SCHEMA: &str = "graphile_worker";

/// How long completions are gathered, but where latency is measured.
const COMPLETIONS: Duration = Duration::from_millis(20);

fn main() -> Result<(), Error> {
    protocol::run::<Graphile>()
}

struct Graphile {
    request: Request,
    pool: PgPool,
    utils: WorkerUtils,
}

#[derive(Clone, Deserialize, Serialize)]
#[serde(transparent)]
struct Task {
    payload: Payload,
}

/// What the handler calls, as its library hands it over.
#[derive(Clone)]
struct Start(OnStart);

impl fmt::Debug for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Start")
    }
}

impl TaskHandler for Task {
    const IDENTIFIER: &'static str = "bench";

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        if let Some(Start(on_start)) = context.get_ext::<Start>() {
            on_start(self.payload.number);
        }
        Ok::<(), String>(())
    }
}

impl System for Graphile {
    fn unsupported(request: &Request) -> Option<String> {
        let works = ["work", "cycle-work", "cycle-enqueue"].contains(&request.command.as_str());
        (works && !request.delete).then(|| "deletes finished jobs".to_owned())
    }

    async fn open(request: &Request) -> Result<Self, Error> {
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .connect(&request.store)
            .await?;
        let utils = WorkerUtils::new(pool.clone(), SCHEMA);
        utils.migrate().await?;
        Ok(Self {
            request: request.clone(),
            pool,
            utils,
        })
    }

    async fn is_durable(&self) -> Result<bool, Error> {
        let durable =
            "SELECT current_setting('fsync') = 'on' AND current_setting('synchronous_commit') = 'on'";
        Ok(sqlx::query_scalar(durable).fetch_one(&self.pool).await?)
    }

    async fn enqueue(&self, job: Job) -> Result<(), Error> {
        let spec = spec(&job)?;
        self.utils.add_job(Task { payload: job.payload }, spec).await?;
        Ok(())
    }

    async fn enqueue_all(&self, jobs: Vec<Job>) -> Result<(), Error> {
        let specs = jobs.iter().map(spec).collect::<Result<Vec<_>, _>>()?;
        let tasks = jobs.into_iter().map(|job| Task { payload: job.payload });
        let jobs: Vec<_> = tasks.zip(&specs).collect();
        self.utils.add_jobs(&jobs).await?;
        Ok(())
    }

    async fn work(&self, on_start: OnStart) -> Result<(), Error> {
        let mut options = WorkerOptions::default()
            .pg_pool(self.pool.clone())
            .schema(SCHEMA)
            .concurrency(50)
            .listen_os_shutdown_signals(false)
            .add_extension(Start(on_start))
            .define_job::<Task>();
        if !self.request.is_of_latency() {
            let queue = LocalQueueConfig::default().with_size(2_000).with_queue_count(2);
            options = options.local_queue(queue).complete_job_batch_delay(COMPLETIONS);
        }
        options.init().await?.run().await?;
        Ok(())
    }

    async fn is_drained(&self) -> Result<bool, Error> {
        let open: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM graphile_worker._private_jobs WHERE run_at <= now())",
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(!open)
    }

    /// Its tasks outlive its worker and would try a closed pool for ever; they end with the process.
    async fn close(&self) -> Result<(), Error> {
        Ok(())
    }
}

/// A lower number goes first; 0 is the default.
fn spec(job: &Job) -> Result<JobSpec, Error> {
    let mut spec = JobSpec {
        priority: Some(if job.urgent { -1 } else { 0 }),
        ..JobSpec::default()
    };
    if let Some(micros) = job.due_micros() {
        spec.run_at = Some(DateTime::from_timestamp_micros(micros).ok_or("an instant too far away")?);
    }
    Ok(spec)
}
