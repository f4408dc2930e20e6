//! Schedules as they cross the wire.

mod documents;
mod plans;
mod slips;
