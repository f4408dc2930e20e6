//! Cuts lengths of time to the microseconds that stores keep, so that a row reads the same from each of them. Instants
//! have no finer parts to begin with.

use std::time::Duration;

use crate::job::{Backoff, Options};
use crate::time::micros;

/// The options as any store gives them back.
pub(in crate::rules) fn options(options: Options) -> Options {
    Options {
        timeout: options.timeout.map(length),
        max_elapsed: options.max_elapsed.map(length),
        backoff: options.backoff.map(backoff),
        ..options
    }
}

fn backoff(backoff: Backoff) -> Backoff {
    match backoff {
        Backoff::Exponential { base, factor, max } => Backoff::Exponential {
            base: length(base),
            factor,
            max: length(max),
        },
        Backoff::Fixed(delay) => Backoff::Fixed(length(delay)),
        Backoff::List(delays) => Backoff::List(delays.into_iter().map(length).collect()),
    }
}

fn length(length: Duration) -> Duration {
    Duration::from_micros(micros(length).unsigned_abs())
}
