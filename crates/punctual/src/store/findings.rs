//! What a check finds on any store, in the words that all of them share; and of rows that cannot be read, who was told when.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::error::Error;
use crate::job::JobId;
use crate::limits;
use crate::store::{ScheduleRows, Schedules, UnreadableSchedule};
use crate::time::Timestamp;

/// Overdue rows that cannot be read. They are passed over, and not taken back by anybody: what their jobs allow, nobody can
/// tell. Each look meets them again, so they are told of in the log now and then.
#[derive(Default)]
pub(super) struct PassedOver(Mutex<BTreeMap<JobId, Timestamp>>);

impl PassedOver {
    /// A look met this row.
    pub(super) fn meet(&self, id: JobId, now: Timestamp, why: &Error) {
        if self.is_to_be_told(id, now) {
            tracing::error!(
                job = %id, error = %why,
                "an overdue job cannot be read, and is not taken back: nobody can tell what it allows; a version of \
                 Punctual that can read it does so"
            );
        }
    }

    fn is_to_be_told(&self, id: JobId, now: Timestamp) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Those of a time that the clock was set back from are told again.
        told.retain(|_, at| *at <= now && now.since(*at) < limits::UNREADABLE_PAUSE);
        if told.len() >= limits::UNREADABLE_TOLD || told.contains_key(&id) {
            return false;
        }
        told.insert(id, now);
        true
    }
}

/// What was read of a row, or nothing if what it holds cannot be read: that is reported, and keeps nobody from the other
/// rows. A newer version may have written it.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(super) fn if_readable<T, F>(
    id: JobId,
    read: Result<T, F>,
    is_of_a_row: impl FnOnce(&F) -> bool,
) -> Result<Option<T>, F>
where
    Error: From<F>,
{
    match read {
        Ok(read) => Ok(Some(read)),
        Err(fault) if is_of_a_row(&fault) => {
            tracing::error!(job = %id, error = %Error::from(fault), "a row cannot be read; it is passed over");
            Ok(None)
        }
        Err(fault) => Err(fault),
    }
}

/// A sentence about overdue rows that cannot be read, if there are any.
pub(super) fn unreadable(rows: &[(JobId, Error)]) -> Option<String> {
    let (id, why) = rows.first()?;
    let count = rows.len();
    Some(format!(
        "Overdue jobs that cannot be read: {count}, {id} among them ({why}). They are not taken back, since nobody can tell \
         what they allow; a version of Punctual that can read them does so."
    ))
}

/// The first schedules that somebody would have to look at, among which a check finds those that cannot be read.
pub(super) const FIRST_LOOKS: Schedules = Schedules::Next {
    after: None,
    limit: limits::UNREADABLE_TOLD,
};

/// A sentence about schedules whose time has come and that cannot be read, if there are any.
pub(super) fn unreadable_schedules(first: &ScheduleRows, now: Timestamp) -> Option<String> {
    let is_due = |row: &&UnreadableSchedule| row.next.is_some_and(|next| next <= now);
    let due: Vec<_> = first.unreadable.iter().filter(is_due).collect();
    let UnreadableSchedule { name, why, .. } = due.first()?;
    let count = due.len();
    Some(format!(
        "Schedules that cannot be read: {count}, {name} among them ({why}). They make no jobs; a version of Punctual that can \
         read them does so."
    ))
}

/// A sentence about a server's clock that is not this machine's, if anybody would notice.
#[cfg(any(feature = "postgres", feature = "redis"))]
pub(super) fn clock(ahead_micros: i64) -> Option<String> {
    let apart = std::time::Duration::from_micros(ahead_micros.unsigned_abs());
    let which = if ahead_micros < 0 { "behind" } else { "ahead of" };
    (apart >= limits::CLOCK_APART).then(|| {
        format!(
            "The server's clock is {} {which} this machine's. Jobs start by the server's, so that they start too {} as this \
             machine sees it: keep both clocks by NTP.",
            crate::time::format_length(apart),
            if ahead_micros < 0 { "late" } else { "early" }
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::seconds;

    #[test]
    fn a_row_that_cannot_be_read_is_told_of_now_and_then_and_not_too_many_are() {
        let passed_over = PassedOver::default();
        let (id, now) = (JobId::named("a"), Timestamp::EPOCH);
        assert!(passed_over.is_to_be_told(id, now));
        assert!(!passed_over.is_to_be_told(id, now + seconds(1)));
        assert!(passed_over.is_to_be_told(id, now + limits::UNREADABLE_PAUSE));
        assert!(passed_over.is_to_be_told(id, now), "the clock was set back");
        let others = (0..limits::UNREADABLE_TOLD).map(|n| JobId::named(&n.to_string()));
        let told = others.filter(|id| passed_over.is_to_be_told(*id, now)).count();
        assert_eq!(told, limits::UNREADABLE_TOLD - 1);
    }

    #[test]
    fn a_clock_is_told_of_when_somebody_would_notice() {
        assert_eq!(clock(999_999), None);
        let ahead = clock(90_000_000).expect("it is told");
        assert!(ahead.contains("1m30s ahead of"), "{ahead}");
        assert!(ahead.contains("too early"), "{ahead}");
        let behind = clock(-2_000_000).expect("it is told");
        assert!(
            behind.contains("2s behind") && behind.contains("too late"),
            "{behind}"
        );
    }
}
