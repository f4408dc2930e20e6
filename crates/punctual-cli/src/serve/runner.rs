//! How many jobs run at once, of which queues, and how they are leased.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use punctual::limits::{
    CLAIM_QUEUES, CONCURRENCY, CONCURRENCY_MAX, LEASE, LEASE_MAX, LEASE_MIN, LENGTH_MAX, STOP_WITHIN,
};
use punctual::queue::QueueName;
use punctual::source::Source;
use punctual::worker::Worker;

use super::defaults;
use crate::config::Settings;
use crate::config::given::Given;
use crate::config::key::{Key, Room, always};

pub(crate) static ROOM: Room = Room {
    heading: None,
    keys: &[&CONCURRENCY_KEY, &PREFETCH, &LEASE_KEY, &QUEUES, &STOP_WITHIN_KEY],
    agree: always,
};

static CONCURRENCY_KEY: Key<usize> = Key::with_default(
    "runner.concurrency",
    || Given::whole(CONCURRENCY),
    |given| given.as_whole(1..=CONCURRENCY_MAX as i64),
)
.flag("concurrency", "N")
.about("How many jobs run at once");
static PREFETCH: Key<usize> = Key::with_default(
    "runner.prefetch",
    || Given::Whole(0),
    |given| given.as_whole(0..=CONCURRENCY_MAX as i64),
)
.flag("prefetch", "N")
.about("How many jobs may be reserved ahead");
static LEASE_KEY: Key<Duration> = Key::with_default(
    "runner.lease",
    || Given::length(LEASE),
    |given| given.as_length(LEASE_MIN..=LEASE_MAX),
)
.flag("lease", "LENGTH")
.about("How long a job is leased: should this process be killed, its jobs run again so much later");
static QUEUES: Key<Vec<String>> = Key::with_default(
    "runner.queues",
    || Given::Texts(["http", "command"].map(str::to_owned).into()),
    queues,
)
.flags("queues", "NAMES")
.about("The queues to run jobs of");
static STOP_WITHIN_KEY: Key<Duration> = Key::with_default(
    "runner.stop_within",
    || Given::length(STOP_WITHIN),
    |given| given.as_length(Duration::ZERO..=LENGTH_MAX),
)
.about("How long what runs may go on once this process is told to stop; then it is stopped and put back");

/// A worker that takes its jobs from there, with no handlers yet.
pub(super) fn worker(settings: &Settings, source: impl Into<Arc<dyn Source>>) -> Worker {
    Worker::new(source)
        .concurrency(settings.get(&CONCURRENCY_KEY))
        .prefetch(settings.get(&PREFETCH))
        .lease(settings.get(&LEASE_KEY))
        .queues(settings.get(&QUEUES))
        .stop_within(settings.get(&STOP_WITHIN_KEY))
        .defaults(defaults::read(settings))
}

/// What it does, in one line.
pub(super) fn about(settings: &Settings) -> String {
    let (slots, queues) = (settings.get(&CONCURRENCY_KEY), settings.get(&QUEUES).join(", "));
    format!("running up to {slots} jobs at once, of the queues {queues}")
}

fn queues(given: &Given) -> Result<Vec<String>, String> {
    let queues = given.as_texts()?;
    if !(1..=CLAIM_QUEUES).contains(&queues.len()) {
        return Err(format!("a runner serves 1 to {CLAIM_QUEUES} queues"));
    }
    let mut named = BTreeSet::new();
    for queue in &queues {
        let name = QueueName::from(queue.as_str());
        name.check().map_err(|error| error.to_string())?;
        if !named.insert(queue) {
            return Err(format!("the queue {queue} is named twice"));
        }
    }
    Ok(queues)
}
