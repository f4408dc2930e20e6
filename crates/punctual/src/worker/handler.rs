//! Handlers: plain functions that do the work of one kind of job, and what they are handed.

use std::any::{Any, TypeId, type_name};
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::ops::Deref;
use std::panic::resume_unwind;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde::Serialize;
use tokio_util::task::AbortOnDropHandle;

use crate::error::Error;
use crate::job::Task;
use crate::worker::run::Run;
use crate::worker::stop::{Stop, StopSignal};

/// An async function from a [`Task`] to its output: `Fn(T) -> impl Future<Output = Result<T::Output, Stop>>`, and
/// with up to four further arguments after the task, each of a type that is [`FromRun`]. `Arguments` is
/// inferred.
///
/// ```
/// # use punctual::Task;
/// use punctual::worker::{Handler, Run, State, Stop};
/// # #[derive(serde::Serialize, serde::Deserialize)] struct Welcome { user: u64 }
/// # impl Task for Welcome { const KIND: &'static str = "mail.welcome"; type Output = (); }
/// # #[derive(Clone)] struct Mailer;
///
/// async fn welcome(task: Welcome, run: Run, mailer: State<Mailer>) -> Result<(), Stop> {
///     Ok(())
/// }
///
/// fn takes_a_handler<A>(_: impl Handler<A>) {}
/// takes_a_handler(welcome);
/// takes_a_handler(|task: Welcome| async move { Ok(()) });
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no handler",
    note = "a handler is an async function of a `Task` and then of types that are `FromRun`, which returns `Result<Task::Output, Stop>`"
)]
pub trait Handler<Arguments>: Send + Sync + 'static {
    /// What it is given, which names the kind that it handles.
    type Task: Task;

    /// Does the work.
    fn call(
        &self,
        task: Self::Task,
        run: Run,
    ) -> impl Future<Output = Result<<Self::Task as Task>::Output, Stop>> + Send;

    /// Refuses a worker that lacks what the arguments need.
    fn check(states: &States) -> Result<(), Error>;
}

/// A handler that blocks its thread: as [`Handler`], without the future. It runs on one of the threads that the runtime
/// has for blocking work: 512 unless its builder was told otherwise, shared with whatever else blocks there. While
/// none is free it waits for one, which counts towards its timeout; a run that is stopped meanwhile never begins.
///
/// Once begun it cannot be stopped by force. One that does not look at its [`StopSignal`] goes on after its timeout or
/// a lost lease, and so beside the job's next attempt.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no blocking handler",
    note = "a blocking handler is a function of a `Task` and then of types that are `FromRun`, which returns `Result<Task::Output, Stop>`"
)]
pub trait BlockingHandler<Arguments>: Send + Sync + 'static {
    /// What it is given, which names the kind that it handles.
    type Task: Task;

    /// Does the work.
    fn call(&self, task: Self::Task, run: Run) -> Result<<Self::Task as Task>::Output, Stop>;

    /// Refuses a worker that lacks what the arguments need.
    fn check(states: &States) -> Result<(), Error>;
}

/// What a handler may be handed after its task.
pub trait FromRun: Sized + Send + 'static {
    /// Refuses a worker that lacks what this needs, as it starts.
    fn check(_states: &States) -> Result<(), Error> {
        Ok(())
    }

    /// Makes it for this run; what stops here stops the run.
    fn from_run(run: &Run) -> Result<Self, Stop>;
}

impl FromRun for Run {
    fn from_run(run: &Run) -> Result<Run, Stop> {
        Ok(run.clone())
    }
}

impl FromRun for StopSignal {
    fn from_run(run: &Run) -> Result<StopSignal, Stop> {
        Ok(run.stop())
    }
}

/// A clone of what [`Worker::state`](crate::worker::Worker::state) was given, by its type.
#[derive(Clone, Copy, Debug, Default)]
pub struct State<S>(pub S);

impl<S: Clone + Send + Sync + 'static> FromRun for State<S> {
    fn check(states: &States) -> Result<(), Error> {
        states.get::<S>().map(|_| ()).ok_or_else(|| {
            Error::invalid(format!(
                "a handler asks for State<{0}>, and the worker was given no {0}: add .state(…)",
                type_name::<S>()
            ))
        })
    }

    fn from_run(run: &Run) -> Result<State<S>, Stop> {
        let state = run.states().get::<S>();
        state
            .cloned()
            .map(State)
            .ok_or_else(|| Stop::fail(format!("this worker has no State<{}>", type_name::<S>())))
    }
}

impl<S> Deref for State<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.0
    }
}

/// What a worker hands to its handlers: one value of each type.
#[derive(Default)]
pub struct States(BTreeMap<TypeId, Box<dyn Any + Send + Sync>>);

impl States {
    /// The value of this type.
    pub fn get<S: 'static>(&self) -> Option<&S> {
        self.0.get(&TypeId::of::<S>())?.downcast_ref()
    }

    pub(super) fn insert<S: Send + Sync + 'static>(&mut self, state: S) {
        self.0.insert(TypeId::of::<S>(), Box::new(state));
    }
}

impl fmt::Debug for States {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} states", self.0.len())
    }
}

/// The handlers of one worker, by kind.
#[derive(Default)]
pub(super) struct Handlers {
    by_kind: BTreeMap<String, Arc<dyn Answers>>,
    twice: Vec<String>,
}

impl Handlers {
    pub(super) fn add(&mut self, kind: String, handler: Arc<dyn Answers>) {
        if let Some(first) = self.by_kind.insert(kind.clone(), handler) {
            self.by_kind.insert(kind.clone(), first);
            self.twice.push(kind);
        }
    }

    pub(super) fn get(&self, kind: &str) -> Option<Arc<dyn Answers>> {
        self.by_kind.get(kind).cloned()
    }

    /// Refuses a kind with two handlers, and a handler whose state is missing.
    pub(super) fn check(&self, states: &States) -> Result<(), Error> {
        if let Some(kind) = self.twice.first() {
            return Err(Error::invalid(format!("the kind {kind:?} has two handlers")));
        }
        self.by_kind
            .values()
            .try_for_each(|handler| handler.check(states))
    }
}

/// A handler of any kind: bytes in, bytes out.
pub(super) trait Answers: Send + Sync {
    fn answer(self: Arc<Self>, run: Run) -> BoxFuture<'static, Result<Bytes, Stop>>;

    fn check(&self, states: &States) -> Result<(), Error>;
}

/// A handler of tasks.
pub(super) struct Typed<H, A>(H, PhantomData<fn(A)>);

impl<H: Handler<A>, A: 'static> Typed<H, A> {
    pub(super) fn erase(handler: H) -> Arc<dyn Answers> {
        Arc::new(Typed(handler, PhantomData))
    }
}

impl<H: Handler<A>, A: 'static> Answers for Typed<H, A> {
    fn answer(self: Arc<Self>, run: Run) -> BoxFuture<'static, Result<Bytes, Stop>> {
        Box::pin(async move {
            let task = decode(run.payload())?;
            encode(&self.0.call(task, run).await?)
        })
    }

    fn check(&self, states: &States) -> Result<(), Error> {
        H::check(states)
    }
}

/// A handler of tasks that blocks.
pub(super) struct Blocking<H, A>(H, PhantomData<fn(A)>);

impl<H: BlockingHandler<A>, A: 'static> Blocking<H, A> {
    pub(super) fn erase(handler: H) -> Arc<dyn Answers> {
        Arc::new(Blocking(handler, PhantomData))
    }
}

impl<H: BlockingHandler<A>, A: 'static> Answers for Blocking<H, A> {
    fn answer(self: Arc<Self>, run: Run) -> BoxFuture<'static, Result<Bytes, Stop>> {
        Box::pin(async move {
            let work = move || {
                // It may have waited for its thread until its run was asked to stop, or even was over.
                if let Some(reason) = run.stop_reason() {
                    return Err(Stop::retry(format!("asked to stop before it began ({reason})")));
                }
                let task = decode(run.payload())?;
                encode(&self.0.call(task, run)?)
            };
            // Dropped with its run, it takes work that still waits for a thread out of the queue.
            match AbortOnDropHandle::new(tokio::task::spawn_blocking(work)).await {
                Ok(answer) => answer,
                // The pipe catches it, as it catches every other panic.
                Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
                Err(_) => Err(Stop::retry("the runtime shut down before the handler began")),
            }
        })
    }

    fn check(&self, states: &States) -> Result<(), Error> {
        H::check(states)
    }
}

/// A handler of bytes.
pub(super) struct Untyped<F>(F);

impl<F, Answer> Untyped<F>
where
    F: Fn(Bytes, Run) -> Answer + Send + Sync + 'static,
    Answer: Future<Output = Result<Bytes, Stop>> + Send + 'static,
{
    pub(super) fn erase(handler: F) -> Arc<dyn Answers> {
        Arc::new(Untyped(handler))
    }
}

impl<F, Answer> Answers for Untyped<F>
where
    F: Fn(Bytes, Run) -> Answer + Send + Sync + 'static,
    Answer: Future<Output = Result<Bytes, Stop>> + Send + 'static,
{
    fn answer(self: Arc<Self>, run: Run) -> BoxFuture<'static, Result<Bytes, Stop>> {
        // The call itself stands inside the future, so that its panic is caught like one in the future.
        Box::pin(async move { (self.0)(run.payload().clone(), run).await })
    }

    fn check(&self, _states: &States) -> Result<(), Error> {
        Ok(())
    }
}

/// Reads a task. What does not decode today will not tomorrow: the job fails.
fn decode<T: Task>(payload: &[u8]) -> Result<T, Stop> {
    serde_json::from_slice(payload)
        .map_err(|error| Stop::fail(format!("the payload is no {:?} task: {error}", T::KIND)))
}

/// Writes a result. Its job fails if it has no JSON form, since the work is done and would be done again.
fn encode(output: &impl Serialize) -> Result<Bytes, Stop> {
    serde_json::to_vec(output)
        .map(Bytes::from)
        .map_err(|error| Stop::fail(format!("the result has no JSON form: {error}")))
}

/// Functions of a task and so many further arguments are handlers.
macro_rules! functions_are_handlers {
    ($($argument:ident)*) => {
        impl<F, Answer, T, $($argument),*> Handler<(T, $($argument,)*)> for F
        where
            F: Fn(T, $($argument),*) -> Answer + Send + Sync + 'static,
            Answer: Future<Output = Result<T::Output, Stop>> + Send,
            T: Task,
            $($argument: FromRun,)*
        {
            type Task = T;

            #[allow(unused_variables, reason = "a handler of the task alone does not ask the run")]
            async fn call(&self, task: T, run: Run) -> Result<T::Output, Stop> {
                self(task, $($argument::from_run(&run)?),*).await
            }

            #[allow(unused_variables, reason = "a handler of the task alone needs no state")]
            fn check(states: &States) -> Result<(), Error> {
                $($argument::check(states)?;)*
                Ok(())
            }
        }

        impl<F, T, $($argument),*> BlockingHandler<(T, $($argument,)*)> for F
        where
            F: Fn(T, $($argument),*) -> Result<T::Output, Stop> + Send + Sync + 'static,
            T: Task,
            $($argument: FromRun,)*
        {
            type Task = T;

            #[allow(unused_variables, reason = "a handler of the task alone does not ask the run")]
            fn call(&self, task: T, run: Run) -> Result<T::Output, Stop> {
                self(task, $($argument::from_run(&run)?),*)
            }

            #[allow(unused_variables, reason = "a handler of the task alone needs no state")]
            fn check(states: &States) -> Result<(), Error> {
                $($argument::check(states)?;)*
                Ok(())
            }
        }
    };
}

functions_are_handlers!();
functions_are_handlers!(A1);
functions_are_handlers!(A1 A2);
functions_are_handlers!(A1 A2 A3);
functions_are_handlers!(A1 A2 A3 A4);
