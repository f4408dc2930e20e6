//! Backoff: how long a job waits between two attempts.

use std::time::Duration;

use crate::job::Backoff;

/// The delay after attempt number `attempt` (1 and up), given a lot of at least 0 and below 1.
///
/// Total for any input: it neither overflows nor exceeds what the policy says, not even for policies that
/// [`admit`](crate::rules::admit::admit) would refuse.
pub fn delay(backoff: &Backoff, attempt: u32, chance: f64) -> Duration {
    match backoff {
        Backoff::Exponential { base, factor, max } => ceiling(*base, *factor, *max, attempt).mul_f64(chance),
        Backoff::Fixed(delay) => *delay,
        Backoff::List(delays) => {
            let index = usize::try_from(attempt.saturating_sub(1)).unwrap_or(usize::MAX);
            delays.get(index).or(delays.last()).copied().unwrap_or_default()
        }
    }
}

/// `base · factor^(attempt − 1)`, at most `max`.
fn ceiling(base: Duration, factor: f64, max: Duration, attempt: u32) -> Duration {
    if base.is_zero() {
        // Else zero times infinity would be no number.
        return Duration::ZERO;
    }
    let grown = base.as_secs_f64() * factor.powf(f64::from(attempt.saturating_sub(1)));
    Duration::try_from_secs_f64(grown).map_or(max, |grown| grown.min(max))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{milliseconds, seconds};

    fn exponential(base: u64, factor: f64, max: u64) -> Backoff {
        Backoff::Exponential {
            base: seconds(base),
            factor,
            max: seconds(max),
        }
    }

    #[test]
    fn an_exponential_delay_grows_to_its_longest_and_is_scaled_by_chance() {
        let backoff = exponential(1, 2.0, 10);
        let halves: Vec<Duration> = (1..=6).map(|attempt| delay(&backoff, attempt, 0.5)).collect();
        assert_eq!(halves, [500, 1_000, 2_000, 4_000, 5_000, 5_000].map(milliseconds));
        assert_eq!(delay(&backoff, 3, 0.0), Duration::ZERO);
    }

    #[test]
    fn a_list_repeats_its_last_delay() {
        let backoff = Backoff::List(vec![seconds(1), seconds(5)]);
        let delays: Vec<Duration> = (0..=4).map(|attempt| delay(&backoff, attempt, 0.9)).collect();
        assert_eq!(delays, [1, 1, 5, 5, 5].map(seconds));
    }

    #[test]
    fn a_fixed_delay_knows_no_chance() {
        assert_eq!(delay(&Backoff::Fixed(seconds(3)), 7, 0.1), seconds(3));
        assert_eq!(delay(&Backoff::Fixed(Duration::ZERO), 7, 0.1), Duration::ZERO);
    }

    #[test]
    fn no_policy_overflows() {
        assert_eq!(delay(&exponential(0, 1_000.0, 10), u32::MAX, 0.5), Duration::ZERO);
        assert_eq!(delay(&exponential(1, 1_000.0, 10), u32::MAX, 0.5), seconds(5));
        assert_eq!(delay(&exponential(1, f64::NAN, 10), 2, 0.5), seconds(5));
        assert_eq!(
            delay(&exponential(u64::MAX, 2.0, u64::MAX), u32::MAX, 0.0),
            Duration::ZERO
        );
        assert_eq!(delay(&Backoff::List(Vec::new()), 1, 0.5), Duration::ZERO);
    }
}
