//! The thread on which connections live. It is the store's own, so that the store works under any runtime and under none,
//! and no busy handler keeps a heartbeat from its connection.

use std::io;
use std::thread::JoinHandle;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::error::Error;
use crate::limits;

/// Where tasks of the store run. When it is dropped, what was begun is waited for, though not long.
pub(super) struct Driver {
    spawner: Spawner,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

/// Begins tasks on a [`Driver`].
#[derive(Clone)]
pub(super) struct Spawner {
    runtime: Handle,
    tasks: TaskTracker,
}

impl Driver {
    pub(super) fn start() -> Result<Driver, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(no_thread)?;
        let spawner = Spawner {
            runtime: runtime.handle().clone(),
            tasks: TaskTracker::new(),
        };
        let stop = CancellationToken::new();
        let (stopped, tasks) = (stop.clone(), spawner.tasks.clone());
        let run = move || {
            runtime.block_on(async move {
                stopped.cancelled().await;
                tasks.close();
                tokio::time::timeout(limits::LAST_ANSWERS, tasks.wait())
                    .await
                    .ok();
            });
        };
        let thread = std::thread::Builder::new()
            .name("punctual-redis".to_owned())
            .spawn(run)
            .map_err(no_thread)?;
        Ok(Driver {
            spawner,
            stop,
            thread: Some(thread),
        })
    }

    pub(super) fn spawner(&self) -> &Spawner {
        &self.spawner
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

impl Spawner {
    /// Does `work` on the driver. It goes on to its end even if nobody waits for it any more.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let (answer, answers) = oneshot::channel();
        let work = async move { drop(answer.send(work.await)) };
        self.tasks.spawn_on(work, &self.runtime);
        answers
            .await
            .map_err(|_| Error::unknown("the Redis store ended before it had an answer"))?
    }

    /// Begins what ends by itself when the store does.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn_on(work, &self.runtime);
    }

    /// Begins what goes on for as long as the driver does.
    pub(super) fn spawn_endless(&self, work: impl Future<Output = ()> + Send + 'static) {
        drop(self.runtime.spawn(work));
    }
}

fn no_thread(error: io::Error) -> Error {
    Error::unavailable("this machine gives the Redis store no thread").caused_by(error)
}
