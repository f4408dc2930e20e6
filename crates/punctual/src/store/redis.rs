//! The Redis store: jobs in a Redis server or one slot of a Redis Cluster, for any number of processes.
//!
//! ```text
//!   insert claim beat apply …  fetch list …            others' hints
//!              │                   │                        ▲
//!              ▼  one script each  ▼  plain reads           │ subscribed, on a connection of its own
//!          link: one connection, heals itself        signals: whatever gathers, one message
//!              │                                            │
//!              ▼                                            ▼
//!     {namespace}:j:<id>      body                 {namespace}:signals
//!     {namespace}:s:<id>      status
//!     {namespace}:plan:<id>   plan of a schedule
//!     {namespace}:sched:<id>  its standing
//!     {namespace}:occ:<id>    its ledger
//!     {namespace}:line:<priority>:<queue> …  indexes: sorted sets in the order of their bytes
//! ```
//!
//! Every verb that writes is one script, which the server runs alone and to its end: it checks everything, and then
//! writes. Large batches are several scripts, so that none holds the server up for long. All keys of a namespace have one
//! hash tag, so that they are in one slot of a cluster.
//!
//! What is acknowledged survives what the server's append-only file survives. [`RedisStore::open`] refuses a server
//! that throws keys away when its memory is full, and says in the log what a loss of power may cost.

mod address;
mod apply;
mod batch;
mod beat;
mod claim;
mod counts;
mod driver;
mod fault;
mod fetch;
mod insert;
#[cfg(feature = "postgres")]
pub(crate) mod lines;
mod link;
mod list;
mod order;
mod output;
mod overdue;
mod pack;
mod promise;
mod records;
mod reply;
mod row;
mod schedules;
mod script;
mod signals;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use self::address::Address;
use self::driver::Driver;
use self::link::Link;
use self::promise::{Keeps, Promise};
use self::script::Arguments;
use self::signals::RedisSignals;
use crate::change::{
    Applied, Change, Inserted, Record, RecordApplied, RecordChange, RecordKind, ScheduleApplied,
    ScheduleChange,
};
use crate::clock::{Clock, SystemClock};
use crate::error::Error;
use crate::job::{Job, JobId};
use crate::limits;
use crate::run::{Beat, Beaten, Claim, Claimed, RunId, WorkerSeen};
use crate::schedule::{Occurrence, OccurrenceKey, ScheduleId};
use crate::signals::Signals;
use crate::store::findings::{self, PassedOver};
use crate::store::{
    Answer, Counted, Depth, Filter, Listed, Output, Overdue, Page, Report, ScheduleRows, Schedules, Store,
    checks,
};
use crate::time::{Timestamp, micros};

/// Jobs in a Redis server. See the [module](self).
pub struct RedisStore {
    clock: Arc<dyn Clock>,
    link: Link,
    /// Heartbeats wait for nobody's long answer.
    beats: Link,
    passed_over: PassedOver,
    /// Writes that the server has refused.
    refusals: Arc<AtomicU64>,
    /// How many of them a check knew of that has written since.
    refusals_past: AtomicU64,
    // Signals end before the driver, so that the last of them are sent.
    signals: RedisSignals,
    _driver: Driver,
}

/// How a Redis store is opened.
#[derive(Clone, Debug)]
pub struct RedisOptions {
    /// The clock of this process, with which the server's is compared. Where time is not stepped, the server's holds.
    pub clock: Arc<dyn Clock>,
    /// Whether a namespace that is not there is made. It is, unless told otherwise.
    pub create: bool,
}

/// With the machine's clock, and a new namespace where there is none.
impl Default for RedisOptions {
    fn default() -> RedisOptions {
        RedisOptions {
            clock: Arc::new(SystemClock::new()),
            create: true,
        }
    }
}

impl RedisStore {
    /// Connects to the server of this URL, and makes its namespace if there is none: `redis://user:password@host:6379/0`,
    /// or `rediss://` for TLS, with several hosts of one cluster between commas. Parameters are `namespace` (unset,
    /// `punctual`) and, for TLS, `ca`: a file of the certificates that vouch for the server (unset, the machine's own).
    ///
    /// # Errors
    ///
    /// `Invalid` for another URL, for a server that throws keys away when its memory is full or is older than 7.0, and for a
    /// namespace that a newer version made. `Unavailable` if the server cannot be reached, does not let this user do
    /// what is needed, or has no such namespace and it is not to be made.
    pub async fn open(url: &str, options: RedisOptions) -> Result<RedisStore, Error> {
        RedisStore::connect(url, options).await.map(|(store, _)| store)
    }

    /// The store, and the version of its layout that was found.
    async fn connect(url: &str, options: RedisOptions) -> Result<(RedisStore, u32), Error> {
        let address = Address::read(url)?;
        let driver = Driver::start()?;
        let refusals = Arc::new(AtomicU64::new(0));
        let link = || {
            let link = Link::new(address.clone(), driver.spawner().clone(), Arc::new(|_| ()));
            link.counting_refusals(&refusals)
        };
        let (link, beats) = (link(), link());
        // In a cluster, this finds the node that serves the namespace, which is then asked what it promises.
        let there = link.schema().await?;
        let promise = Promise::read(&link).await?;
        promise.accept(&address.to_string())?;
        if !options.create && there.is_none() {
            return Err(Error::unavailable(format!(
                "Redis at {address} has no namespace {:?}; `punctual store migrate` makes it, and so does the first API",
                link.namespace()
            )));
        }
        link.prepare().await?;
        if promise.keeps != Keeps::All {
            tracing::warn!(at = %address, "{}", promise.keeps.note());
        }
        let store = RedisStore {
            clock: options.clock,
            passed_over: PassedOver::default(),
            refusals,
            refusals_past: AtomicU64::new(0),
            signals: RedisSignals::start(&link),
            link,
            beats,
            _driver: driver,
        };
        Ok((store, there.unwrap_or(0)))
    }

    /// Makes the namespace of this URL if there is none. Answers the versions of its layout before, 0 for none, and now.
    ///
    /// # Errors
    ///
    /// As those of [`open`](Self::open).
    pub async fn migrate(url: &str) -> Result<(u32, u32), Error> {
        let (_, found) = RedisStore::connect(url, RedisOptions::default()).await?;
        Ok((found, script::SCHEMA))
    }

    async fn report(&self) -> Result<Report, Error> {
        let promise = Promise::read(&self.link).await?;
        promise.accept(&self.link.address().to_string())?;
        // Whoever was refused a write wants to know how the next one goes.
        let refusals = self.refusals.load(Ordering::Relaxed);
        let known = match refusals > self.refusals_past.load(Ordering::Relaxed) {
            true => Duration::ZERO,
            false => limits::WRITE_KNOWN,
        };
        let mut arguments = Arguments::default();
        arguments.number(micros(known));
        let asked_at = self.clock.uptime();
        let checked = self.link.read(&script::CHECK, arguments).await;
        let checked = checked.inspect_err(|_| {
            self.refusals.fetch_add(1, Ordering::Relaxed);
        });
        let now = reply::bytes(checked?)?;
        self.refusals_past.fetch_max(refusals, Ordering::Relaxed);
        let latency = self.clock.uptime().saturating_sub(asked_at);
        let here = self.clock.now() - latency / 2;
        let now = order::read_instant(reply::fixed(&now)?);
        let ahead = now.as_micros() - here.as_micros();
        let looks = schedules::schedules(&self.link, &findings::FIRST_LOOKS).await?;
        let notes = [
            Some(promise.keeps.note().to_owned()),
            findings::clock(ahead),
            findings::unreadable(&overdue::unreadable(&self.link).await?),
            findings::unreadable_schedules(&looks, now),
        ];
        Ok(Report {
            store: "redis",
            version: promise.version,
            schema: script::SCHEMA,
            durable: promise.keeps == Keeps::All,
            notes: notes.into_iter().flatten().collect(),
            clock_ahead_micros: ahead,
            latency,
        })
    }
}

impl Store for RedisStore {
    fn insert<'a>(&'a self, jobs: &'a [Job]) -> Answer<'a, Vec<Inserted>> {
        Box::pin(async move {
            checks::insert(jobs)?;
            insert::insert(&self.link, jobs).await
        })
    }

    fn claim(&self, claim: Claim) -> Answer<'_, Claimed> {
        Box::pin(async move {
            checks::claim(&claim)?;
            claim::claim(&self.link, &claim).await
        })
    }

    fn beat(&self, beat: Beat) -> Answer<'_, Beaten> {
        Box::pin(async move {
            checks::beat(&beat)?;
            beat::beat(&self.beats, &beat).await
        })
    }

    fn apply<'a>(&'a self, changes: &'a [Change]) -> Answer<'a, Vec<Applied>> {
        Box::pin(async move {
            checks::apply(changes)?;
            apply::apply(&self.link, changes).await
        })
    }

    fn fetch<'a>(&'a self, ids: &'a [JobId]) -> Answer<'a, Vec<Option<Job>>> {
        Box::pin(async move {
            checks::fetch(ids.len())?;
            fetch::fetch(&self.link, ids).await
        })
    }

    fn list(&self, filter: Filter, page: Page) -> Answer<'_, Listed> {
        Box::pin(async move {
            checks::list(&filter, &page)?;
            list::list(&self.link, &filter, &page).await
        })
    }

    fn overdue(&self, limit: usize, now: Option<Timestamp>) -> Answer<'_, Overdue> {
        Box::pin(async move {
            checks::overdue(limit)?;
            overdue::overdue(&self.link, limit, now, &self.passed_over).await
        })
    }

    fn counts(&self) -> Answer<'_, Counted> {
        Box::pin(counts::counts(&self.link))
    }

    fn workers(&self) -> Answer<'_, Vec<WorkerSeen>> {
        Box::pin(beat::workers(&self.link))
    }

    fn change_records<'a>(&'a self, changes: &'a [RecordChange]) -> Answer<'a, Vec<RecordApplied>> {
        Box::pin(async move {
            checks::change_records(changes)?;
            records::change_records(&self.link, changes).await
        })
    }

    fn records<'a>(
        &'a self,
        kind: RecordKind,
        after: Option<&'a str>,
        limit: usize,
    ) -> Answer<'a, Vec<Record>> {
        Box::pin(async move {
            checks::records(limit)?;
            records::records(&self.link, kind, after, limit).await
        })
    }

    fn change_schedules<'a>(&'a self, changes: &'a [ScheduleChange]) -> Answer<'a, Vec<ScheduleApplied>> {
        Box::pin(async move {
            checks::change_schedules(changes)?;
            schedules::change(&self.link, changes).await
        })
    }

    fn schedules(&self, which: Schedules) -> Answer<'_, ScheduleRows> {
        Box::pin(async move {
            checks::schedules(&which)?;
            schedules::schedules(&self.link, &which).await
        })
    }

    fn occurrences(
        &self,
        schedule: ScheduleId,
        before: Option<OccurrenceKey>,
        limit: usize,
    ) -> Answer<'_, Vec<Occurrence>> {
        Box::pin(async move {
            checks::occurrences(limit)?;
            schedules::occurrences(&self.link, schedule, before, limit).await
        })
    }

    fn append_output<'a>(&'a self, run: RunId, bytes: &'a [u8]) -> Answer<'a, bool> {
        Box::pin(output::append(&self.link, run, bytes))
    }

    fn output(&self, run: RunId, from: u64) -> Answer<'_, Output> {
        Box::pin(output::output(&self.link, run, from))
    }

    /// Redis watches over its own files, so that there is no deeper look.
    fn check(&self, _: Depth) -> Answer<'_, Report> {
        Box::pin(self.report())
    }

    fn signals(&self) -> &dyn Signals {
        &self.signals
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("at", &self.link.address().to_string())
            .field("namespace", &self.link.namespace())
            .finish_non_exhaustive()
    }
}

/// Whether this is a URL of Redis, as far as that can be told without its server.
pub(super) fn check_url(url: &str) -> Result<(), Error> {
    Address::read(url).map(drop)
}

/// The first arguments of a script that needs to know what time it is: now and a length after it, where time is stepped, and
/// the length in microseconds.
fn push_time(arguments: &mut Arguments, now: Option<Timestamp>, length: Duration) {
    match now {
        Some(now) => arguments
            .bytes(order::instant(now))
            .bytes(order::instant(now + length)),
        None => arguments.bytes("").bytes(""),
    };
    arguments.number(micros(length));
}
