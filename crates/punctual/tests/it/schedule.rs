//! Schedules: what recurs, and when.

mod clocks;
mod oracle;
mod pattern;
