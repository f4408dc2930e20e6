//! Schedules: what recurs, and when.

mod clocks;
mod laws;
mod next;
mod oracle;
mod pattern;
mod preview;
mod words;
