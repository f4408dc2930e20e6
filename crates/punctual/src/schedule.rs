//! Schedules: what recurs, and when.

pub mod cron;
mod zone;

pub use zone::Zone;
