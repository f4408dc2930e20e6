//! Schedules as they cross the wire.

mod differences;
mod documents;
mod files;
mod plans;
mod slips;
