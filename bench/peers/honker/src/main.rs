//! honker: claims and acknowledges a thousand at once; a finished job is deleted. It opens its connection
//! with `synchronous=NORMAL`; `with_conn`, its documented way to the connection, raises that to FULL.

use honker::{Database, EnqueueOpts, Queue, QueueOpts};
use protocol::{Error, Job, OnStart, Payload, Request, SQLITE_FULL, System};
use tokio::task::spawn_blocking;

/// Jobs that one claim takes and one acknowledgement deletes.
const BATCH: i64 = 1_000;

/// The name it works under.
const WORKER: &str = "bench";

fn main() -> Result<(), Error> {
    protocol::run::<Honker>()
}

struct Honker {
    database: Database,
    queue: Queue,
}

impl System for Honker {
    fn unsupported(request: &Request) -> Option<String> {
        let history = ["work", "cycle-work", "cycle-enqueue"].contains(&request.command.as_str());
        (history && !request.delete).then(|| "deletes finished jobs".to_owned())
    }

    async fn open(request: &Request) -> Result<Self, Error> {
        let database = Database::open(request.file())?;
        database.with_conn(|connection| connection.execute_batch("PRAGMA synchronous = FULL"))?;
        let queue = database.queue("bench", QueueOpts::default());
        Ok(Self { database, queue })
    }

    async fn is_durable(&self) -> Result<bool, Error> {
        let synchronous: i64 = self
            .database
            .with_conn(|c| c.query_row("PRAGMA synchronous", [], |row| row.get(0)))?;
        Ok(synchronous >= SQLITE_FULL)
    }

    async fn enqueue(&self, job: Job) -> Result<(), Error> {
        let queue = self.queue.clone();
        spawn_blocking(move || {
            queue.enqueue(&job.payload, options(&job))?;
            Ok(())
        })
        .await?
    }

    async fn enqueue_all(&self, jobs: Vec<Job>) -> Result<(), Error> {
        let (database, queue) = (self.database.clone(), self.queue.clone());
        spawn_blocking(move || {
            let transaction = database.transaction()?;
            for job in &jobs {
                queue.enqueue_tx(&transaction, &job.payload, options(job))?;
            }
            transaction.commit()?;
            Ok(())
        })
        .await?
    }

    async fn work(&self, on_start: OnStart) -> Result<(), Error> {
        let queue = self.queue.clone();
        spawn_blocking(move || {
            let waker = queue.claim_waker();
            loop {
                let mut jobs = queue.claim_batch(WORKER, BATCH)?;
                if jobs.is_empty() {
                    jobs.extend(waker.next(WORKER)?);
                }
                for job in &jobs {
                    on_start(job.payload_as::<Payload>()?.number);
                }
                let ids: Vec<_> = jobs.iter().map(|job| job.id).collect();
                queue.ack_batch(&ids, WORKER)?;
            }
        })
        .await?
    }

    async fn is_drained(&self) -> Result<bool, Error> {
        let open: bool = self.database.with_conn(|connection| {
            connection.query_row(
                "SELECT EXISTS (SELECT 1 FROM _honker_live WHERE state = 'processing')
                     OR EXISTS (SELECT 1 FROM _honker_live WHERE state = 'pending' AND run_at <= unixepoch())",
                [],
                |row| row.get(0),
            )
        })?;
        Ok(!open)
    }

    async fn claim(&self, most: usize) -> Result<Option<usize>, Error> {
        Ok(Some(self.queue.claim_batch(WORKER, most as i64)?.len()))
    }

    async fn close(&self) -> Result<(), Error> {
        Ok(self
            .database
            .with_conn(|c| c.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)"))?)
    }
}

fn options(job: &Job) -> EnqueueOpts {
    EnqueueOpts {
        run_at: job.due_seconds().map(|seconds| seconds as i64),
        priority: i64::from(job.urgent),
        ..EnqueueOpts::default()
    }
}
