//! Check: what the server is, what it promises, and whether it takes a write.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::fault::Fault;
use super::row::Columns;
use super::schema;
use super::session::Session;
use crate::clock::Clock;
use crate::error::{Error, Kind};
use crate::limits;
use crate::store::{Report, findings};

/// What is known of how the next write would go.
#[derive(Default)]
pub(super) struct Written(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// Until when the last write of a check is taken for it.
    until: Duration,
    /// Writes that the server has refused.
    refusals: Refusals,
}

/// How many writes the server had refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Refusals(u64);

impl Written {
    /// The refusals up to now, where it is to be tried how a write goes.
    pub(super) fn unknown_since(&self, clock: &dyn Clock) -> Option<Refusals> {
        let known = self.known();
        (known.until <= clock.uptime()).then_some(known.refusals)
    }

    /// A write was taken that was begun after these refusals; a later one counts for more.
    pub(super) fn note(&self, clock: &dyn Clock, refusals: Refusals) {
        let mut known = self.known();
        if known.refusals == refusals {
            known.until = clock.uptime().saturating_add(limits::WRITE_KNOWN);
        }
    }

    /// A write that the server refused voids what was known.
    pub(super) fn heed(&self, refusal: &Error) {
        if refusal.kind() == Kind::Unavailable && !refusal.is_locked() {
            let mut known = self.known();
            known.until = Duration::ZERO;
            known.refusals.0 += 1;
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whose write showed that the server takes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writer {
    This,
    /// Another process, which tried the same at that moment.
    Other,
}

/// Writes a row of its own. Processes that start together meet at it: where one of them holds it for long, what counts is that
/// somebody's write came through meanwhile, since one that hangs in its commit holds the row just the same.
pub(super) async fn try_to_write(session: &Session) -> Result<Writer, Fault> {
    let mut before = None;
    for _ in 0..limits::CHECK_TRIES {
        match session.write(include_str!("check_write.sql"), &[]).await {
            Err(fault) if fault.is_locked() => {}
            written => return written.map(|_| Writer::This),
        }
        let now = writes(session).await?;
        if before.is_some_and(|before| now > before) {
            return Ok(Writer::Other);
        }
        before = Some(now);
    }
    Err(Fault::Told(Error::unavailable(
        "another transaction has locked the row on which it is tried whether this PostgreSQL takes writes, and has not ended; \
         perhaps a commit hangs, since a standby that it waits for is away",
    )))
}

/// How many writes of checks the server has taken.
async fn writes(session: &Session) -> Result<i64, Fault> {
    let rows = session.read(include_str!("check_written.sql"), &[]).await?;
    rows.first().map_or(Ok(0), |row| Columns::of(row).get(0))
}

/// What the server tells of itself.
pub(super) async fn check(session: &Session, clock: &dyn Clock) -> Result<Report, Fault> {
    let sql = include_str!("check.sql");
    // The first time a session is asked, it prepares the statement; only then is it one round trip.
    session.read(sql, &[]).await?;
    let (asked_at, asked) = (clock.uptime(), clock.now());
    let rows = session.read(sql, &[]).await?;
    let latency = clock.uptime().saturating_sub(asked_at);
    let row = rows
        .first()
        .ok_or_else(|| Error::internal("the server tells nothing of itself"))?;
    let column = Columns::of(row);
    if column.get(4)? {
        return Err(Fault::Told(Error::unavailable(
            "this PostgreSQL takes no writes: it is a standby, or read-only by its settings",
        )));
    }
    let (synced, whole, commit): (bool, bool, &str) = (column.get(1)?, column.get(2)?, column.get(3)?);
    let durable = synced && whole && commit != "off" && commit != "local";
    let ahead = column.instant(5)?.as_micros() - (asked + latency / 2).as_micros();
    let notes = [Some(promise(synced, whole, commit)), findings::clock(ahead)];
    Ok(Report {
        store: "postgres",
        version: column.get(0)?,
        schema: schema::SCHEMA,
        durable,
        notes: notes.into_iter().flatten().collect(),
        clock_ahead_micros: ahead,
        latency,
    })
}

fn promise(synced: bool, whole: bool, commit: &str) -> String {
    match (synced, whole) {
        (true, true) => format!("Every commit is synced to the disk (synchronous_commit = {commit})."),
        (true, false) => "After a loss of power pages may be torn (full_page_writes = off).".to_owned(),
        (false, _) => {
            "Nothing is synced to the disk (fsync = off): a loss of power may lose everything.".to_owned()
        }
    }
}
