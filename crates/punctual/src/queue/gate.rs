//! What a queue lets through in the course of one claim, one for every store, so that a pause and a limit mean the
//! same everywhere.

use super::{QueueSettings, Rate};
use crate::time::Timestamp;

/// What a queue's settings still allow. A store's claim makes one for each of its queues, [passes](Gate::pass) the jobs
/// that it starts, and keeps [the instant](Gate::full_at) at which the bucket of the queue's rate is full again.
///
/// ```
/// use punctual::queue::{Gate, QueueSettings, Rate};
/// use punctual::time::{Timestamp, seconds};
///
/// let now = Timestamp::EPOCH;
/// let settings = QueueSettings {
///     rate: Some(Rate { n: 1, per: seconds(10), burst: 3 }),
///     ..QueueSettings::default()
/// };
/// let mut gate = Gate::new(&settings, 0, Timestamp::MIN);
/// assert_eq!(gate.room(now), 3);
/// gate.pass(now);
/// gate.pass(now);
/// assert_eq!(gate.room(now), 1);
/// assert_eq!(gate.full_at(now), Some(now + seconds(20)));
/// ```
#[derive(Clone, Debug)]
pub struct Gate {
    paused: bool,
    /// How many more may run beside those that do.
    slots: u64,
    /// The queue's rate, and when its bucket is full again.
    bucket: Option<(Rate, Timestamp)>,
}

impl Gate {
    /// The gate of a queue of which so many jobs are `running`, and whose bucket is full again at `full_at`:
    /// [`Timestamp::MIN`], if nothing was drawn from it yet. `running` counts only under a limit of running jobs, and
    /// `full_at` only under a rate; where the settings have none, any value will do.
    pub fn new(settings: &QueueSettings, running: u64, full_at: Timestamp) -> Gate {
        let limit = settings.max_running.map(u64::from);
        Gate {
            paused: settings.paused.is_some(),
            slots: limit.map_or(u64::MAX, |limit| limit.saturating_sub(running)),
            bucket: settings.rate.map(|rate| (rate, full_at)),
        }
    }

    /// How many jobs may start.
    pub fn room(&self, now: Timestamp) -> usize {
        if self.paused {
            return 0;
        }
        let saved = self
            .bucket
            .map_or(u64::MAX, |(rate, full_at)| rate.room(full_at, now).into());
        usize::try_from(self.slots.min(saved)).unwrap_or(usize::MAX)
    }

    /// One job starts, for which there is room.
    pub fn pass(&mut self, now: Timestamp) {
        self.slots = self.slots.saturating_sub(1);
        if let Some((rate, full_at)) = &mut self.bucket {
            *full_at = rate.drawn(*full_at, 1, now);
        }
    }

    /// From when on a job that is due then may start, as far as time alone tells: nobody knows when a pause ends or
    /// a slot becomes free.
    pub fn opens(&self, due: Timestamp, now: Timestamp) -> Option<Timestamp> {
        if self.paused || self.slots == 0 {
            return None;
        }
        let next = self.bucket.map(|(rate, full_at)| rate.next(full_at, now));
        Some(next.map_or(due, |next| next.max(due)))
    }

    /// When the bucket is full again, for the store to keep at the end of a claim, also of one that brought nothing: after
    /// the clock stepped back, or the rate was changed, it is earlier than what the store holds. Unset without a rate.
    pub fn full_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.bucket.map(|(rate, full_at)| rate.drawn(full_at, 0, now))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::option;
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_000_000_000_000);
    const TICK: Duration = Duration::from_micros(1);

    fn settings() -> impl Strategy<Value = QueueSettings> {
        let rate = (1..20_u32, 1..100_000_u64, 1..10_u32).prop_map(|(n, millis, burst)| Rate {
            n,
            per: Duration::from_millis(millis),
            burst,
        });
        let paused = prop_oneof![3 => Just(None), 1 => Just(Some(String::new()))];
        (paused, option::of(0..10_u32), option::of(rate)).prop_map(|(paused, max_running, rate)| {
            QueueSettings {
                paused,
                max_running,
                rate,
                ..QueueSettings::default()
            }
        })
    }

    /// What a store may hold: from nothing that was ever drawn to an instant that is too far ahead.
    fn full_at() -> impl Strategy<Value = Timestamp> {
        prop_oneof![
            Just(Timestamp::MIN),
            (-100_000_000..2_000_000_000_i64)
                .prop_map(|micros| Timestamp::from_micros(NOW.as_micros() + micros)),
        ]
    }

    /// A gate as a claim finds it after another one, and how many jobs of its queue run.
    fn gate() -> impl Strategy<Value = (QueueSettings, u64, Gate)> {
        (settings(), 0..12_u64, full_at()).prop_map(|(settings, running, full_at)| {
            let kept = Gate::new(&settings, running, full_at).full_at(NOW);
            let gate = Gate::new(&settings, running, kept.unwrap_or(Timestamp::MIN));
            (settings, running, gate)
        })
    }

    proptest! {
        #[test]
        fn each_job_that_passes_takes_one_place((_, _, mut gate) in gate()) {
            let mut room = gate.room(NOW);
            for _ in 0..room.min(20) {
                gate.pass(NOW);
                prop_assert_eq!(gate.room(NOW), room - 1);
                room -= 1;
            }
        }

        #[test]
        fn a_claim_that_goes_on_where_the_last_one_stopped_finds_the_same_room(
            (settings, running, mut gate) in gate(),
            starts in 0..20_usize,
            later in 0..10_000_000_u64,
        ) {
            let starts = starts.min(gate.room(NOW));
            (0..starts).for_each(|_| gate.pass(NOW));
            let kept = gate.full_at(NOW).unwrap_or(Timestamp::MIN);
            let next = Gate::new(&settings, running + starts as u64, kept);
            let later = NOW + Duration::from_micros(later);
            prop_assert_eq!(next.opens(later, later), gate.opens(later, later));
            // Where nothing is limited, the room is as good as endless, and no figure to compare.
            if settings.max_running.is_some() || settings.rate.is_some() {
                prop_assert_eq!(next.room(later), gate.room(later));
            }
        }

        #[test]
        fn a_job_may_start_from_the_instant_on_at_which_the_gate_opens_and_not_before(
            (_, _, gate) in gate(),
            due in -1_000..100_000_000_i64,
        ) {
            let due = Timestamp::from_micros(NOW.as_micros() + due);
            match gate.opens(due, NOW) {
                None => prop_assert_eq!(gate.room(Timestamp::MAX), 0),
                Some(opens) => {
                    prop_assert!(opens >= due);
                    prop_assert!(gate.room(opens.max(NOW)) > 0);
                    prop_assert!(opens <= due.max(NOW) || gate.room(opens - TICK) == 0);
                }
            }
        }

        #[test]
        fn no_bucket_is_kept_that_is_emptier_than_empty(settings in settings(), full_at in full_at()) {
            let gate = Gate::new(&settings, 0, full_at);
            let Some(rate) = settings.rate else {
                prop_assert_eq!(gate.full_at(NOW), None);
                return Ok(());
            };
            let mut empty = Gate::new(&settings, 0, NOW);
            (0..rate.burst).for_each(|_| empty.pass(NOW));
            prop_assert!(gate.full_at(NOW) <= empty.full_at(NOW));
        }
    }

    #[test]
    fn a_queue_without_settings_is_open_and_unlimited() {
        let mut gate = Gate::new(&QueueSettings::default(), u64::MAX, Timestamp::MAX);
        gate.pass(NOW);
        assert!(gate.room(NOW) > usize::MAX / 2);
        assert_eq!(gate.opens(NOW, NOW), Some(NOW));
    }

    #[test]
    fn a_paused_queue_and_a_full_one_open_at_no_instant_that_is_known() {
        let paused = QueueSettings {
            paused: Some("maintenance".to_owned()),
            ..QueueSettings::default()
        };
        let full = QueueSettings {
            max_running: Some(2),
            ..QueueSettings::default()
        };
        for (settings, running) in [(paused, 0), (full.clone(), 2), (full, 3)] {
            let gate = Gate::new(&settings, running, Timestamp::MIN);
            assert_eq!((gate.room(NOW), gate.opens(NOW, NOW)), (0, None));
        }
    }
}
