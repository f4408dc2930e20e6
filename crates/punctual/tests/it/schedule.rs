//! Schedules: what recurs, and when.

mod clocks;
mod next;
mod oracle;
mod pattern;
mod preview;
mod words;
