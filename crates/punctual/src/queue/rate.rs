//! The arithmetic of a queue's rate, one for every store, so that a limit means the same everywhere.
//!
//! A token bucket needs but one number: the instant at which it would be full again if nothing started any more
//! (the virtual scheduling of GCRA, ITU-T I.371). Each start moves that instant on by one interval; a start is
//! allowed while it lies less than a whole bucket ahead.

use std::time::Duration;

use super::Rate;
use crate::time::{Timestamp, micros};

impl Rate {
    /// How many jobs may start at `now`, when the bucket is full again at `full_at`.
    pub(super) fn room(&self, full_at: Timestamp, now: Timestamp) -> u32 {
        let unused = (now + self.bucket()).since(full_at.max(now));
        let starts = unused.as_micros() / self.interval().as_micros();
        u32::try_from(starts).unwrap_or(u32::MAX).min(self.burst)
    }

    /// When the bucket is full again after so many more starts at `now`. Keep it also when nothing started: after
    /// the clock stepped back, or the rate was changed, it brings an instant that is too far ahead back to that
    /// of an empty bucket.
    pub(super) fn drawn(&self, full_at: Timestamp, starts: u32, now: Timestamp) -> Timestamp {
        let full_at = full_at.min(now + self.bucket());
        match starts {
            0 => full_at,
            starts => full_at.max(now) + self.interval().saturating_mul(starts),
        }
    }

    /// The instant, `now` or later, from which another job may start.
    pub(super) fn next(&self, full_at: Timestamp, now: Timestamp) -> Timestamp {
        let full_at = full_at.min(now + self.bucket());
        (full_at - self.interval().saturating_mul(self.burst.saturating_sub(1))).max(now)
    }

    /// Between two starts at a steady rate; rounded up, so that the rate is never exceeded.
    pub(crate) fn interval(&self) -> Duration {
        let per = u64::try_from(micros(self.per)).unwrap_or(0);
        Duration::from_micros(per.div_ceil(u64::from(self.n.max(1))).max(1))
    }

    /// How long an empty bucket takes to fill.
    fn bucket(&self) -> Duration {
        self.interval().saturating_mul(self.burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{milliseconds, seconds};

    const NOW: Timestamp = Timestamp::from_micros(1_000_000_000);

    #[test]
    fn a_bucket_empties_at_once_and_fills_one_interval_after_the_other() {
        let rate = Rate {
            n: 2,
            per: seconds(1),
            burst: 3,
        };
        let empty = rate.drawn(Timestamp::MIN, 3, NOW);
        assert_eq!(rate.room(empty, NOW), 0);
        assert_eq!(rate.next(empty, NOW), NOW + milliseconds(500));
        assert_eq!(rate.room(empty, NOW + milliseconds(499)), 0);
        assert_eq!(rate.room(empty, NOW + milliseconds(500)), 1);
        assert_eq!(rate.room(empty, NOW + milliseconds(1_400)), 2);
        assert_eq!(rate.room(empty, NOW + seconds(100)), 3);
        assert_eq!(rate.next(empty, NOW + seconds(100)), NOW + seconds(100));
    }

    #[test]
    fn a_rate_that_divides_no_microsecond_is_never_exceeded() {
        let rate = Rate {
            n: 3,
            per: seconds(1),
            burst: 1,
        };
        let mut full_at = Timestamp::MIN;
        let mut now = NOW;
        for _ in 0..3 {
            full_at = rate.drawn(full_at, 1, now);
            now = rate.next(full_at, now);
        }
        assert!(now >= NOW + seconds(1));
    }

    #[test]
    fn a_bucket_is_never_emptier_than_empty() {
        let slow = Rate {
            n: 1,
            per: seconds(3_600),
            burst: 5,
        };
        let quick = Rate {
            n: 10,
            per: seconds(1),
            burst: 10,
        };
        let full_at = quick.drawn(slow.drawn(NOW, 5, NOW), 0, NOW);
        assert_eq!(quick.room(full_at, NOW), 0);
        assert_eq!(quick.next(full_at, NOW), NOW + milliseconds(100));
    }

    #[test]
    fn the_largest_figures_do_not_overflow() {
        let rate = Rate {
            n: 1,
            per: Duration::MAX,
            burst: u32::MAX,
        };
        let full_at = rate.drawn(Timestamp::MAX, u32::MAX, Timestamp::MAX);
        assert_eq!(full_at, Timestamp::MAX);
        rate.room(full_at, Timestamp::MIN);
        rate.next(full_at, Timestamp::MIN);
    }
}
