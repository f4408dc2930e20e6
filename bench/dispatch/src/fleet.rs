//! Workers, each with an engine and a store of its own, as if each were a process.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use punctual::{Engine, Task, Worker};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::{Error, Plan};

/// Longer than any job takes on a machine that has nothing else to do.
const STANDSTILL: Duration = Duration::from_secs(60);

#[derive(Deserialize, Serialize)]
pub struct Nothing {}

impl Task for Nothing {
    const KIND: &'static str = "nothing";
    type Output = ();
}

pub struct Fleet {
    stop: watch::Sender<bool>,
    workers: Vec<JoinHandle<Result<(), punctual::Error>>>,
    ran: Arc<AtomicUsize>,
}

/// An engine on a store.
pub async fn engine(plan: &Plan, store: &str, dispatched: bool) -> Result<Engine, Error> {
    let builder = Engine::builder();
    let builder = match dispatched {
        true => builder.dispatch(&plan.redis),
        false => builder,
    };
    Ok(builder.open(store).await?)
}

impl Fleet {
    /// So many workers with so many slots each.
    pub async fn start(
        plan: &Plan,
        store: &str,
        dispatched: bool,
        workers: usize,
        slots: usize,
    ) -> Result<Fleet, Error> {
        let (stop, stopped) = watch::channel(false);
        let ran = Arc::new(AtomicUsize::new(0));
        let mut fleet = Fleet {
            stop,
            workers: Vec::new(),
            ran: Arc::clone(&ran),
        };
        for _ in 0..workers {
            let engine = engine(plan, store, dispatched).await?;
            let (mut stopped, ran) = (stopped.clone(), Arc::clone(&ran));
            fleet.workers.push(tokio::spawn(async move {
                let until_stopped = async move { drop(stopped.wait_for(|stopped| *stopped).await) };
                let worker = Worker::new(&engine).concurrency(slots).handle(move |_: Nothing| {
                    ran.fetch_add(1, Ordering::Relaxed);
                    async { Ok(()) }
                });
                worker.run_until(until_stopped).await?;
                engine.close().await
            }));
        }
        Ok(fleet)
    }

    /// Waits until so many jobs have run. It fails once no other has run for very long.
    pub async fn has_run(&self, jobs: usize) -> Result<(), Error> {
        let (mut seen, mut since) = (0, Instant::now());
        loop {
            let ran = self.ran.load(Ordering::Relaxed);
            if ran >= jobs {
                return Ok(());
            }
            if ran > seen {
                (seen, since) = (ran, Instant::now());
            }
            if since.elapsed() > STANDSTILL {
                return Err(
                    format!("{ran} of {jobs} jobs have run, and no other one for {STANDSTILL:?}").into(),
                );
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub async fn stop(self) -> Result<(), Error> {
        self.stop.send_replace(true);
        for worker in self.workers {
            worker.await??;
        }
        Ok(())
    }
}
