//! Bulk verbs: cancel, retry or delete all jobs that a filter matches.
//!
//! A call goes through a bounded piece of the list and says where the next one goes on, so that nobody waits for millions of
//! rows, and whoever was interrupted goes on where it was. Each job is decided about and written by itself, like any
//! operator's change: what another does meanwhile is seen, and never overwritten.
//!
//! ```text
//! list ─▶ heads ─▶ rows, a few at a time ─▶ rules::edit ─▶ lane ─▶ apply
//!   ▲                                                        │
//!   └── next page                   moved on, or key held: alone, by operate
//! ```

use std::fmt;

use tracing::Instrument;

use crate::change::{Applied, Change};
use crate::error::{Error, Kind};
use crate::job::{Job, JobId, State};
use crate::limits::{BULK_JOBS, BULK_PAGES, BULK_REFUSALS, BULK_ROWS, PAGE_ITEMS};
use crate::rules::{self, Moment};
use crate::store::{Cursor, Filter, Head, Page};

use super::settings::is_limited;
use super::settle::{may_pass, tell_of};
use super::{Core, Engine};

/// What is to be done to all jobs that a filter matches.
#[derive(Clone, Debug, PartialEq)]
pub struct Bulk {
    /// What is done.
    pub verb: BulkVerb,
    /// To which jobs.
    pub filter: Filter,
    /// Where the last call ended: its [`Bulked::next`], with the same filter. Unset, from the beginning.
    pub after: Option<Cursor>,
    /// How many jobs this call may match: 1 to [`BULK_JOBS`].
    pub limit: usize,
    /// Only counts, and changes nothing.
    pub dry_run: bool,
}

/// What is done to many jobs.
#[derive(Clone, Debug, PartialEq)]
pub enum BulkVerb {
    /// Live jobs are cancelled, for this reason, which may be empty.
    Cancel(String),
    /// Ended jobs begin a new life.
    Retry,
    /// Jobs are deleted, unless they run.
    Delete,
}

/// Its name in lower case.
impl fmt::Display for BulkVerb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BulkVerb::Cancel(_) => "cancel",
            BulkVerb::Retry => "retry",
            BulkVerb::Delete => "delete",
        })
    }
}

/// What one call of a bulk verb came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bulked {
    /// Jobs that the filter matched, and for which the verb is meant: cancel for live ones, retry for ended ones.
    pub matched: usize,
    /// Those of them that were changed. What is neither changed nor refused was so already, or gone by then.
    pub changed: usize,
    /// Those of them that cannot be changed so.
    pub refused: usize,
    /// Why, for the first [`BULK_REFUSALS`] of these.
    pub refusals: Vec<(JobId, Error)>,
    /// Where the next call goes on; unset once the whole list was passed.
    pub next: Option<Cursor>,
}

impl Engine {
    /// Cancels, retries or deletes all jobs that a filter matches: a bounded piece of the list in each call. Every job that is
    /// there from the first call to the last, and keeps its place in the list, is looked at once.
    ///
    /// # Errors
    ///
    /// `Invalid` for a limit or a reason that cannot be. `Unavailable`, or a fault of the store: some jobs may have been
    /// changed by then; the same call again goes on with the others.
    pub async fn bulk(&self, bulk: &Bulk) -> Result<Bulked, Error> {
        let span = tracing::debug_span!("bulk", verb = %bulk.verb, dry_run = bulk.dry_run);
        self.core.bulk(bulk).instrument(span).await
    }
}

impl Core {
    pub(super) async fn bulk(&self, bulk: &Bulk) -> Result<Bulked, Error> {
        bulk.check()?;
        let mut done = Bulked::default();
        let mut left = bulk.limit;
        let mut after = bulk.after;
        for _ in 0..BULK_PAGES {
            let page = Page {
                limit: left.min(PAGE_ITEMS),
                after,
            };
            let listed = self.store.list(bulk.filter.clone(), page).await?;
            let heads = listed.items.into_iter();
            let meant: Vec<Head> = heads.filter(|head| bulk.verb.is_meant_for(head.state)).collect();
            if bulk.dry_run {
                done.matched += meant.len();
            } else {
                for some in meant.chunks(BULK_ROWS) {
                    self.do_to_some(bulk, some, &mut done).await?;
                }
            }
            left -= meant.len();
            after = listed.next;
            if left == 0 || after.is_none() {
                break;
            }
        }
        done.next = after;
        Ok(done)
    }

    async fn do_to_some(&self, bulk: &Bulk, heads: &[Head], done: &mut Bulked) -> Result<(), Error> {
        let queues = self.settings.known().await?;
        let ids: Vec<JobId> = heads.iter().map(|head| head.id).collect();
        let mut writes = Vec::with_capacity(heads.len());
        let mut sent = Vec::with_capacity(heads.len());
        for (head, row) in heads.iter().zip(self.fetch_each(&ids).await?) {
            let job = match row {
                Ok(Some(job)) if bulk.still_matches(head, &job, &self.moment(&queues, &job)) => job,
                Ok(_) => continue,
                Err(error) => {
                    done.matched += 1;
                    done.refuse(head.id, error);
                    continue;
                }
            };
            done.matched += 1;
            let moment = self.moment(&queues, &job);
            match bulk.verb.decide(&job, &moment) {
                Ok(Some(change)) => {
                    let tell = tell_of(&job, &change, is_limited(&queues, &job.body.queue), moment.now);
                    writes.push((change, tell));
                    sent.push(head);
                }
                Ok(None) => {}
                Err(error) => done.refuse(head.id, error),
            }
        }
        for (head, answer) in sent.into_iter().zip(self.write_changes(writes).await) {
            let changed = match answer {
                Ok(Applied::Applied) => Ok(true),
                Ok(Applied::Missing) => Ok(false),
                Ok(Applied::Stale(_) | Applied::Held(_)) => self.do_to_one(bulk, head).await,
                Err(error) => Err(error),
            };
            match changed {
                Ok(changed) => done.changed += usize::from(changed),
                // Whoever asks again goes on from the same place: what was done until then is passed over.
                Err(error) if may_pass(&error) => return Err(error),
                Err(error) => done.refuse(head.id, error),
            }
        }
        Ok(())
    }

    /// Does it to a job that moved on, or whose key another holds, as if it were the only one. Answers whether it changed.
    async fn do_to_one(&self, bulk: &Bulk, head: &Head) -> Result<bool, Error> {
        let rule = |job: &Job, moment: &Moment<'_>| match bulk.still_matches(head, job, moment) {
            true => bulk.verb.decide(job, moment),
            false => Ok(None),
        };
        match self.operate(head.id, None, rule).await {
            Ok((_, changed)) => Ok(changed),
            Err(error) if error.kind() == Kind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Bulk {
    fn check(&self) -> Result<(), Error> {
        if !(1..=BULK_JOBS).contains(&self.limit) {
            let message = format!("must lie between 1 and {BULK_JOBS}, and is {}", self.limit);
            return Err(Error::invalid_field("/limit", message));
        }
        match &self.verb {
            BulkVerb::Cancel(reason) => rules::edit::check_reason(reason),
            BulkVerb::Retry | BulkVerb::Delete => Ok(()),
        }
    }

    /// Whether a row is still what the list showed, or moved on to something that it would show, too.
    fn still_matches(&self, head: &Head, job: &Job, moment: &Moment<'_>) -> bool {
        let same = job.status.rev == head.rev;
        let matches = || self.filter.matches(&Head::of(job, moment.now));
        same || (matches() && self.verb.is_meant_for(job.status.state))
    }
}

impl BulkVerb {
    /// Jobs in other states are none of its business, and not even counted.
    fn is_meant_for(&self, state: State) -> bool {
        match self {
            BulkVerb::Cancel(_) => !state.is_ended(),
            BulkVerb::Retry => state.is_ended(),
            BulkVerb::Delete => true,
        }
    }

    fn decide(&self, job: &Job, moment: &Moment<'_>) -> Result<Option<Change>, Error> {
        match self {
            BulkVerb::Cancel(reason) => rules::edit::cancel(job, reason, moment),
            BulkVerb::Retry => rules::edit::retry(job, moment).map(Some),
            BulkVerb::Delete => rules::edit::delete(job).map(Some),
        }
    }
}

impl Bulked {
    fn refuse(&mut self, id: JobId, why: Error) {
        self.refused += 1;
        if self.refusals.len() < BULK_REFUSALS {
            self.refusals.push((id, why));
        }
    }
}
