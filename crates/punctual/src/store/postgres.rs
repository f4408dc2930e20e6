//! The PostgreSQL store: any number of processes on any number of machines.
//!
//! ```text
//!   insert claim apply …     fetch list overdue …     beat          hints
//!            │                        │                 │              │
//!            ▼                        ▼                 ▼              ▼
//!    up to 12 sessions        2 sessions          1 session    1 connection      each opened when it is needed,
//!            └────────────────────────┴────────┬────────┴──────────────┘           opened anew when it is lost
//!                                              ▼
//!                                  a schema of its own: ?namespace=
//! ```
//!
//! Everything happens on a thread of the store's own, so that no handler keeps a heartbeat from its way. A verb that was begun
//! is brought to its end, also when nobody waits for its answer any more.
//!
//! Every statement runs at READ COMMITTED and names rows by id and `rev`. Rows are locked in the order of their ids,
//! unique keys are taken in theirs, and nobody waits for a lock for longer than
//! [`LOCK_WAIT`](crate::limits::LOCK_WAIT).

mod apply;
mod beat;
mod change_schedules;
mod check;
mod claim;
mod claim_ids;
#[cfg(feature = "redis")]
mod claim_popped;
mod connect;
mod counts;
mod fault;
mod fetch;
mod floors;
mod gates;
mod insert;
mod list;
mod namespace;
mod output;
mod overdue;
mod pipeline;
mod pool;
mod records;
mod row;
#[cfg(feature = "redis")]
mod rows;
mod schedules;
mod schema;
mod session;
mod signals;
mod tls;
mod unreadable;

use std::fmt;
use std::sync::Arc;

use futures_util::TryFutureExt;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio_postgres::Transaction;

use self::change_schedules::change_schedules;
use self::connect::{Connector, Place};
use self::namespace::Namespace;
use self::pipeline::Pipeline;
use self::pool::Pool;
use self::session::Link;
use self::signals::PostgresSignals;
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
use crate::time::Timestamp;

/// Jobs in a PostgreSQL database. See the [module](self).
pub struct PostgresStore {
    core: Arc<Core>,
    signals: PostgresSignals,
    handle: Handle,
    /// Where everything happens; it is there until the store is dropped.
    runtime: Option<Runtime>,
}

/// What the verbs share.
struct Core {
    connector: Arc<Connector>,
    clock: Arc<dyn Clock>,
    writes: Arc<Pool>,
    /// For what may take long.
    reads: Arc<Pool>,
    /// For what is over soon.
    quick: Arc<Pipeline>,
    beats: Arc<Pool>,
    known: gates::Known,
    floors: Arc<floors::Floors>,
    counted: counts::Last,
    passed_over: PassedOver,
    written: check::Written,
}

/// How a PostgreSQL store is opened.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// What measures lengths of time here, and is compared with the server's clock. Instants come from the server.
    pub clock: Arc<dyn Clock>,
    /// Whether a namespace that is not there is made. It is, unless told otherwise.
    pub create: bool,
}

/// With the machine's clock, and a new namespace where there is none.
impl Default for PostgresOptions {
    fn default() -> PostgresOptions {
        PostgresOptions {
            clock: Arc::new(SystemClock::new()),
            create: true,
        }
    }
}

/// Does a verb on a session of this pool, and again if it only ran into somebody else.
macro_rules! on_session {
    ($pool:expr, $session:ident => $verb:expr) => {{
        let mut repeats = 0;
        loop {
            let $session = $pool.take().await?;
            let done = $verb.await;
            match $session.give_back(done) {
                Err(fault) if fault.may_pass_at_once() && repeats < limits::FLUSH_REPEATS => repeats += 1,
                done => break done.map_err(Error::from),
            }
        }
    }};
}
#[cfg(feature = "redis")]
use on_session;

impl PostgresStore {
    /// Connects to the server that `url` names (`postgres://user:password@host:5432/database`, parameters as
    /// `docs/stores.md` tells them), makes the namespace if it does not exist, and brings an older schema up to date.
    ///
    /// # Errors
    ///
    /// `Invalid` for a URL that cannot be read, a server that is too old, and a schema that is not Punctual's or of a newer
    /// version: it is left as it is. `Unavailable` if the server cannot be reached or lets nobody in. No error tells the
    /// password.
    pub async fn open(url: &str, options: PostgresOptions) -> Result<PostgresStore, Error> {
        PostgresStore::connect(url, options).await.map(|(store, _)| store)
    }

    /// Brings the namespace of this URL up to date, as [`open`](Self::open) does, and makes it if there is none. Answers the
    /// versions of its schema before, 0 for none, and now.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open).
    pub async fn migrate(url: &str) -> Result<(u32, u32), Error> {
        let (_, found) = PostgresStore::connect(url, PostgresOptions::default()).await?;
        Ok((found, schema::SCHEMA))
    }

    /// The store, and the version of its schema that was found.
    async fn connect(url: &str, options: PostgresOptions) -> Result<(PostgresStore, u32), Error> {
        let place = Place::parse(url)?;
        let connector = Connector::new(place, Arc::clone(&options.clock))?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("punctual-postgres")
            .enable_all()
            .build()
            .map_err(|error| Error::unavailable("the machine has no thread left").caused_by(error))?;
        let handle = runtime.handle().clone();
        let store = PostgresStore {
            core: Arc::new(Core::new(connector, options.clock)),
            signals: PostgresSignals::silent(),
            runtime: Some(runtime),
            handle,
        };
        let core = Arc::clone(&store.core);
        let create = options.create;
        let found = store
            .read(async move { on_session!(core.writes, session => schema::prepare(&session, create)) })
            .await?;
        Ok((store.with_signals(), found))
    }

    /// Inserts rows within the caller's transaction: they are there if and only if it commits. With `notify`, whoever listens
    /// hears of it then. [`Engine::admit`](crate::Engine::admit) makes a row of a new job.
    ///
    /// # Errors
    ///
    /// `Invalid` if the database has no such namespace, or one of another version; otherwise as [`Store::insert`]. After an
    /// error PostgreSQL lets nothing but a rollback happen in the transaction.
    pub async fn insert_in(
        transaction: &Transaction<'_>,
        within: Within<'_>,
        jobs: &[Job],
    ) -> Result<Vec<Inserted>, Error> {
        checks::insert(jobs)?;
        let namespace = Namespace::new(within.namespace)?;
        let link = Link::within(transaction.client(), &namespace);
        schema::recognise(link).await?;
        let jobs: Vec<&Job> = jobs.iter().collect();
        let inserted = insert::insert_in(link, &jobs).await?;
        if within.notify {
            let stored = jobs.iter().zip(&inserted);
            let stored = stored.filter(|(_, inserted)| **inserted == Inserted::Inserted);
            signals::notify_in(link, signals::due(stored.map(|(job, _)| *job))).await?;
        }
        Ok(inserted)
    }

    /// Makes changes within the caller's transaction: a settlement beside the caller's own writes gives exactly-once
    /// effects. [`Engine::decide`](crate::Engine::decide) makes a change of a run's outcome. Otherwise as
    /// [`insert_in`](Self::insert_in).
    ///
    /// # Errors
    ///
    /// As those of [`insert_in`](Self::insert_in) and [`Store::apply`].
    pub async fn settle_in(
        transaction: &Transaction<'_>,
        within: Within<'_>,
        changes: &[Change],
    ) -> Result<Vec<Applied>, Error> {
        checks::apply(changes)?;
        let namespace = Namespace::new(within.namespace)?;
        let link = Link::within(transaction.client(), &namespace);
        schema::recognise(link).await?;
        let applied = apply::apply_in(link, changes).await?;
        if within.notify {
            let made = applied.iter().filter(|applied| **applied == Applied::Applied);
            signals::notify_in(link, signals::made(made.count())).await?;
        }
        Ok(applied)
    }

    /// The namespace that this store is on.
    pub fn namespace(&self) -> &str {
        self.core.connector.place.namespace.as_str()
    }

    fn with_signals(mut self) -> PostgresStore {
        let _on_the_runtime = self.handle.enter();
        self.signals = PostgresSignals::start(
            &self.core.connector,
            Arc::clone(&self.core.clock),
            Arc::clone(&self.core.floors),
        );
        self
    }

    /// Does a verb that writes where everything happens.
    fn write<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Answer<'static, T> {
        let core = Arc::clone(&self.core);
        let work = work.inspect_err(move |error| core.written.heed(error));
        self.verb(work, |why| {
            Error::unknown(format!("{why}; it is not known whether this was stored"))
        })
    }

    /// Does a verb that only reads.
    fn read<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Answer<'static, T> {
        self.verb(work, Error::unavailable)
    }

    fn verb<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
        unanswered: impl Fn(&'static str) -> Error + Send + 'static,
    ) -> Answer<'static, T> {
        let handle = self.handle.clone();
        Box::pin(async move {
            let bounded = async move { tokio::time::timeout(limits::VERB_TIME, work).await };
            match handle.spawn(bounded).await {
                Ok(Ok(done)) => done,
                Ok(Err(_)) => Err(unanswered("PostgreSQL did not answer in time")),
                Err(_) => Err(unanswered("the store came to its end in the middle of a call")),
            }
        })
    }
}

/// Looks whether a URL can be understood, and asks nobody.
pub(crate) fn check_url(url: &str) -> Result<(), Error> {
    Place::parse(url).map(drop)
}

/// Where within the caller's database, and whether others are told.
#[derive(Clone, Copy, Debug)]
pub struct Within<'a> {
    /// The namespace: what `?namespace=` says in the store's URL.
    pub namespace: &'a str,
    /// Whether a hint is sent with the commit, so that a worker begins at once and not with its next look, within five
    /// seconds. It costs the server: transactions that notify are committed one after the other.
    pub notify: bool,
}

/// The namespace of a URL that names none, with hints.
impl Default for Within<'_> {
    fn default() -> Self {
        Within {
            namespace: namespace::DEFAULT,
            notify: true,
        }
    }
}

impl Core {
    fn new(connector: Connector, clock: Arc<dyn Clock>) -> Core {
        let connector = Arc::new(connector);
        // Behind a pooler a read is a transaction of several statements, and others' may not come in between.
        let hands = if connector.place.pooled {
            1
        } else {
            limits::PIPELINED_READS
        };
        Core {
            writes: Pool::new(Arc::clone(&connector), limits::WRITE_SESSIONS),
            reads: Pool::new(Arc::clone(&connector), limits::READ_SESSIONS),
            quick: Pipeline::new(Arc::clone(&connector), hands),
            beats: Pool::new(Arc::clone(&connector), limits::BEAT_SESSIONS),
            known: gates::Known::default(),
            floors: Arc::new(floors::Floors::new(Arc::clone(&clock))),
            counted: counts::Last::default(),
            passed_over: PassedOver::default(),
            written: check::Written::default(),
            connector,
            clock,
        }
    }

    async fn check(&self) -> Result<Report, Error> {
        let clock = &*self.clock;
        let mut report = on_session!(self.reads, session => check::check(&session, clock))?;
        if let Some(refusals) = self.written.unknown_since(clock) {
            let writer = on_session!(self.writes, session => check::try_to_write(&session))?;
            // What another wrote says nothing of the next half minute.
            if writer == check::Writer::This {
                self.written.note(clock, refusals);
            }
        }
        let unreadable = on_session!(self.reads, session => overdue::unreadable(&session))?;
        report.notes.extend(findings::unreadable(&unreadable));
        let first =
            on_session!(self.reads, session => schedules::schedules(&session, &findings::FIRST_LOOKS))?;
        let now = Timestamp::from_micros(clock.now().as_micros() + report.clock_ahead_micros);
        report.notes.extend(findings::unreadable_schedules(&first, now));
        Ok(report)
    }
}

impl Store for PostgresStore {
    fn insert<'a>(&'a self, jobs: &'a [Job]) -> Answer<'a, Vec<Inserted>> {
        let (core, jobs) = (Arc::clone(&self.core), jobs.to_vec());
        self.write(async move {
            checks::insert(&jobs)?;
            let inserted = on_session!(core.writes, session => insert::insert(&session, &jobs));
            // Also where it failed: it may be there all the same.
            core.floors.heed(&signals::due(jobs.iter()));
            inserted
        })
    }

    fn claim(&self, claim: Claim) -> Answer<'_, Claimed> {
        let core = Arc::clone(&self.core);
        self.write(async move {
            checks::claim(&claim)?;
            on_session!(core.writes, session => claim::claim(&session, &core.known, &core.floors, &claim))
        })
    }

    fn beat(&self, beat: Beat) -> Answer<'_, Beaten> {
        let core = Arc::clone(&self.core);
        self.write(async move {
            checks::beat(&beat)?;
            on_session!(core.beats, session => beat::beat(&session, &beat))
        })
    }

    fn apply<'a>(&'a self, changes: &'a [Change]) -> Answer<'a, Vec<Applied>> {
        let (core, changes) = (Arc::clone(&self.core), changes.to_vec());
        self.write(async move {
            checks::apply(&changes)?;
            let applied = on_session!(core.writes, session => apply::apply(&session, &changes));
            core.floors.heed_changes(&changes);
            applied
        })
    }

    fn fetch<'a>(&'a self, ids: &'a [JobId]) -> Answer<'a, Vec<Option<Job>>> {
        let (core, ids) = (Arc::clone(&self.core), ids.to_vec());
        self.read(async move {
            checks::fetch(ids.len())?;
            match ids.len() > limits::PIPELINED_ROWS {
                true => on_session!(core.reads, session => fetch::fetch_now(&session, &ids)),
                false => on_session!(core.quick, session => fetch::fetch_now(&session, &ids)),
            }
        })
    }

    fn list(&self, filter: Filter, page: Page) -> Answer<'_, Listed> {
        let core = Arc::clone(&self.core);
        self.read(async move {
            checks::list(&filter, &page)?;
            on_session!(core.reads, session => list::list(&session, &filter, &page))
        })
    }

    fn overdue(&self, limit: usize, now: Option<Timestamp>) -> Answer<'_, Overdue> {
        let core = Arc::clone(&self.core);
        self.read(async move {
            checks::overdue(limit)?;
            on_session!(core.reads, session => overdue::overdue(&session, limit, now, &core.passed_over))
        })
    }

    fn counts(&self) -> Answer<'_, Counted> {
        let core = Arc::clone(&self.core);
        self.read(async move {
            match core.counted.if_fresh(&*core.clock) {
                Some(counted) => Ok(counted),
                None => {
                    on_session!(core.reads, session => counts::counts(&session, &core.counted, &*core.clock))
                }
            }
        })
    }

    fn workers(&self) -> Answer<'_, Vec<WorkerSeen>> {
        let core = Arc::clone(&self.core);
        self.read(async move { on_session!(core.reads, session => beat::workers(&session)) })
    }

    fn change_records<'a>(&'a self, changes: &'a [RecordChange]) -> Answer<'a, Vec<RecordApplied>> {
        let (core, changes) = (Arc::clone(&self.core), changes.to_vec());
        self.write(async move {
            checks::change_records(&changes)?;
            on_session!(core.writes, session => records::change_records(&session, &changes))
        })
    }

    fn records<'a>(
        &'a self,
        kind: RecordKind,
        after: Option<&'a str>,
        limit: usize,
    ) -> Answer<'a, Vec<Record>> {
        let (core, after) = (Arc::clone(&self.core), after.map(str::to_owned));
        self.read(async move {
            checks::records(limit)?;
            on_session!(core.quick, session => records::records(&session, kind, after.as_deref(), limit))
        })
    }

    fn change_schedules<'a>(&'a self, changes: &'a [ScheduleChange]) -> Answer<'a, Vec<ScheduleApplied>> {
        let (core, changes) = (Arc::clone(&self.core), changes.to_vec());
        self.write(async move {
            checks::change_schedules(&changes)?;
            let applied = on_session!(core.writes, session => change_schedules(&session, &changes));
            let jobs = changes.iter().flat_map(|change| &change.jobs);
            core.floors.heed(&signals::due(jobs));
            applied
        })
    }

    fn schedules(&self, which: Schedules) -> Answer<'_, ScheduleRows> {
        let core = Arc::clone(&self.core);
        self.read(async move {
            checks::schedules(&which)?;
            on_session!(core.reads, session => schedules::schedules(&session, &which))
        })
    }

    fn occurrences(
        &self,
        schedule: ScheduleId,
        before: Option<OccurrenceKey>,
        limit: usize,
    ) -> Answer<'_, Vec<Occurrence>> {
        let core = Arc::clone(&self.core);
        self.read(async move {
            checks::occurrences(limit)?;
            on_session!(core.reads, session => schedules::occurrences(&session, schedule, before, limit))
        })
    }

    fn append_output<'a>(&'a self, run: RunId, bytes: &'a [u8]) -> Answer<'a, bool> {
        let (core, bytes) = (Arc::clone(&self.core), bytes.to_vec());
        self.write(async move { on_session!(core.writes, session => output::append(&session, run, &bytes)) })
    }

    fn output(&self, run: RunId, from: u64) -> Answer<'_, Output> {
        let core = Arc::clone(&self.core);
        self.read(async move { on_session!(core.quick, session => output::output(&session, run, from)) })
    }

    /// PostgreSQL watches over its own pages, so that there is no deeper look.
    fn check(&self, _: Depth) -> Answer<'_, Report> {
        let core = Arc::clone(&self.core);
        self.read(async move { core.check().await })
    }

    fn signals(&self) -> &dyn Signals {
        &self.signals
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waiting is not allowed where the store may be dropped; connections end with their tasks.
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore")
            .field("server", &self.core.connector.place.server())
            .field("namespace", &self.namespace())
            .finish_non_exhaustive()
    }
}
