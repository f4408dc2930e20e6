//! The engine on each store: what callers, workers and operators see of it.

mod bulk;
mod caretaker;
mod claiming;
mod clock;
pub(crate) mod deaf;
mod events;
mod operating;
mod output;
mod schedules;
mod settling;
mod spans;
mod transfer;
mod unique;
