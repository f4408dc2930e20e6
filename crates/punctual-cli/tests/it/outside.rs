//! What Punctual promises, shown on the built binary by what a job's own target recorded: never by Punctual's
//! own counts, and with real processes, signals and kills.

mod away;
mod bad_input;
mod balancer;
mod browser;
mod cancel;
mod clients;
mod command;
mod down;
mod file;
mod firing;
mod import;
mod instants;
mod kill;
mod lost;
mod many;
mod newer;
mod nginx;
mod nodes;
pub(crate) mod past;
mod paused;
pub(crate) mod process;
mod queues;
mod runners;
pub(crate) mod server;
mod shared;
mod steering;
pub(crate) mod stores;
mod timetable;
mod transactions;
mod workers;
