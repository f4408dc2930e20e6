//! Instants at a distance from each other.

use std::time::Duration;

use crate::time::{Timestamp, micros};

/// Every so often, counted from the Unix epoch, so that no restart moves it.
///
/// ```
/// use punctual::schedule::Every;
/// use punctual::{Timestamp, minutes};
///
/// let every = Every { length: minutes(15), phase: minutes(5) };
/// let noon: Timestamp = "2026-12-01T12:00:00Z".parse()?;
/// assert_eq!(every.next_after(noon), Some(noon + minutes(5)));
/// assert_eq!(every.next_after(noon + minutes(5)), Some(noon + minutes(20)));
/// # Ok::<(), punctual::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Every {
    /// From one instant to the next; at least a second.
    pub length: Duration,
    /// How long after the epoch, and after each multiple of the length, an instant comes; less than the length.
    pub phase: Duration,
}

impl Every {
    /// The first instant later than `after`; none beyond the range of [`Timestamp`].
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let (length, phase) = (micros(self.length).max(1), micros(self.phase));
        let past = (after.as_micros() - phase).div_euclid(length);
        let next = (past + 1).checked_mul(length)?.checked_add(phase)?;
        (next <= Timestamp::MAX.as_micros()).then(|| Timestamp::from_micros(next))
    }
}
