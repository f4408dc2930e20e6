//! The clock: the only reader of a machine's time, of chance and of fresh ids.
//!
//! Everything else is handed a [`Clock`], so that a test may step time and one seed may replay a whole system.
//!
//! Two kinds of time have two uses. [`Clock::now`] estimates the store's time and names instants; it follows every
//! step that the store's clock makes. [`Clock::uptime`] only grows, also while the machine sleeps, and measures how
//! far a lease can still be trusted.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, SystemTime};

use futures_util::future::BoxFuture;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use rustix::time::{ClockId, clock_gettime};
use uuid::Uuid;

use crate::time::{Timestamp, micros};

/// Time, chance and fresh ids.
pub trait Clock: Send + Sync + fmt::Debug + 'static {
    /// The store's time, as well as this process knows it.
    fn now(&self) -> Timestamp;

    /// How long the machine has been up, its sleep included: CLOCK_BOOTTIME of clock_gettime(2).
    fn uptime(&self) -> Duration;

    /// How much of its uptime the machine has slept through: CLOCK_BOOTTIME less CLOCK_MONOTONIC of clock_gettime(2).
    fn suspended(&self) -> Duration {
        Duration::ZERO
    }

    /// Completes after this length of time, in which the machine's own sleep does not count.
    fn sleep(&self, length: Duration) -> BoxFuture<'static, ()>;

    /// Learns that the store's clock said `store_now` between the uptime `asked_at` and now.
    fn correct(&self, store_now: Timestamp, asked_at: Duration);

    /// An evenly distributed number, at least 0 and below 1.
    fn chance(&self) -> f64;

    /// A UUID of version 7 (RFC 9562): unique, and later ones sort later.
    fn fresh_id(&self) -> Uuid;

    /// Bytes that nobody can guess.
    fn secret(&self) -> [u8; 32];
}

/// The machine's clock, corrected by what stores answer.
#[derive(Debug, Default)]
pub struct SystemClock {
    /// The store's time less the machine's, in microseconds.
    ahead: AtomicI64,
}

impl SystemClock {
    /// A clock that trusts the machine's until a store corrects it.
    pub fn new() -> SystemClock {
        SystemClock::default()
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the machine's time and chance"
)]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let machine = Timestamp::from(SystemTime::now()).as_micros();
        Timestamp::from_micros(machine.saturating_add(self.ahead.load(Ordering::Relaxed)))
    }

    fn uptime(&self) -> Duration {
        read(ClockId::Boottime)
    }

    fn suspended(&self) -> Duration {
        let awake = read(ClockId::Monotonic);
        read(ClockId::Boottime).saturating_sub(awake)
    }

    fn sleep(&self, length: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(length))
    }

    fn correct(&self, store_now: Timestamp, asked_at: Duration) {
        let round_trip = self.uptime().saturating_sub(asked_at);
        let machine = Timestamp::from(SystemTime::now());
        let estimate = store_now + round_trip / 2;
        let ahead = estimate.as_micros() - machine.as_micros();
        // An answer is only as exact as it was quick: what lies within the round trip is noise, and following it
        // would make the clock jitter.
        let noise = micros(round_trip);
        if (ahead - self.ahead.load(Ordering::Relaxed)).abs() > noise {
            self.ahead.store(ahead, Ordering::Relaxed);
        }
    }

    fn chance(&self) -> f64 {
        rand::random()
    }

    fn fresh_id(&self) -> Uuid {
        Uuid::now_v7()
    }

    fn secret(&self) -> [u8; 32] {
        rand::random()
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the machine's time"
)]
fn read(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// A clock that stands still until it is told to go on. Clones share their time, their sleepers and their seed.
///
/// ```
/// use punctual::clock::{Clock, ManualClock};
/// use punctual::time::{Timestamp, minutes};
///
/// let clock = ManualClock::new(Timestamp::EPOCH, 7);
/// clock.advance(minutes(5));
/// assert_eq!(clock.now(), Timestamp::EPOCH + minutes(5));
/// ```
#[derive(Clone)]
pub struct ManualClock(Arc<Mutex<Manual>>);

struct Manual {
    now: Timestamp,
    uptime: Duration,
    suspended: Duration,
    chance: SmallRng,
    next_sleeper: u64,
    /// Who sleeps, by the time awake at which it wakes and the order in which it lay down.
    sleepers: BTreeMap<(Duration, u64), Option<Waker>>,
}

impl Manual {
    fn awake(&self) -> Duration {
        self.uptime - self.suspended
    }
}

impl ManualClock {
    /// A clock that stands at `now`; all of its chance follows from `seed`.
    pub fn new(now: Timestamp, seed: u64) -> ManualClock {
        ManualClock(Arc::new(Mutex::new(Manual {
            now,
            uptime: Duration::ZERO,
            suspended: Duration::ZERO,
            chance: SmallRng::seed_from_u64(seed),
            next_sleeper: 0,
            sleepers: BTreeMap::new(),
        })))
    }

    /// Lets time go on, and wakes those whose time has come, in order.
    pub fn advance(&self, length: Duration) {
        let woken = self.with(|clock| {
            clock.now = clock.now + length;
            clock.uptime += length;
            let later = clock.sleepers.split_off(&(clock.awake(), u64::MAX));
            std::mem::replace(&mut clock.sleepers, later)
        });
        woken.into_values().flatten().for_each(Waker::wake);
    }

    /// Steps the time of day without any time passing, as an operator or NTP does.
    pub fn step_to(&self, now: Timestamp) {
        self.with(|clock| clock.now = now);
    }

    /// Lets time go on while the machine sleeps: nobody wakes, and whoever sleeps sleeps on for as long as before.
    pub fn suspend(&self, length: Duration) {
        self.with(|clock| {
            clock.now = clock.now + length;
            clock.uptime += length;
            clock.suspended += length;
        });
    }

    /// How long until the next sleeper wakes; unset when nobody sleeps.
    pub fn next_wake(&self) -> Option<Duration> {
        self.with(|clock| {
            clock
                .sleepers
                .keys()
                .next()
                .map(|(at, _)| at.saturating_sub(clock.awake()))
        })
    }

    fn with<T>(&self, work: impl FnOnce(&mut Manual) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ManualClock").field(&self.now()).finish()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.with(|clock| clock.now)
    }

    fn uptime(&self) -> Duration {
        self.with(|clock| clock.uptime)
    }

    fn suspended(&self) -> Duration {
        self.with(|clock| clock.suspended)
    }

    fn sleep(&self, length: Duration) -> BoxFuture<'static, ()> {
        let key = self.with(|clock| {
            let key = (clock.awake().saturating_add(length), clock.next_sleeper);
            clock.next_sleeper += 1;
            if !length.is_zero() {
                clock.sleepers.insert(key, None);
            }
            key
        });
        let sleeper = Sleeper {
            clock: self.clone(),
            key,
        };
        Box::pin(std::future::poll_fn(move |context| {
            sleeper
                .clock
                .with(|clock| match clock.sleepers.get_mut(&sleeper.key) {
                    Some(waker) => {
                        *waker = Some(context.waker().clone());
                        Poll::Pending
                    }
                    None => Poll::Ready(()),
                })
        }))
    }

    fn correct(&self, _store_now: Timestamp, _asked_at: Duration) {}

    fn chance(&self) -> f64 {
        self.with(|clock| clock.chance.random())
    }

    fn fresh_id(&self) -> Uuid {
        self.with(|clock| {
            let millis = u64::try_from(clock.now.as_micros() / 1_000).unwrap_or(0);
            uuid::Builder::from_unix_timestamp_millis(millis, &clock.chance.random()).into_uuid()
        })
    }

    /// Which follow from the seed here, as all chance does.
    fn secret(&self) -> [u8; 32] {
        self.with(|clock| clock.chance.random())
    }
}

/// A sleeper that is dropped leaves the clock's list.
struct Sleeper {
    clock: ManualClock,
    key: (Duration, u64),
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.clock.with(|clock| clock.sleepers.remove(&self.key));
    }
}
