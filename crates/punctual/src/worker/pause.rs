//! How long a worker leaves a source alone that did not answer.

use std::time::Duration;

use crate::limits::PAUSE_AFTER_ERROR;

/// The pause after so many failures in a row: it doubles up to `longest`, and a lot (at least 0, below 1) takes up to
/// half of it away, so that a thousand workers do not come back at once.
pub(super) fn pause_after(failures: u32, longest: Duration, chance: f64) -> Duration {
    let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
    let whole = PAUSE_AFTER_ERROR.saturating_mul(doubled).min(longest);
    whole.mul_f64(1.0 - chance / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{milliseconds, seconds};

    #[test]
    fn the_pause_doubles_up_to_its_longest() {
        let pauses = [1, 2, 3, 40].map(|failures| pause_after(failures, seconds(5), 0.0));
        assert_eq!(
            pauses,
            [
                milliseconds(100),
                milliseconds(200),
                milliseconds(400),
                seconds(5)
            ]
        );
        assert_eq!(pause_after(1, seconds(5), 0.5), milliseconds(75));
    }
}
