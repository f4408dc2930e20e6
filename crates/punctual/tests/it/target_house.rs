//! The surroundings of a target under test: an engine in memory and a worker, in real time.

use std::time::Duration;

use punctual::engine::{Ending, IntoJob};
use punctual::job::FailureReason;
use punctual::schedule::{Plan, Spec};
use punctual::worker::Worker;
use punctual::{Engine, NewJob, Task, days};
use tokio::task::JoinHandle;

use crate::polling;

/// How long a test waits before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct House {
    pub(crate) engine: Engine,
    worker: JoinHandle<()>,
}

impl House {
    /// A house whose worker was given its handlers by `register`.
    pub(crate) async fn with(register: impl FnOnce(Worker) -> Worker) -> House {
        let engine = Engine::open("memory:").await.expect("memory is always there");
        let worker = register(Worker::new(&engine)).queues(["default", "http", "command"]);
        let worker = tokio::spawn(async move {
            let done = worker.run_until(std::future::pending()).await;
            panic!("a worker that nobody stops came to an end: {done:?}");
        });
        House { engine, worker }
    }

    /// How a job ends.
    pub(crate) async fn ending<J: IntoJob>(&self, job: J) -> Ending {
        let job = self.engine.enqueue(job).await.expect("a job that is admitted");
        let ending = job.ending(PATIENCE).await.expect("the engine answers");
        assert!(
            !matches!(ending, Ending::Pending(_)),
            "the job does not end: {ending:?}"
        );
        ending
    }

    /// What a job that succeeds returns.
    pub(crate) async fn result<T: Task>(&self, task: &T) -> T::Output {
        match self.ending(once(task)).await {
            Ending::Succeeded(_, result) => {
                serde_json::from_slice(&result).expect("it reads as the task's output")
            }
            other => panic!("it did not succeed: {other:?}"),
        }
    }

    /// What the one attempt of a job that fails said, and whether it would have had another one.
    pub(crate) async fn failure<T: Task>(&self, task: &T) -> (String, bool) {
        match self.ending(once(task)).await {
            Ending::Failed(job, failure) => {
                let said = job.status.history[0].error.clone().unwrap_or_default();
                (said, failure.reason == FailureReason::Exhausted)
            }
            other => panic!("it did not fail: {other:?}"),
        }
    }

    /// How a run out of turn of the schedule `nightly` ends, whose jobs are like this one.
    pub(crate) async fn triggered<T: Task>(&self, task: &T) -> Ending {
        let plan = Plan::new(Spec::every(days(1)), once(task));
        let set = self.engine.set_schedule("nightly", plan, None).await;
        set.expect("a plan that can be");
        let id = self.engine.trigger_schedule("nightly", None).await;
        let job = self.engine.job(id.expect("it is made"));
        job.ending(PATIENCE).await.expect("the engine answers")
    }

    /// The row of a job, once it is as it should be.
    pub(crate) async fn until(
        &self,
        id: punctual::JobId,
        is_right: impl Fn(&punctual::job::Job) -> bool,
    ) -> punctual::job::Job {
        let mut found = None;
        polling::until("the job is as it should be", async || {
            let job = self.engine.fetch(id).await.expect("the job is there");
            is_right(found.insert(job))
        })
        .await;
        found.expect("it was looked at")
    }

    /// Drops the worker with all that it runs.
    #[cfg(feature = "target-command")]
    pub(crate) async fn drop_worker(mut self) {
        self.worker.abort();
        let aborted = (&mut self.worker).await.expect_err("it was aborted");
        assert!(aborted.is_cancelled(), "{aborted}");
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.worker.abort();
    }
}

/// A job of one attempt.
pub(crate) fn once<T: Task>(task: &T) -> NewJob<T::Output> {
    NewJob::task(task).expect("it has a JSON form").max_attempts(1)
}

/// Waits until something is so.
pub(crate) async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    polling::until(what, async || is_so()).await;
}
