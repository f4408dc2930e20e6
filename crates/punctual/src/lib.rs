//! Punctual.

pub mod change;
pub mod clock;
pub mod engine;
pub mod error;
pub mod flight;
pub mod job;
pub mod limits;
pub mod queue;
pub mod rules;
pub mod run;
pub mod signals;
pub mod source;
pub mod store;
#[cfg(any(feature = "target-http", feature = "target-command"))]
pub mod target;
#[cfg(feature = "testing")]
pub mod testing;
pub mod time;
pub mod worker;

#[doc(inline)]
pub use crate::{
    engine::Engine,
    error::{Error, Kind},
    job::{JobId, NewJob, Task},
    time::{Timestamp, days, hours, milliseconds, minutes, seconds},
    worker::{Run, State, Stop, Worker, shutdown_signal},
};
