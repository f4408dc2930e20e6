//! The SQLite store: one file, no server, every promise kept.
//!
//! ```text
//!   insert claim beat apply …            fetch list overdue counts …
//!           │                                       │
//!           ▼  whoever waits, in one group          ▼
//!     writer: one thread                    readers: a few threads
//!     BEGIN IMMEDIATE · savepoint each      one snapshot each
//!     · one COMMIT, one sync                        │
//!           │                                       │
//!           ▼                                       ▼
//!       jobs.db-wal ───── log: one thread ─────▶ jobs.db
//!           │             copies the bulk
//!           ▼ inotify
//!       watch: one thread ──▶ "others wrote something"
//! ```
//!
//! The file is in WAL mode with `synchronous = FULL`: what is acknowledged has been synced to the disk. Any number of
//! processes may use one file on one machine; network file systems are not supported, since SQLite's locks
//! do not work there. All threads are the store's own, so that it works under any runtime, and under none.
//!
//! [`SqliteStore::insert_in`] and [`SqliteStore::settle_in`] write within a transaction of the caller's own, on a
//! connection of the caller's own to the same file: a job is enqueued if and only if the transaction commits. The
//! connection's main database has to be Punctual's: that another file is attached to, or this one to another, makes no
//! atomic commit of the two, since in WAL mode there is none.

mod apply;
mod backup;
mod beat;
mod claim;
mod counts;
mod fault;
mod fetch;
mod file;
mod insert;
mod integrity;
mod list;
mod log;
mod output;
mod overdue;
mod place;
mod readers;
mod records;
mod row;
mod schedules;
mod unreadable;
mod watch;
mod writer;
mod writing;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::stream::BoxStream;
use rusqlite::Transaction;

use self::fault::Fault;
use self::place::Place;
use self::readers::Readers;
use self::watch::Watch;
use self::writer::{Handle, Writer};
use self::writing::Writing;
use crate::change::{
    Applied, Change, Inserted, Record, RecordApplied, RecordChange, RecordKind, ScheduleApplied,
    ScheduleChange,
};
use crate::clock::{Clock, SystemClock};
use crate::error::Error;
use crate::job::{Job, JobId};
use crate::run::{Beat, Beaten, Claim, Claimed, RunId, WorkerSeen};
use crate::schedule::{Occurrence, OccurrenceKey, ScheduleId};
use crate::signals::{LocalSignals, Signal, Signals};
use crate::store::findings::{self, PassedOver};
use crate::store::{
    Answer, Counted, Depth, Filter, Listed, Output, Overdue, Page, Report, ScheduleRows, Schedules, Store,
    checks,
};
use crate::time::Timestamp;

/// Jobs in a SQLite file. See the [module](self).
///
/// ```
/// use punctual::store::{Depth, Store, sqlite::{SqliteOptions, SqliteStore}};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("jobs.db");
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let store = SqliteStore::open(&path, SqliteOptions::default()).await?;
/// assert!(store.check(Depth::Quick).await?.durable);
/// # Ok::<(), punctual::Error>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SqliteStore {
    path: PathBuf,
    clock: Arc<dyn Clock>,
    place: Arc<Place>,
    passed_over: Arc<PassedOver>,
    readers: Readers,
    // Signals end before the writer, whose thread they use.
    signals: SqliteSignals,
    writer: Writer,
}

/// How a SQLite store is opened.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// What the store takes for its clock where time is not stepped.
    pub clock: Arc<dyn Clock>,
    /// Whether a file that is not there is created. It is, unless told otherwise.
    pub create: bool,
}

/// With the machine's clock, and a new file where there is none.
impl Default for SqliteOptions {
    fn default() -> SqliteOptions {
        SqliteOptions {
            clock: Arc::new(SystemClock::new()),
            create: true,
        }
    }
}

impl SqliteStore {
    /// Opens the file, and creates it, readable only by its owner, if it does not exist; its folder must. Brings
    /// an older schema up to date.
    ///
    /// # Errors
    ///
    /// `Invalid` if the file is not a database of Punctual's, or one of a newer version: it is left as it is.
    /// `Unavailable` if it cannot be created, opened or locked, or is not there and not to be created.
    pub async fn open(path: impl AsRef<Path>, options: SqliteOptions) -> Result<SqliteStore, Error> {
        let path = path.as_ref().to_owned();
        on_a_thread(move || SqliteStore::open_now(&path, options)).await
    }

    /// Creates the file if it does not exist, and brings its schema up to date. Answers the version it then has.
    ///
    /// # Errors
    ///
    /// As those of [`open`](Self::open).
    pub async fn migrate(path: impl AsRef<Path>) -> Result<u32, Error> {
        let path = path.as_ref().to_owned();
        on_a_thread(move || file::prepare(&path).map(|_| file::SCHEMA)).await
    }

    /// The version of the schema that the file has: 0 where it is not there, or empty.
    ///
    /// # Errors
    ///
    /// `Invalid` if the file is not a database of Punctual's; `Unavailable` if it cannot be reached.
    pub async fn schema(path: impl AsRef<Path>) -> Result<u32, Error> {
        let path = path.as_ref().to_owned();
        on_a_thread(move || file::schema(&path)).await
    }

    /// Copies the database at `from` to the file `to`, readable only by its owner, while others go on using it: all that was
    /// committed when this began, and nothing of what came later. The copy is checked from the first page to the last
    /// before it is given its name. Answers its length in bytes.
    ///
    /// # Errors
    ///
    /// `Conflict` if there is a file at `to` already and it is not to `replace` it, or one that is in use. `Unavailable` if
    /// either file cannot be reached, or so much was written meanwhile that the log, which cannot begin anew before the copy is
    /// made, would have come to the bound where writes are refused. `Invalid` if `from` is not a database of Punctual's, or of another version. After an
    /// error, what was at `to` is as it was.
    pub async fn back_up(from: impl AsRef<Path>, to: impl AsRef<Path>, replace: bool) -> Result<u64, Error> {
        let (from, to) = (from.as_ref().to_owned(), to.as_ref().to_owned());
        on_a_thread(move || backup::back_up(&from, &to, replace)).await
    }

    /// Inserts rows within the caller's transaction: they are there if and only if it commits. Whoever listens on this
    /// file, in any process, hears of the commit. [`Engine::admit`](crate::Engine::admit) makes a row of a new job.
    ///
    /// ```
    /// use punctual::store::sqlite::SqliteStore;
    /// use punctual::{Engine, NewJob};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("jobs.db");
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let engine = Engine::open(&format!("sqlite:{}", path.display())).await?;
    /// let mut database = rusqlite::Connection::open(&path)?;
    /// database.execute_batch("create table users (name text)")?;
    ///
    /// let job = engine.admit(NewJob::new("mail.welcome", &"ada")?)?;
    /// let id = job.id();
    /// let transaction = database.transaction()?;
    /// transaction.execute("insert into users values ('ada')", [])?;
    /// SqliteStore::insert_in(&transaction, &[job])?;
    /// transaction.commit()?;
    /// assert_eq!(engine.fetch(id).await?.body.kind, "mail.welcome");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Invalid` for a database that is not Punctual's or has another version of the schema, otherwise as
    /// [`Store::insert`]. After an error nothing of the batch is in the transaction, which goes on unless SQLite itself
    /// ended it; after one of the kind `Internal` do not commit it, since SQLite may have failed to take the batch back.
    pub fn insert_in(transaction: &Transaction<'_>, jobs: &[Job]) -> Result<Vec<Inserted>, Error> {
        checks::insert(jobs)?;
        within(transaction, |writing| insert::insert(writing, jobs))
    }

    /// Makes changes within the caller's transaction: a settlement beside the caller's own writes gives exactly-once
    /// effects. [`Engine::decide`](crate::Engine::decide) makes a change of a run's outcome; `docs/transactions.md`
    /// shows how. Otherwise as [`insert_in`](Self::insert_in).
    ///
    /// # Errors
    ///
    /// As those of [`insert_in`](Self::insert_in) and [`Store::apply`].
    pub fn settle_in(transaction: &Transaction<'_>, changes: &[Change]) -> Result<Vec<Applied>, Error> {
        checks::apply(changes)?;
        within(transaction, |writing| apply::apply(writing, changes))
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn open_now(path: &Path, options: SqliteOptions) -> Result<SqliteStore, Error> {
        if !options.create {
            file::expect_at(path)?;
        }
        let path = file::prepare(path)?;
        let connection = file::connect(&path)?;
        let seen = watch::data_version(&connection).map_err(Error::from)?;
        let place = Arc::new(Place::of(path.clone(), Arc::clone(&options.clock))?);
        let writer = Writer::start(connection, log::Log::open(&path)?, Arc::clone(&place))?;
        let signals = SqliteSignals {
            near: Arc::new(LocalSignals::new()),
            far: Mutex::new(None),
            path: path.clone(),
            writer: writer.handle().clone(),
            seen,
        };
        Ok(SqliteStore {
            readers: Readers::start(&path)?,
            clock: options.clock,
            path,
            place,
            passed_over: Arc::default(),
            signals,
            writer,
        })
    }
}

impl Store for SqliteStore {
    fn insert<'a>(&'a self, jobs: &'a [Job]) -> Answer<'a, Vec<Inserted>> {
        let jobs = jobs.to_vec();
        refuse_or(checks::insert(&jobs), || {
            self.writer
                .handle()
                .write(move |writing| insert::insert(writing, &jobs))
        })
    }

    fn claim(&self, claim: Claim) -> Answer<'_, Claimed> {
        refuse_or(checks::claim(&claim), || {
            let (claim, clock) = (Arc::new(claim), Arc::clone(&self.clock));
            let (wanted, now) = (Arc::clone(&claim), now_of(&clock, claim.now));
            self.writer.handle().look_or_write(
                move |connection| claim::look(connection, &wanted, now()),
                move |writing| claim::claim(writing, &claim, now_of(&clock, claim.now)()),
            )
        })
    }

    fn beat(&self, beat: Beat) -> Answer<'_, Beaten> {
        refuse_or(checks::beat(&beat), || {
            let now = now_of(&self.clock, beat.now);
            self.writer
                .handle()
                .write(move |writing| beat::beat(writing, &beat, now()))
        })
    }

    fn apply<'a>(&'a self, changes: &'a [Change]) -> Answer<'a, Vec<Applied>> {
        let changes = changes.to_vec();
        refuse_or(checks::apply(&changes), || {
            self.writer
                .handle()
                .write(move |writing| apply::apply(writing, &changes))
        })
    }

    fn fetch<'a>(&'a self, ids: &'a [JobId]) -> Answer<'a, Vec<Option<Job>>> {
        let ids = ids.to_vec();
        refuse_or(checks::fetch(ids.len()), || {
            self.readers
                .read(move |connection| fetch::fetch(connection, &ids))
        })
    }

    fn list(&self, filter: Filter, page: Page) -> Answer<'_, Listed> {
        refuse_or(checks::list(&filter, &page), || {
            let now = now_of(&self.clock, filter.now);
            self.readers
                .read(move |connection| list::list(connection, &filter, &page, now()))
        })
    }

    fn overdue(&self, limit: usize, now: Option<Timestamp>) -> Answer<'_, Overdue> {
        refuse_or(checks::overdue(limit), || {
            let now = now_of(&self.clock, now);
            let passed_over = Arc::clone(&self.passed_over);
            self.readers
                .read(move |connection| overdue::overdue(connection, limit, now(), &passed_over))
        })
    }

    fn counts(&self) -> Answer<'_, Counted> {
        let now = now_of(&self.clock, None);
        self.readers
            .read(move |connection| counts::counts(connection, now()))
    }

    fn workers(&self) -> Answer<'_, Vec<WorkerSeen>> {
        let now = now_of(&self.clock, None);
        self.readers
            .read(move |connection| beat::workers(connection, now()))
    }

    fn change_records<'a>(&'a self, changes: &'a [RecordChange]) -> Answer<'a, Vec<RecordApplied>> {
        let changes = changes.to_vec();
        refuse_or(checks::change_records(&changes), || {
            self.writer
                .handle()
                .write(move |writing| records::change_records(writing, &changes))
        })
    }

    fn records<'a>(
        &'a self,
        kind: RecordKind,
        after: Option<&'a str>,
        limit: usize,
    ) -> Answer<'a, Vec<Record>> {
        let after = after.map(str::to_owned);
        refuse_or(checks::records(limit), || {
            self.readers
                .read(move |connection| records::records(connection, kind, after.as_deref(), limit))
        })
    }

    fn change_schedules<'a>(&'a self, changes: &'a [ScheduleChange]) -> Answer<'a, Vec<ScheduleApplied>> {
        let changes = changes.to_vec();
        refuse_or(checks::change_schedules(&changes), || {
            self.writer
                .handle()
                .write(move |writing| schedules::change(writing, &changes))
        })
    }

    fn schedules(&self, which: Schedules) -> Answer<'_, ScheduleRows> {
        refuse_or(checks::schedules(&which), || {
            self.readers
                .read(move |connection| schedules::schedules(connection, &which))
        })
    }

    fn occurrences(
        &self,
        schedule: ScheduleId,
        before: Option<OccurrenceKey>,
        limit: usize,
    ) -> Answer<'_, Vec<Occurrence>> {
        refuse_or(checks::occurrences(limit), || {
            self.readers
                .read(move |connection| schedules::occurrences(connection, schedule, before, limit))
        })
    }

    fn append_output<'a>(&'a self, run: RunId, bytes: &'a [u8]) -> Answer<'a, bool> {
        let bytes = bytes.to_vec();
        self.writer
            .handle()
            .write(move |writing| output::append(writing, run, &bytes))
    }

    fn output(&self, run: RunId, from: u64) -> Answer<'_, Output> {
        self.readers
            .read(move |connection| output::output(connection, run, from))
    }

    fn check(&self, depth: Depth) -> Answer<'_, Report> {
        let clock = Arc::clone(&self.clock);
        let asked_at = clock.uptime();
        let place = Arc::clone(&self.place);
        let reached = self.writer.handle().look_or_write(
            move |connection| {
                file::recognise(connection)?;
                place.is_there()?;
                Ok(place.takes_writes().transpose()?)
            },
            |writing| place::try_to_write(writing),
        );
        let now = now_of(&self.clock, None);
        let unreadable = self.readers.read(move |connection| {
            let now = now();
            let looks = schedules::schedules(connection, &findings::FIRST_LOOKS)?;
            let notes = [
                findings::unreadable(&overdue::unreadable(connection, now)?),
                findings::unreadable_schedules(&looks, now),
            ];
            Ok(notes.into_iter().flatten())
        });
        let whole = (depth == Depth::Whole).then(|| self.readers.read(integrity::check));
        Box::pin(async move {
            reached.await?;
            let latency = clock.uptime().saturating_sub(asked_at);
            let mut notes = vec!["Every commit is synced to the disk (WAL, synchronous = FULL).".to_owned()];
            notes.extend(unreadable.await?);
            if let Some(whole) = whole {
                whole.await?;
                notes.push("All of the file was read, and it is whole.".to_owned());
            }
            Ok(Report {
                store: "sqlite",
                version: rusqlite::version().to_owned(),
                schema: file::SCHEMA,
                durable: true,
                notes,
                clock_ahead_micros: 0,
                latency,
            })
        })
    }

    fn signals(&self) -> &dyn Signals {
        &self.signals
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// Hints within this process, and of what others commit to the file.
struct SqliteSignals {
    near: Arc<LocalSignals>,
    /// Nobody watches before somebody listens.
    far: Mutex<Option<Watch>>,
    path: PathBuf,
    writer: Handle,
    /// What the writer's connection saw of others' commits when it was opened.
    seen: i64,
}

impl Signals for SqliteSignals {
    fn send(&self, signals: &[Signal]) {
        // Other processes hear of the commit itself.
        self.near.send(signals);
    }

    fn listen(&self) -> BoxStream<'static, Signal> {
        let heard = self.near.listen();
        let mut far = self.far.lock().unwrap_or_else(PoisonError::into_inner);
        if far.is_none() {
            let near = Arc::clone(&self.near);
            let watch = Watch::start(&self.path, self.writer.clone(), self.seen, near);
            let report = |error: &Error| {
                tracing::warn!(%error, "other processes' work is heard of late; the next listener tries to watch again");
            };
            *far = watch.inspect_err(report).ok();
        }
        heard
    }
}

/// Verbs within a transaction that is the caller's own: all of them, or none.
fn within<T>(
    transaction: &Transaction<'_>,
    work: impl FnOnce(&mut Writing<'_>) -> Result<T, Fault>,
) -> Result<T, Error> {
    file::recognise(transaction)?;
    let mut writing = Writing::new(transaction);
    let done = writing.all_or_nothing(
        |writing| {
            let done = work(writing)?;
            writing.write_counts()?;
            Ok(done)
        },
        |_| true,
    );
    Ok(done?)
}

/// The instant that a verb takes for now, read when it is its turn.
fn now_of(clock: &Arc<dyn Clock>, stepped: Option<Timestamp>) -> impl FnOnce() -> Timestamp + Send + use<> {
    let clock = Arc::clone(clock);
    move || stepped.unwrap_or_else(|| clock.now())
}

fn refuse_or<'a, T: Send + 'a>(
    checked: Result<(), Error>,
    answer: impl FnOnce() -> Answer<'a, T>,
) -> Answer<'a, T> {
    match checked {
        Ok(()) => answer(),
        Err(error) => Box::pin(std::future::ready(Err(error))),
    }
}

/// Does what blocks on a thread of its own.
async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let (answer, answers) = tokio::sync::oneshot::channel();
    let work = move || drop(answer.send(work()));
    std::thread::Builder::new()
        .name("punctual-open".to_owned())
        .spawn(work)
        .map_err(writer::no_thread)?;
    answers.await.map_err(|_| writer::ended())?
}
