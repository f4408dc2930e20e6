//! Dispatch: jobs in PostgreSQL, and beside them lines in Redis that say which of them are due.
//!
//! ```text
//!   insert apply            claim                              idle claim
//!      │  then                │  ids                               │
//!      ▼                      ▼                                    ▼
//!   rows ──▶ lines         lines ──▶ rows: only these ids        lines: nothing, until then
//! ```
//!
//! Rows and every decision stay in PostgreSQL. Redis carries (queue, id, due): a worker pops as many ids as it has room for, and
//! claims these rows by their keys, if they still wait, are due and stand in its queues. So an idle worker asks Redis and not
//! PostgreSQL, of fifty that wake for one job one reaches PostgreSQL, and no claim walks over dead rows.
//!
//! **Nothing depends on the lines.** Whatever stands in them is asked of the row; an entry that is wrong or doubled is thrown
//! away. What is missing is found since lines are *trusted* for a while only. A claim by queue that PostgreSQL answered in full
//! says that nothing else is due, and everything that is stored from then on goes into a line before it is told of: so for
//! [`RESCAN`](crate::limits::RESCAN) an empty line means that there is nothing to do. Then claims go to PostgreSQL again until the
//! first of them has its answer, which serves all processes. A claim that came back full has not seen all: if all it brought stood in
//! a line, jobs are popped on, but who finds too few asks PostgreSQL for the rest; otherwise the lines lack jobs, and claims go to
//! PostgreSQL until it has given what is due. So whatever was lost is found: by a Redis that was flushed, which has lost the trust
//! with the lines, or by a process that popped ids and died.
//!
//! **Doubt** ends trust at once: somebody changed a queue's settings; a hint told of jobs that were stored without lines, by SQL, in a
//! user's own transaction or by a process that does not dispatch; hints were lost; a row could not be read to see where
//! it stands.
//!
//! **Queues with limits or a pause** are never trusted: whoever claims from one of them asks PostgreSQL, where the limits are
//! counted. Lines are kept for them all the same, so that they serve as soon as the limit is gone.
//!
//! **With Redis away**, every verb goes on without lines. Who cannot put jobs into lines tells of them as unlined.
//!
//! Priorities and due instants keep their order, as far as the lines are whole; a job that was missing in one may start after
//! others that it should have gone before.

mod doubts;
mod store_time;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::stream::BoxStream;

use self::doubts::Doubts;
use self::store_time::StoreTime;
use crate::change::{
    Applied, Change, Inserted, Record, RecordApplied, RecordChange, RecordKind, ScheduleApplied,
    ScheduleChange,
};
use crate::error::Error;
use crate::job::{Job, JobId, State};
use crate::limits;
use crate::queue::QueueName;
use crate::run::{Beat, Beaten, Claim, ClaimFrom, Claimed, RunId, WorkerSeen};
use crate::schedule::{Occurrence, OccurrenceKey, ScheduleId};
use crate::signals::{Signal, Signals};
use crate::store::postgres::{PostgresOptions, PostgresStore};
use crate::store::redis::lines::{Lines, Look, Place};
use crate::store::{
    Answer, Counted, Depth, Filter, Listed, Output, Overdue, Page, Report, ScheduleRows, Schedules, Store,
    checks,
};
use crate::time::Timestamp;

/// A PostgreSQL store whose jobs are dispatched through Redis. See the [module](self).
pub struct Dispatched {
    rows: PostgresStore,
    lines: Lines,
    time: StoreTime,
    doubts: Arc<Doubts>,
    /// Until which uptime hints do not claim that jobs stand in lines, since some could not be put there.
    unlined_until: Mutex<Duration>,
}

/// Jobs, and where each of them stands; nothing takes it out of its line.
type Places = Vec<(JobId, Option<Place>)>;

/// What came of asking the lines.
enum Lined {
    /// All there is to claim.
    All(Claimed),
    /// These jobs; for the others the rows have to be asked.
    Part(Vec<Job>),
}

impl Dispatched {
    /// Opens the PostgreSQL store of `url`, and dispatches its jobs through the Redis of `through`, a URL as
    /// [`RedisStore::open`](crate::store::redis::RedisStore::open) takes it. A Redis that is away is warned of, and used
    /// when it is back.
    ///
    /// # Errors
    ///
    /// As those of [`PostgresStore::open`]; `Invalid` if `through` cannot be read.
    pub async fn open(url: &str, through: &str, options: PostgresOptions) -> Result<Dispatched, Error> {
        crate::store::redis::check_url(through)?;
        let clock = Arc::clone(&options.clock);
        let rows = PostgresStore::open(url, options).await?;
        let lines = Lines::open(through, &rows.name().await?)?;
        if let Err(error) = lines.ping().await {
            tracing::warn!(%error, "jobs cannot be dispatched through Redis; they are claimed from PostgreSQL until it is back");
        }
        let doubts = Arc::new(Doubts::default());
        let doubted = Arc::clone(&doubts);
        rows.hear_of_unlined(move |signal| doubted.hear(signal));
        Ok(Dispatched {
            rows,
            lines,
            time: StoreTime::new(clock),
            doubts,
            unlined_until: Mutex::default(),
        })
    }

    async fn claim_queues(&self, claim: Claim, queues: &[QueueName]) -> Result<Claimed, Error> {
        let mut jobs = match self.claim_lined(&claim, queues).await? {
            Lined::All(claimed) => return Ok(claimed),
            Lined::Part(jobs) => jobs,
        };
        let rest = Claim {
            max: claim.max - jobs.len(),
            ..claim
        };
        match self.claim_rows(rest, queues).await {
            Ok(mut claimed) if !jobs.is_empty() => {
                jobs.append(&mut claimed.jobs);
                let place = |job: &Job| queues.iter().position(|queue| *queue == job.body.queue);
                jobs.sort_by_cached_key(|job| (place(job), job.body.priority, job.status.due, job.id()));
                Ok(Claimed { jobs, ..claimed })
            }
            Err(error) if !jobs.is_empty() => part(jobs, error),
            answer => answer,
        }
    }

    /// Claims what stands in lines, as far as they can be trusted.
    async fn claim_lined(&self, claim: &Claim, queues: &[QueueName]) -> Result<Lined, Error> {
        let mut jobs = Vec::new();
        if self.settle_doubts(queues).await {
            return Ok(Lined::Part(jobs));
        }
        let Some(mut now) = claim.now.or_else(|| self.time.now()) else {
            return Ok(Lined::Part(jobs));
        };
        loop {
            let wanted = claim.max - jobs.len();
            // With Redis away there are no lines.
            let popped = self.lines.pop(queues, wanted, now).await.unwrap_or_default();
            if !popped.ids.is_empty() {
                let claimed = match self.claim_popped(claim, queues, &popped.ids).await {
                    Ok(Some(claimed)) => claimed,
                    Ok(None) => return Ok(Lined::Part(jobs)),
                    Err(error) if jobs.is_empty() => return Err(error),
                    Err(error) => return part(jobs, error).map(Lined::All),
                };
                let came = claimed.jobs.len();
                now = claimed.now;
                jobs.extend(claimed.jobs);
                if came < popped.ids.len() {
                    return Ok(Lined::Part(jobs));
                }
            }
            let next_due = match jobs.len() < claim.max {
                true if !popped.is_all => return Ok(Lined::Part(jobs)),
                true if popped.ids.len() == wanted.min(limits::SCRIPT_ITEMS) => continue,
                true => popped.next_due,
                false => None,
            };
            return Ok(Lined::All(Claimed { jobs, next_due, now }));
        }
    }

    /// Claims these ids; nothing if the settings of a queue hold something back. Whatever was not claimed, and still waits, goes
    /// back into its line.
    async fn claim_popped(
        &self,
        claim: &Claim,
        queues: &[QueueName],
        ids: &[JobId],
    ) -> Result<Option<Claimed>, Error> {
        let asked_at = self.time.uptime();
        let answer = self
            .rows
            .claim_popped(claim.clone(), queues.to_vec(), ids.to_vec())
            .await;
        let claimed = match answer {
            Ok(claimed) => claimed,
            Err(error) => {
                // They stand in no line any more.
                self.lines.doubt(queues).await.ok();
                return Err(error);
            }
        };
        let jobs = claimed.as_ref().map_or(&[][..], |claimed| &claimed.jobs);
        let is_left = |id: &&JobId| jobs.iter().all(|job| job.id() != **id);
        let left: Vec<JobId> = ids.iter().filter(is_left).copied().collect();
        self.line_up_as_stored(&left).await;
        match &claimed {
            Some(claimed) => self.learn(claim.now, claimed.now, asked_at),
            None => drop(self.lines.doubt(queues).await),
        }
        Ok(claimed)
    }

    /// Claims from the store of the rows, and says whether lines can be trusted from now on.
    async fn claim_rows(&self, claim: Claim, queues: &[QueueName]) -> Result<Claimed, Error> {
        let (max, stepped, asked_at) = (claim.max, claim.now, self.time.uptime());
        let claimed = self.rows.claim(claim).await?;
        self.learn(stepped, claimed.now, asked_at);
        let gone: Places = claimed.jobs.iter().map(|job| (job.id(), None)).collect();
        let Ok(known) = self.lines.place(&gone).await else {
            return Ok(claimed);
        };
        let all = claimed.jobs.len() < max;
        let trusted = match self.rows.are_open(queues) && (all || known == gone.len()) {
            true => {
                let look = Look {
                    queues,
                    now: claimed.now,
                    all,
                    next_due: claimed.next_due,
                };
                self.lines.trust(&look).await
            }
            false => self.lines.doubt(queues).await,
        };
        // With Redis away there is nothing to trust.
        drop(trusted);
        Ok(claimed)
    }

    /// Tells the lines what this process came to doubt. Answers whether that concerns one of these queues.
    async fn settle_doubts(&self, queues: &[QueueName]) -> bool {
        let doubted = self.doubts.take(queues);
        let told = match &doubted {
            doubts::Doubted::Nothing => return false,
            doubts::Doubted::Queues(queues) => self.lines.doubt(queues).await,
            doubts::Doubted::All => self.lines.doubt_all().await,
        };
        // With Redis away there is nothing to doubt.
        drop(told);
        true
    }

    fn learn(&self, stepped: Option<Timestamp>, now: Timestamp, asked_at: Duration) {
        if stepped.is_none() {
            self.time.learn(now, asked_at);
        }
    }

    /// Puts jobs where they stand. Who cannot, leaves them to be found, and says so to all.
    async fn line_up(&self, places: &[(JobId, Option<Place>)]) {
        if !places.is_empty() && self.lines.place(places).await.is_err() {
            self.doubts.hear(&Signal::Lost);
            let until = self.time.uptime() + limits::RESCAN;
            *self.unlined_until.lock().unwrap_or_else(PoisonError::into_inner) = until;
        }
    }

    /// Whether all that was stored lately stands in lines.
    fn is_lined(&self) -> bool {
        let until = *self.unlined_until.lock().unwrap_or_else(PoisonError::into_inner);
        self.lines.are_reached() && until <= self.time.uptime()
    }

    /// Puts jobs where their rows say that they stand.
    async fn line_up_as_stored(&self, ids: &[JobId]) {
        for ids in ids.chunks(limits::FLUSH_ITEMS) {
            match self.rows.fetch(ids).await {
                Ok(rows) => {
                    let place = |row: &Option<Job>| row.as_ref().and_then(place_of);
                    let places: Places = ids.iter().copied().zip(rows.iter().map(place)).collect();
                    self.line_up(&places).await;
                }
                Err(error) => {
                    tracing::debug!(%error, "jobs could not be put into lines; they are looked for in PostgreSQL");
                    self.lines.doubt_all().await.ok();
                }
            }
        }
    }

    async fn insert_all(&self, jobs: &[Job]) -> Result<Vec<Inserted>, Error> {
        let inserted = self.rows.insert(jobs).await?;
        let (mut places, mut unsure) = (Places::new(), Vec::new());
        for (job, inserted) in jobs.iter().zip(&inserted) {
            match inserted {
                Inserted::Inserted => places.push((job.id(), place_of(job))),
                // Of an insert that was not answered, nobody has put it into a line.
                Inserted::Exists { same: true } => unsure.push(job.id()),
                Inserted::Exists { same: false } | Inserted::Held(_) => {}
            }
        }
        self.line_up(&places).await;
        self.line_up_as_stored(&unsure).await;
        Ok(inserted)
    }

    async fn apply_all(&self, changes: &[Change]) -> Result<Vec<Applied>, Error> {
        let applied = self.rows.apply(changes).await;
        if applied.as_ref().is_err_and(Error::is_unknown) {
            // Of what was stored after all, nobody may send those again that stand in no line: jobs that came with a change, and
            // rows whose callers find them as they wanted them.
            self.lines.doubt_all().await.ok();
        }
        let applied = applied?;
        let (mut places, mut unsure) = (Places::new(), Vec::new());
        for (change, applied) in changes.iter().zip(&applied) {
            match applied {
                Applied::Applied => {
                    match (&change.becomes, &change.body) {
                        (Some(status), Some(body)) => places.push((change.id, Place::of(body, status))),
                        // A change of the status does not say in which line the job stands.
                        (Some(status), None) if status.state == State::Waiting => unsure.push(change.id),
                        // It was as its claim had left it, so it stands in no line.
                        (Some(status), None) if change.expect == status.run => {}
                        _ => places.push((change.id, None)),
                    }
                    places.extend(change.then.iter().map(|job| (job.id(), place_of(job))));
                }
                Applied::Stale(row) => places.push((change.id, place_of(row))),
                Applied::Missing => places.push((change.id, None)),
                Applied::Held(_) => {}
            }
        }
        self.line_up(&places).await;
        self.line_up_as_stored(&unsure).await;
        Ok(applied)
    }

    async fn report(&self, depth: Depth) -> Result<Report, Error> {
        let mut report = self.rows.check(depth).await?;
        let at = self.lines.at();
        report.notes.push(match self.lines.ping().await {
            Ok(()) => format!("Jobs are dispatched through Redis at {at}, which answers."),
            Err(error) => format!(
                "Jobs are to be dispatched through Redis at {at}, which cannot be used, so that they are claimed from \
                 PostgreSQL: {error}."
            ),
        });
        Ok(report)
    }
}

/// What was claimed before the rest could not be: that stands, and the rest is asked for again. Where it is not known what
/// the rest came to, nobody knows it of the whole, and the engine looks up what this worker runs.
fn part(jobs: Vec<Job>, error: Error) -> Result<Claimed, Error> {
    if error.is_unknown() {
        return Err(error);
    }
    tracing::debug!(%error, "a part of a claim failed");
    let now = jobs.iter().filter_map(|job| job.status.started_at).max();
    let now = now.unwrap_or(Timestamp::MIN);
    Ok(Claimed {
        jobs,
        next_due: Some(now),
        now,
    })
}

fn place_of(job: &Job) -> Option<Place> {
    Place::of(&job.body, &job.status)
}

impl Store for Dispatched {
    fn insert<'a>(&'a self, jobs: &'a [Job]) -> Answer<'a, Vec<Inserted>> {
        Box::pin(self.insert_all(jobs))
    }

    fn claim(&self, claim: Claim) -> Answer<'_, Claimed> {
        Box::pin(async move {
            checks::claim(&claim)?;
            match &claim.from {
                ClaimFrom::Queues(queues) if claim.max > 0 && !queues.is_empty() => {
                    let queues = queues.clone();
                    self.claim_queues(claim, &queues).await
                }
                ClaimFrom::Queues(_) => self.rows.claim(claim).await,
                ClaimFrom::Ids(_) => {
                    let claimed = self.rows.claim(claim).await?;
                    let gone: Places = claimed.jobs.iter().map(|job| (job.id(), None)).collect();
                    self.line_up(&gone).await;
                    Ok(claimed)
                }
            }
        })
    }

    fn beat(&self, beat: Beat) -> Answer<'_, Beaten> {
        Box::pin(async move {
            let (stepped, asked_at) = (beat.now, self.time.uptime());
            let beaten = self.rows.beat(beat).await?;
            self.learn(stepped, beaten.now, asked_at);
            Ok(beaten)
        })
    }

    fn apply<'a>(&'a self, changes: &'a [Change]) -> Answer<'a, Vec<Applied>> {
        Box::pin(self.apply_all(changes))
    }

    fn fetch<'a>(&'a self, ids: &'a [JobId]) -> Answer<'a, Vec<Option<Job>>> {
        self.rows.fetch(ids)
    }

    fn list(&self, filter: Filter, page: Page) -> Answer<'_, Listed> {
        self.rows.list(filter, page)
    }

    fn overdue(&self, limit: usize, now: Option<Timestamp>) -> Answer<'_, Overdue> {
        self.rows.overdue(limit, now)
    }

    fn counts(&self) -> Answer<'_, Counted> {
        self.rows.counts()
    }

    fn workers(&self) -> Answer<'_, Vec<WorkerSeen>> {
        self.rows.workers()
    }

    fn change_records<'a>(&'a self, changes: &'a [RecordChange]) -> Answer<'a, Vec<RecordApplied>> {
        Box::pin(async move {
            let applied = self.rows.change_records(changes).await;
            let of_queues = changes.iter().filter(|change| change.kind == RecordKind::Queue);
            let queues: Vec<QueueName> = of_queues.map(|change| QueueName::from(&*change.name)).collect();
            // A pause holds also where nobody hears of it here: the rows are claimed by what their queues say.
            self.lines.doubt(&queues).await.ok();
            applied
        })
    }

    fn records<'a>(
        &'a self,
        kind: RecordKind,
        after: Option<&'a str>,
        limit: usize,
    ) -> Answer<'a, Vec<Record>> {
        self.rows.records(kind, after, limit)
    }

    fn change_schedules<'a>(&'a self, changes: &'a [ScheduleChange]) -> Answer<'a, Vec<ScheduleApplied>> {
        Box::pin(async move {
            let applied = self.rows.change_schedules(changes).await;
            if applied.as_ref().is_err_and(Error::is_unknown) {
                // What was stored after all stands in no line, and nobody sends it again: the schedule has moved on then.
                let jobs = changes.iter().flat_map(|change| &change.jobs);
                let queues: BTreeSet<&QueueName> = jobs.map(|job| &job.body.queue).collect();
                self.lines.doubt(queues).await.ok();
            }
            let applied = applied?;
            let made = changes.iter().zip(&applied);
            let made = made.filter(|(_, applied)| **applied == ScheduleApplied::Applied);
            // A job that was there before stays as it is, and may stand elsewhere.
            let jobs = made.flat_map(|(change, _)| &change.jobs);
            let ids: Vec<JobId> = jobs.map(Job::id).collect();
            self.line_up_as_stored(&ids).await;
            Ok(applied)
        })
    }

    fn schedules(&self, which: Schedules) -> Answer<'_, ScheduleRows> {
        self.rows.schedules(which)
    }

    fn occurrences(
        &self,
        schedule: ScheduleId,
        before: Option<OccurrenceKey>,
        limit: usize,
    ) -> Answer<'_, Vec<Occurrence>> {
        self.rows.occurrences(schedule, before, limit)
    }

    fn append_output<'a>(&'a self, run: RunId, bytes: &'a [u8]) -> Answer<'a, bool> {
        self.rows.append_output(run, bytes)
    }

    fn output(&self, run: RunId, from: u64) -> Answer<'_, Output> {
        self.rows.output(run, from)
    }

    fn check(&self, depth: Depth) -> Answer<'_, Report> {
        Box::pin(self.report(depth))
    }

    fn signals(&self) -> &dyn Signals {
        self
    }
}

impl Signals for Dispatched {
    fn send(&self, signals: &[Signal]) {
        match self.is_lined() {
            true => self.rows.tell_of_lined(signals),
            false => self.rows.signals().send(signals),
        }
    }

    fn listen(&self) -> BoxStream<'static, Signal> {
        self.rows.signals().listen()
    }
}

impl fmt::Debug for Dispatched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatched")
            .field("rows", &self.rows)
            .field("through", &self.lines.at())
            .finish_non_exhaustive()
    }
}
