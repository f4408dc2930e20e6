//! Punctual: everything at its default, but 1,000 slots and as many jobs prefetched where throughput is measured.

use std::time::Duration;

use protocol::{Error, Job, OnStart, Payload, Request, Schedule, System};
use punctual::{
    Engine, NewJob, Task, Worker,
    job::Defaults,
    queue::{QueueName, Retention},
    run::{Claim, ClaimFrom, WorkerId},
    schedule::{Every, Plan, Spec},
    source::Source,
    store::{Filter, Page, View},
};
use serde::{Deserialize, Serialize};

/// Jobs that run at once, and jobs that are claimed ahead of them, where throughput is measured.
const SLOTS: usize = 1_000;

/// The priority of jobs that are not urgent is the default; urgent ones have the highest.
const URGENT: u8 = 0;

/// How long a measured claim leases its jobs: longer than the measurement.
const LEASE: Duration = Duration::from_secs(600);

fn main() -> Result<(), Error> {
    protocol::run::<Punctual>()
}

struct Punctual {
    engine: Engine,
    throughput: bool,
}

#[derive(Deserialize, Serialize)]
#[serde(transparent)]
struct Bench {
    payload: Payload,
}

impl Task for Bench {
    const KIND: &'static str = "bench";
    type Output = ();
}

impl System for Punctual {
    fn unsupported(_: &Request) -> Option<String> {
        None
    }

    async fn open(request: &Request) -> Result<Self, Error> {
        let mut defaults = Defaults::default();
        if request.delete {
            defaults.retention = Retention::all(Duration::ZERO);
        }
        let engine = Engine::builder().defaults(defaults).open(&request.store).await?;
        let throughput = ["work", "cycle-work"].contains(&request.command.as_str());
        Ok(Self { engine, throughput })
    }

    /// Its connections are its own; what it says of itself is checked by the count of syncs.
    async fn is_durable(&self) -> Result<bool, Error> {
        let report = self.engine.check().await?;
        // Redis is measured with the setting that all who are measured there use.
        let everysec = report
            .notes
            .iter()
            .any(|note| note.contains("(appendfsync everysec)"));
        Ok(report.durable || everysec)
    }

    async fn enqueue(&self, job: Job) -> Result<(), Error> {
        self.engine.enqueue(new_job(job)?).await?;
        Ok(())
    }

    async fn enqueue_all(&self, jobs: Vec<Job>) -> Result<(), Error> {
        let jobs = jobs.into_iter().map(new_job).collect::<Result<Vec<_>, _>>()?;
        for enqueued in self.engine.enqueue_all(jobs).await {
            enqueued?;
        }
        Ok(())
    }

    async fn work(&self, on_start: OnStart) -> Result<(), Error> {
        let mut worker = Worker::new(&self.engine).handle(move |task: Bench| {
            on_start(task.payload.number);
            std::future::ready(Ok(()))
        });
        if self.throughput {
            worker = worker.concurrency(SLOTS).prefetch(SLOTS);
        }
        worker.run_until(std::future::pending()).await?;
        Ok(())
    }

    async fn is_drained(&self) -> Result<bool, Error> {
        // Lists are of this moment; counts may be some seconds old on PostgreSQL.
        let due = Filter {
            view: View::Waiting,
            due_before: Some(self.engine.now()),
            ..Filter::default()
        };
        let running = Filter {
            view: View::Running,
            ..Filter::default()
        };
        let open = self.has_any(running).await? || self.has_any(due).await?;
        Ok(!open)
    }

    async fn claim(&self, most: usize) -> Result<Option<usize>, Error> {
        let claim = Claim {
            worker: WorkerId::from("bench"),
            from: ClaimFrom::Queues(vec![QueueName::default()]),
            max: most,
            lease: LEASE,
            now: None,
        };
        Ok(Some(self.engine.claim(claim, Duration::ZERO).await?.jobs.len()))
    }

    async fn schedule(&self, schedule: Schedule) -> Result<(), Error> {
        let name = format!("bench-{}", schedule.payload.number);
        let spec = Spec::Every(Every {
            length: schedule.every,
            phase: schedule.phase,
        });
        let job = NewJob::task(&Bench {
            payload: schedule.payload,
        })?;
        self.engine
            .set_schedule(name, Plan::new(spec, job), Some(0))
            .await?;
        Ok(())
    }

    async fn close(&self) -> Result<(), Error> {
        Ok(self.engine.close().await?)
    }
}

impl Punctual {
    async fn has_any(&self, filter: Filter) -> Result<bool, Error> {
        let first = Page {
            limit: 1,
            after: None,
        };
        Ok(!self.engine.list(filter, first).await?.items.is_empty())
    }
}

fn new_job(job: Job) -> Result<NewJob<()>, Error> {
    let mut new = NewJob::task(&Bench { payload: job.payload })?;
    if job.urgent {
        new = new.priority(URGENT);
    }
    if let Some(due) = job.due {
        new = new.at(due);
    }
    Ok(new)
}
