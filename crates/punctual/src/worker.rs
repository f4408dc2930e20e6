//! The worker: claims jobs, runs their handlers, and settles what became of them.

mod handler;
mod run;
mod stop;

pub use self::handler::{BlockingHandler, FromRun, Handler, State, States};
pub use self::run::Run;
pub use self::stop::{Stop, StopReason, StopSignal};
