//! The fingerprint that tells the same job sent again from another one under the same id.

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::job::{Backoff, NewJob, OnConflict, OnLost, Options, Start, Unique};
use crate::time::micros;

/// A hash of everything that the job's user set, save its id. Payloads are compared byte for byte.
///
/// It lives in stores, so it must not change from version to version. Each part that is set is written with a number
/// of its own and its length; what is unset leaves no trace, so that a part which only a later version knows leaves
/// the fingerprints of older jobs alone. Numbers are never used again for another part.
///
/// It is the first half of a SHA-256, numbers with their highest byte first: what PostgreSQL can compute by itself, for a
/// job that is enqueued in SQL (`store/postgres/migrations/0002.sql`).
pub(super) fn fingerprint(new: &NewJob) -> u128 {
    let mut parts = Parts::default();
    parts.text(1, &new.kind);
    parts.bytes(2, &new.payload);
    parts.set(3, new.queue.as_ref(), |parts, part, queue| {
        parts.text(part, queue.as_str())
    });
    parts.set(4, new.priority, |parts, part, priority| {
        parts.number(part, priority.into())
    });
    match new.start {
        Start::Now => {}
        Start::At(instant) => parts.number(5, instant.as_micros()),
        Start::In(length) => parts.length(6, length),
    }
    for tag in &new.tags {
        parts.text(7, tag);
    }
    options(&mut parts, &new.options);
    if let Some(unique) = &new.unique {
        self::unique(&mut parts, unique);
    }
    parts.hash()
}

fn options(parts: &mut Parts, options: &Options) {
    parts.set(20, options.timeout, Parts::length);
    parts.set(21, options.max_attempts, |parts, part, attempts| {
        parts.number(part, attempts.into())
    });
    parts.set(22, options.max_elapsed, Parts::length);
    parts.set(23, options.start_deadline, |parts, part, deadline| {
        parts.number(part, deadline.as_micros())
    });
    let on_lost = options.on_lost.map(|on_lost| match on_lost {
        OnLost::Retry => 0,
        OnLost::Fail => 1,
    });
    parts.set(24, on_lost, Parts::number);
    match &options.backoff {
        None => {}
        Some(Backoff::Exponential { base, factor, max }) => {
            parts.length(30, *base);
            parts.bytes(31, &factor.to_bits().to_be_bytes());
            parts.length(32, *max);
        }
        Some(Backoff::Fixed(delay)) => parts.length(33, *delay),
        Some(Backoff::List(delays)) => delays.iter().for_each(|delay| parts.length(34, *delay)),
    }
}

fn unique(parts: &mut Parts, unique: &Unique) {
    let on_conflict = match unique.on_conflict {
        OnConflict::Existing => 0,
        OnConflict::Reject => 1,
        OnConflict::Replace => 2,
        OnConflict::Debounce => 3,
    };
    parts.number(40, on_conflict);
    parts.set(41, unique.key.as_deref(), Parts::text);
    parts.set(42, unique.window, Parts::length);
}

/// Parts one after the other: the number of the part, its length, its bytes.
#[derive(Default)]
struct Parts(Sha256);

impl Parts {
    fn bytes(&mut self, part: u8, bytes: &[u8]) {
        self.0.update([part]);
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }

    fn text(&mut self, part: u8, text: &str) {
        self.bytes(part, text.as_bytes());
    }

    fn number(&mut self, part: u8, number: i64) {
        self.bytes(part, &number.to_be_bytes());
    }

    /// In microseconds, as stores keep it.
    fn length(&mut self, part: u8, length: Duration) {
        self.number(part, micros(length));
    }

    fn set<T>(&mut self, part: u8, value: Option<T>, write: impl FnOnce(&mut Parts, u8, T)) {
        if let Some(value) = value {
            write(self, part, value);
        }
    }
    fn hash(self) -> u128 {
        let hash = self.0.finalize();
        hash[..16]
            .iter()
            .fold(0, |number, byte| number << 8 | u128::from(*byte))
    }
}
