//! A store between which and its callers things go wrong, as a test wants.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt, StreamExt};
use tokio::sync::{Notify, RwLock, RwLockWriteGuard};

use crate::change::{
    Applied, Change, Inserted, Record, RecordApplied, RecordChange, RecordKind, ScheduleApplied,
    ScheduleChange,
};
use crate::clock::Clock;
use crate::error::Error;
use crate::job::{Job, JobId};
use crate::run::{Beat, Beaten, Claim, Claimed, RunId, WorkerSeen};
use crate::schedule::{Occurrence, OccurrenceKey, ScheduleId};
use crate::signals::{Signal, Signals};
use crate::store::{
    Answer, Counted, Depth, Filter, Listed, Output, Overdue, Page, Report, ScheduleRows, Schedules, Store,
};
use crate::time::Timestamp;

/// What a store is asked: its verb, with the batch where there is one.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Call<'a> {
    /// [`Store::insert`].
    Insert(&'a [Job]),
    /// [`Store::claim`].
    Claim(&'a Claim),
    /// [`Store::beat`].
    Beat(&'a Beat),
    /// [`Store::apply`].
    Apply(&'a [Change]),
    /// [`Store::fetch`].
    Fetch(&'a [JobId]),
    /// [`Store::list`].
    List(&'a Filter),
    /// [`Store::overdue`].
    Overdue,
    /// [`Store::counts`].
    Counts,
    /// [`Store::workers`].
    Workers,
    /// [`Store::change_records`].
    ChangeRecords(&'a [RecordChange]),
    /// [`Store::records`].
    Records,
    /// [`Store::change_schedules`].
    ChangeSchedules(&'a [ScheduleChange]),
    /// [`Store::schedules`].
    Schedules(&'a Schedules),
    /// [`Store::occurrences`].
    Occurrences,
    /// [`Store::append_output`].
    AppendOutput(RunId),
    /// [`Store::output`].
    Output(RunId),
    /// [`Store::check`].
    Check(Depth),
}

/// What becomes of a call.
#[derive(Clone, Debug)]
pub enum Fate {
    /// It is served.
    Pass,
    /// Nothing is done, and the answer is this error: a store that is down.
    Refuse(Error),
    /// Nothing is done, and the answer is this error; of [`Store::change_schedules`] it is answered for each change by itself: a
    /// row that another transaction has locked.
    RefuseEach(Error),
    /// It is done, and the answer is this error all the same: a connection that broke between the two.
    Lose(Error),
    /// It is done at once, and its answer comes when this is notified: a connection that is slow.
    Late(Arc<Notify>),
}

type Rule = Box<dyn FnMut(Call<'_>) -> Fate + Send>;

/// A store that passes each call on to another one, unless a rule says otherwise. Signals pass, unless it is
/// [`deaf`](FaultyStore::deaf).
///
/// ```
/// use std::sync::Arc;
///
/// use punctual::store::memory::MemoryStore;
/// use punctual::testing::{Call, Fate, FaultyStore};
/// use punctual::{Engine, Error, Kind, NewJob};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let store = Arc::new(FaultyStore::new(Arc::new(MemoryStore::default())));
/// let engine = Engine::builder().on(store.clone());
///
/// store.rule(|call| match call {
///     Call::Insert(_) => Fate::Refuse(Error::unavailable("the disk is full")),
///     _ => Fate::Pass,
/// });
/// let refused = engine.enqueue(NewJob::new("mail.welcome", &7)?).await;
/// assert_eq!(refused.map_err(|error| error.kind()).err(), Some(Kind::Unavailable));
///
/// store.rule(|_| Fate::Pass);
/// engine.enqueue(NewJob::new("mail.welcome", &7)?).await?;
/// # Ok::<(), Error>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    /// Whose time it is in the store; nothing, where that is the store's own matter.
    clock: Option<Arc<dyn Clock>>,
    signals: Option<Silence>,
    rule: Mutex<Rule>,
    door: RwLock<()>,
    /// Calls that the inner store has not answered.
    serving: AtomicUsize,
}

impl FaultyStore {
    /// With nothing wrong between it and `inner` as yet.
    pub fn new(inner: Arc<dyn Store>) -> FaultyStore {
        FaultyStore {
            inner,
            clock: None,
            signals: None,
            rule: Mutex::new(Box::new(|_| Fate::Pass)),
            door: RwLock::new(()),
            serving: AtomicUsize::new(0),
        }
    }

    /// The same, with the time of this clock in the store: what is due, and which lease has passed, a test decides that steps
    /// it, on a server as in memory. Which workers are remembered stays the store's matter.
    #[must_use]
    pub fn on_clock(mut self, clock: Arc<dyn Clock>) -> FaultyStore {
        self.clock = Some(clock);
        self
    }

    /// The same, but every hint is lost, on its way out as on its way in.
    #[must_use]
    pub fn deaf(mut self) -> FaultyStore {
        self.signals = Some(Silence);
        self
    }

    /// Whether the store behind has not answered all that it was asked. A call that is held up before or after it does not
    /// count.
    pub fn is_serving(&self) -> bool {
        self.serving.load(Ordering::Relaxed) > 0
    }

    /// From now on, calls fare by this rule. It is asked once for each call, when the call comes.
    pub fn rule(&self, rule: impl FnMut(Call<'_>) -> Fate + Send + 'static) {
        *self.rule.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(rule);
    }

    /// Holds up every call that comes until what is answered is dropped. Waits for those that are being served.
    pub async fn shut(&self) -> RwLockWriteGuard<'_, ()> {
        self.door.write().await
    }

    fn serve<'a, T: Send + 'a>(&'a self, call: Call<'_>, answer: Answer<'a, T>) -> Answer<'a, T> {
        self.serve_each(call, answer, Err)
    }

    /// The same, with what is answered where each part of the call is refused.
    fn serve_each<'a, T: Send + 'a>(
        &'a self,
        call: Call<'_>,
        answer: Answer<'a, T>,
        refuse_each: impl FnOnce(Error) -> Result<T, Error> + Send + 'a,
    ) -> Answer<'a, T> {
        let fate = (self.rule.lock().unwrap_or_else(PoisonError::into_inner))(call);
        let answer = async move {
            let _serving = Serving::begin(&self.serving);
            answer.await
        };
        async move {
            let _open = self.door.read().await;
            match fate {
                Fate::Pass => answer.await,
                Fate::Refuse(error) => Err(error),
                Fate::RefuseEach(error) => refuse_each(error),
                Fate::Lose(error) => answer.await.and(Err(error)),
                Fate::Late(comes) => {
                    let answer = answer.await;
                    comes.notified().await;
                    answer
                }
            }
        }
        .boxed()
    }

    /// The instant that the caller gave, or else the clock's.
    fn now(&self, given: Option<Timestamp>) -> Option<Timestamp> {
        given.or_else(|| self.clock.as_ref().map(|clock| clock.now()))
    }
}

/// A call that is being served.
struct Serving<'a>(&'a AtomicUsize);

impl Serving<'_> {
    fn begin(serving: &AtomicUsize) -> Serving<'_> {
        serving.fetch_add(1, Ordering::Relaxed);
        Serving(serving)
    }
}

/// Also when nobody waits for the answer any more.
impl Drop for Serving<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyStore").finish_non_exhaustive()
    }
}

impl Store for FaultyStore {
    fn insert<'a>(&'a self, jobs: &'a [Job]) -> Answer<'a, Vec<Inserted>> {
        self.serve(Call::Insert(jobs), self.inner.insert(jobs))
    }

    fn claim(&self, mut claim: Claim) -> Answer<'_, Claimed> {
        claim.now = self.now(claim.now);
        self.serve(Call::Claim(&claim), self.inner.claim(claim.clone()))
    }

    fn beat(&self, mut beat: Beat) -> Answer<'_, Beaten> {
        beat.now = self.now(beat.now);
        self.serve(Call::Beat(&beat), self.inner.beat(beat.clone()))
    }

    fn apply<'a>(&'a self, changes: &'a [Change]) -> Answer<'a, Vec<Applied>> {
        self.serve(Call::Apply(changes), self.inner.apply(changes))
    }

    fn fetch<'a>(&'a self, ids: &'a [JobId]) -> Answer<'a, Vec<Option<Job>>> {
        self.serve(Call::Fetch(ids), self.inner.fetch(ids))
    }

    fn list(&self, mut filter: Filter, page: Page) -> Answer<'_, Listed> {
        filter.now = self.now(filter.now);
        self.serve(Call::List(&filter), self.inner.list(filter.clone(), page))
    }

    fn overdue(&self, limit: usize, now: Option<Timestamp>) -> Answer<'_, Overdue> {
        self.serve(Call::Overdue, self.inner.overdue(limit, self.now(now)))
    }

    fn counts(&self) -> Answer<'_, Counted> {
        self.serve(Call::Counts, self.inner.counts())
    }

    fn workers(&self) -> Answer<'_, Vec<WorkerSeen>> {
        self.serve(Call::Workers, self.inner.workers())
    }

    fn change_records<'a>(&'a self, changes: &'a [RecordChange]) -> Answer<'a, Vec<RecordApplied>> {
        self.serve(Call::ChangeRecords(changes), self.inner.change_records(changes))
    }

    fn records<'a>(
        &'a self,
        kind: RecordKind,
        after: Option<&'a str>,
        limit: usize,
    ) -> Answer<'a, Vec<Record>> {
        self.serve(Call::Records, self.inner.records(kind, after, limit))
    }

    fn change_schedules<'a>(&'a self, changes: &'a [ScheduleChange]) -> Answer<'a, Vec<ScheduleApplied>> {
        let refuse_each = |error| Ok(vec![ScheduleApplied::Refused(error); changes.len()]);
        let answer = self.inner.change_schedules(changes);
        self.serve_each(Call::ChangeSchedules(changes), answer, refuse_each)
    }

    fn schedules(&self, which: Schedules) -> Answer<'_, ScheduleRows> {
        self.serve(Call::Schedules(&which), self.inner.schedules(which.clone()))
    }

    fn occurrences(
        &self,
        schedule: ScheduleId,
        before: Option<OccurrenceKey>,
        limit: usize,
    ) -> Answer<'_, Vec<Occurrence>> {
        let answer = self.inner.occurrences(schedule, before, limit);
        self.serve(Call::Occurrences, answer)
    }

    fn append_output<'a>(&'a self, run: RunId, bytes: &'a [u8]) -> Answer<'a, bool> {
        self.serve(Call::AppendOutput(run), self.inner.append_output(run, bytes))
    }

    fn output(&self, run: RunId, from: u64) -> Answer<'_, Output> {
        self.serve(Call::Output(run), self.inner.output(run, from))
    }

    fn check(&self, depth: Depth) -> Answer<'_, Report> {
        self.serve(Call::Check(depth), self.inner.check(depth))
    }

    fn signals(&self) -> &dyn Signals {
        match &self.signals {
            Some(silence) => silence,
            None => self.inner.signals(),
        }
    }
}

/// Nobody hears anything.
struct Silence;

impl Signals for Silence {
    fn send(&self, _: &[Signal]) {}

    fn listen(&self) -> BoxStream<'static, Signal> {
        stream::pending().boxed()
    }
}
