//! Rules: pure functions from (row, event, [`Moment`]) to a [`Change`](crate::change::Change).
//!
//! They hold all policy that Punctual has: what is admitted, what an outcome leads to, when there is another
//! attempt, what an operator may do. They read no clock, draw no lots and touch no store, so that a law about them
//! can be tested a million times a second.

pub mod admit;
pub mod backoff;
pub mod edit;
pub mod fire;
pub mod plan;
pub mod settle;
pub mod whole;

mod end;
mod row;

use crate::job::Defaults;
use crate::queue::Retention;
use crate::time::Timestamp;

pub(crate) use row::is_husk;

/// When, and under what, a rule decides.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// The instant taken for now.
    pub now: Timestamp,
    /// What is in force where a job's user set nothing.
    pub defaults: &'a Defaults,
    /// How long ended jobs of this job's queue are kept.
    pub retention: Retention,
    /// A lot drawn for this decision: at least 0 and below 1.
    pub chance: f64,
}
