//! One write transaction: a connection, and the counts that its verbs change.

use std::collections::BTreeMap;

use rusqlite::{CachedStatement, Connection, Params, Row, params};

use super::fault::Fault;
use crate::job::State;
use crate::store::codec;

/// What a writing verb works on. Whoever began the transaction calls [`Writing::write_counts`] before it commits.
pub(super) struct Writing<'a> {
    connection: &'a Connection,
    counts: Deltas,
    spoilt: bool,
}

/// By how much the number of a queue's jobs changes, by state.
type Deltas = BTreeMap<String, [i64; State::ALL.len()]>;

impl<'a> Writing<'a> {
    /// Begins to count within the transaction that `connection` is in.
    pub(super) fn new(connection: &'a Connection) -> Writing<'a> {
        Writing {
            connection,
            counts: Deltas::new(),
            spoilt: false,
        }
    }

    /// Whether a part that failed could not be taken back: then the transaction must not be committed.
    pub(super) fn is_spoilt(&self) -> bool {
        self.spoilt
    }

    pub(super) fn connection(&self) -> &'a Connection {
        self.connection
    }

    /// The statement, ready to be run many times.
    pub(super) fn statement(&self, sql: &str) -> Result<CachedStatement<'a>, Fault> {
        Ok(self.connection.prepare_cached(sql)?)
    }

    /// Runs the statement and answers how many rows it changed.
    pub(super) fn execute(&self, sql: &str, params: impl Params) -> Result<usize, Fault> {
        Ok(self.statement(sql)?.execute(params)?)
    }

    /// Adds a job of this queue in this state, or takes it away.
    pub(super) fn count(&mut self, queue: &str, state: State, more: i64) {
        match self.counts.get_mut(queue) {
            Some(jobs) => jobs[state as usize] += more,
            None => {
                let mut jobs = [0; State::ALL.len()];
                jobs[state as usize] = more;
                self.counts.insert(queue.to_owned(), jobs);
            }
        }
    }

    /// How many more jobs of this queue run than the counter rows say.
    pub(super) fn running_since(&self, queue: &str) -> i64 {
        self.counts
            .get(queue)
            .map_or(0, |jobs| jobs[State::Running as usize])
    }

    /// Does `work` wholly or not at all: what it wrote is taken back if it fails, or answers that it should be.
    pub(super) fn all_or_nothing<T>(
        &mut self,
        work: impl FnOnce(&mut Writing<'a>) -> Result<T, Fault>,
        keep: impl FnOnce(&T) -> bool,
    ) -> Result<T, Fault> {
        let counts = self.counts.clone();
        self.execute("savepoint part", [])?;
        let done = work(self);
        let kept = done.as_ref().is_ok_and(keep);
        if !kept {
            self.counts = counts;
            // After a full disk SQLite may have rolled back everything already; then there is no savepoint left.
            if self.connection.is_autocommit() {
                return done;
            }
        }
        let ended = self.end_part(kept);
        self.spoilt |= ended.is_err();
        ended.and(done)
    }

    fn end_part(&self, kept: bool) -> Result<(), Fault> {
        if !kept {
            self.execute("rollback to part", [])?;
        }
        self.execute("release part", [])?;
        Ok(())
    }

    /// Writes the counts, once for each queue and state.
    pub(super) fn write_counts(&mut self) -> Result<(), Fault> {
        for (queue, jobs) in std::mem::take(&mut self.counts) {
            for (state, more) in State::ALL.into_iter().zip(jobs).filter(|(_, more)| *more != 0) {
                let state = codec::state_number(state);
                self.execute(include_str!("counts_add.sql"), params![queue, state, more])?;
                if more < 0 {
                    self.execute(include_str!("counts_drop.sql"), params![queue, state])?;
                }
            }
        }
        Ok(())
    }
}

/// The first row of a query, read by `read`, if there is any.
pub(super) fn first<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnOnce(&Row<'_>) -> Result<T, Fault>,
) -> Result<Option<T>, Fault> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    rows.next()?.map(read).transpose()
}

/// All rows of a query, each read by `read`.
pub(super) fn all<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    mut read: impl FnMut(&Row<'_>) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn a_part_that_could_not_be_taken_back_spoils_its_transaction() {
        let connection = Connection::open_in_memory().expect("SQLite needs no file for it");
        connection
            .execute_batch("create table numbers (number integer); begin")
            .expect("nothing stands against it");
        let mut writing = Writing::new(&connection);
        let refused = |writing: &mut Writing<'_>| -> Result<(), Fault> {
            writing.execute("insert into numbers values (1)", [])?;
            Err(Error::internal("it is refused").into())
        };
        assert!(writing.all_or_nothing(refused, |()| true).is_err());
        assert!(!writing.is_spoilt(), "it was taken back");
        let lost = |writing: &mut Writing<'_>| {
            // Without its savepoint, SQLite has no way back.
            writing.execute("release part", [])?;
            refused(writing)
        };
        assert!(writing.all_or_nothing(lost, |()| true).is_err());
        assert!(writing.is_spoilt());
    }
}
