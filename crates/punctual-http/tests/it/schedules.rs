//! Schedules as they cross the wire.

mod crontabs;
mod differences;
mod documents;
mod files;
mod plans;
mod slips;
