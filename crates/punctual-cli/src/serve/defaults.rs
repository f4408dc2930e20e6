//! What holds for jobs that do not say.

use std::time::Duration;

use punctual::job::{Backoff, Defaults};
use punctual::limits::{
    ATTEMPTS, ATTEMPTS_MAX, BACKOFF_DELAYS, BACKOFF_FACTOR_MAX, KEEP_FAILED, KEEP_SUCCEEDED, LENGTH_MAX,
    PAYLOAD_BYTES, PAYLOAD_BYTES_MAX, RESULT_BYTES,
};
use punctual::queue::Retention;
use punctual::time::parse_length;

use crate::config::Settings;
use crate::config::given::Given;
use crate::config::key::{Key, Room};

pub(crate) static ROOM: Room = Room {
    heading: Some("Defaults of jobs"),
    keys: &[
        &TIMEOUT,
        &MAX_ATTEMPTS,
        &PAYLOAD,
        &RESULT,
        &BACKOFF_TYPE,
        &BACKOFF_BASE,
        &BACKOFF_FACTOR,
        &BACKOFF_MAX,
        &BACKOFF_DELAY,
        &BACKOFF_LIST,
        &KEEP_SUCCEEDED_KEY,
        &KEEP_FAILED_KEY,
        &KEEP_CANCELLED_KEY,
    ],
    agree: |settings| backoff(settings).map(drop),
};

static TIMEOUT: Key<Duration> = Key::new("defaults.timeout", "\"10m\"", positive)
    .flag("default-timeout", "LENGTH")
    .about("The longest that one attempt may take. Unset, 30s for http, 1h for others");
static MAX_ATTEMPTS: Key<u32> = Key::with_default(
    "defaults.max_attempts",
    || Given::whole(ATTEMPTS),
    |given| given.as_whole(1..=i64::from(ATTEMPTS_MAX)),
)
.flag("default-max-attempts", "N")
.about("Attempts before a job fails");
static PAYLOAD: Key<usize> =
    Key::with_default("defaults.payload_bytes", || Given::whole(PAYLOAD_BYTES), bytes)
        .about("The largest payload of a job, in bytes");
static RESULT: Key<usize> = Key::with_default("defaults.result_bytes", || Given::whole(RESULT_BYTES), bytes)
    .about("The largest result of a job, in bytes");

static BACKOFF_TYPE: Key<Shape> = Key::with_default(
    "defaults.backoff.type",
    || Given::new("exponential"),
    |given| given.as_one_of(&SHAPES),
)
.about(
    "The delays between attempts: exponential, with random lengths up to base, base * factor, base * factor * factor \
     and so on, but not above max; fixed, always delay; or list, the delays one after the other",
);
static BACKOFF_BASE: Key<Duration> = Key::new("defaults.backoff.base", "\"1s\"", positive)
    .about("The first delay of an exponential backoff. Unset, 1s");
static BACKOFF_FACTOR: Key<f64> = Key::new("defaults.backoff.factor", "2.0", |given| {
    given.as_decimal(1.0..=BACKOFF_FACTOR_MAX)
})
.about("What each delay of an exponential backoff is multiplied by for the next one. Unset, 2");
static BACKOFF_MAX: Key<Duration> = Key::new("defaults.backoff.max", "\"1h\"", positive)
    .about("The longest delay of an exponential backoff. Unset, 1h");
static BACKOFF_DELAY: Key<Duration> = Key::new("defaults.backoff.delay", "\"10s\"", length)
    .about("The delay of a fixed backoff; 0 means at once");
static BACKOFF_LIST: Key<Vec<Duration>> =
    Key::new("defaults.backoff.delays", "[\"1s\", \"1m\", \"1h\"]", delays)
        .about("The delays of a list backoff; the last one repeats");

static KEEP_SUCCEEDED_KEY: Key<Duration> =
    Key::with_default("retention.succeeded", || Given::length(KEEP_SUCCEEDED), length)
        .flag("keep-succeeded", "LENGTH")
        .about("How long succeeded jobs are kept; 0 deletes them at once");
static KEEP_FAILED_KEY: Key<Duration> =
    Key::with_default("retention.failed", || Given::length(KEEP_FAILED), length)
        .flag("keep-failed", "LENGTH")
        .about("How long failed jobs are kept");
static KEEP_CANCELLED_KEY: Key<Duration> =
    Key::with_default("retention.cancelled", || Given::length(KEEP_FAILED), length)
        .flag("keep-cancelled", "LENGTH")
        .about("How long cancelled jobs are kept");

/// A form of [`Backoff`].
#[derive(Clone, Copy, PartialEq)]
enum Shape {
    Exponential,
    Fixed,
    List,
}

const SHAPES: [(&str, Shape); 3] = [
    ("exponential", Shape::Exponential),
    ("fixed", Shape::Fixed),
    ("list", Shape::List),
];

/// The defaults that are in force.
pub(super) fn read(settings: &Settings) -> Defaults {
    Defaults {
        timeout: settings.given(&TIMEOUT),
        max_attempts: settings.get(&MAX_ATTEMPTS),
        backoff: backoff(settings).expect("it was checked when the settings were loaded"),
        retention: Retention {
            succeeded: settings.get(&KEEP_SUCCEEDED_KEY),
            failed: settings.get(&KEEP_FAILED_KEY),
            cancelled: settings.get(&KEEP_CANCELLED_KEY),
        },
        payload_bytes: settings.get(&PAYLOAD),
        result_bytes: settings.get(&RESULT),
    }
}

/// The settings of a backoff that belong to one type of it.
static OWNED: [(&str, &str); 5] = [
    ("defaults.backoff.base", "exponential"),
    ("defaults.backoff.factor", "exponential"),
    ("defaults.backoff.max", "exponential"),
    ("defaults.backoff.delay", "fixed"),
    ("defaults.backoff.delays", "list"),
];

fn backoff(settings: &Settings) -> Result<Backoff, String> {
    let shape = settings.get(&BACKOFF_TYPE);
    for (name, owner) in OWNED {
        let meant = SHAPES
            .iter()
            .any(|(word, other)| *word == owner && *other == shape);
        if let (Some(origin), false) = (settings.origin(name), meant) {
            return Err(format!(
                "{origin}: {name} is for a backoff of type {owner}, and defaults.backoff.type is another one"
            ));
        }
    }
    let missing = |name: &str| format!("defaults.backoff.type asks for {name}, which is not set");
    match shape {
        Shape::Exponential => exponential(settings),
        Shape::Fixed => {
            let delay = settings.given(&BACKOFF_DELAY);
            delay
                .map(Backoff::Fixed)
                .ok_or_else(|| missing("defaults.backoff.delay"))
        }
        Shape::List => {
            let delays = settings.given(&BACKOFF_LIST);
            delays
                .map(Backoff::List)
                .ok_or_else(|| missing("defaults.backoff.delays"))
        }
    }
}

fn exponential(settings: &Settings) -> Result<Backoff, String> {
    let Backoff::Exponential { base, factor, max } = Backoff::default() else {
        return Ok(Backoff::default());
    };
    let base = settings.given(&BACKOFF_BASE).unwrap_or(base);
    let max = settings.given(&BACKOFF_MAX).unwrap_or(max);
    if base > max {
        return Err("defaults.backoff.base is longer than defaults.backoff.max".to_owned());
    }
    Ok(Backoff::Exponential {
        base,
        factor: settings.given(&BACKOFF_FACTOR).unwrap_or(factor),
        max,
    })
}

fn length(given: &Given) -> Result<Duration, String> {
    given.as_length(Duration::ZERO..=LENGTH_MAX)
}

fn positive(given: &Given) -> Result<Duration, String> {
    given.as_length(Duration::from_micros(1)..=LENGTH_MAX)
}

fn bytes(given: &Given) -> Result<usize, String> {
    given.as_whole(1..=PAYLOAD_BYTES_MAX as i64)
}

fn delays(given: &Given) -> Result<Vec<Duration>, String> {
    let texts = given.as_texts()?;
    if !(1..=BACKOFF_DELAYS).contains(&texts.len()) {
        return Err(format!("a list of delays has 1 to {BACKOFF_DELAYS} of them"));
    }
    let read = |text: &String| parse_length(text).map_err(|error| error.to_string());
    texts.iter().map(read).collect()
}
