//! A handler that may be replaced by another one of its kind while jobs run.

use std::sync::{Arc, PoisonError, RwLock};

use punctual::worker::{Handler, Run, States, Stop};
use punctual::{Error, Task};

/// The handler that is in force. Clones share it.
pub(super) struct Current<H>(Arc<RwLock<H>>);

impl<H> Current<H> {
    pub(super) fn new(handler: H) -> Current<H> {
        Current(Arc::new(RwLock::new(handler)))
    }

    /// Jobs that begin from now on are handled by this one.
    pub(super) fn replace(&self, handler: H) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = handler;
    }
}

impl<H> Clone for Current<H> {
    fn clone(&self) -> Current<H> {
        Current(Arc::clone(&self.0))
    }
}

impl<A: 'static, H: Handler<A> + Clone> Handler<A> for Current<H> {
    type Task = H::Task;

    async fn call(&self, task: H::Task, run: Run) -> Result<<H::Task as Task>::Output, Stop> {
        let handler = self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        handler.call(task, run).await
    }

    fn check(states: &States) -> Result<(), Error> {
        H::check(states)
    }
}
