//! A schedule as two strings and an entry of its ledger as one, and back.
//!
//! Scripts read and write the first fields of a row, and so does whoever cannot read the rest: they have a fixed place in every
//! form. A change of the forms that older versions could take for theirs is a new version of the layout.
//!
//! ```text
//! row, from byte 1      1 form · 2 rev · 10 next look · 18 created · 26 name · standing
//! plan                  text, all of it
//! entry, from byte 1    1 nominal instant · 9 triggered · 10 form · 11 until · 19 count · 27 at · 35 cause ·
//!                       36 F, job and missed, of one that was fired; S and the reason, of one that was skipped
//! ```

use std::sync::Arc;

use uuid::Uuid;

use super::super::pack::{Packing, Unpacking};
use crate::error::Error;
use crate::job::JobId;
use crate::schedule::{Cause, Occurrence, OccurrenceKey, Outcome, Schedule, ScheduleId, ScheduleName};
use crate::store::UnreadableSchedule;
use crate::store::codec::schedule::{read_plan, read_reason, read_standing, write_standing};
use crate::store::codec::unreadable::why;
use crate::time::Timestamp;

/// The form that this version reads and writes.
const FORM: u8 = b'1';

/// The string that tells how far a schedule has come.
pub(super) fn write_row(schedule: &Schedule) -> Vec<u8> {
    let mut packing = Packing::default();
    packing
        .byte(FORM)
        .u64(schedule.rev)
        .instant_if_any(schedule.standing.next)
        .instant(schedule.created_at)
        .text(schedule.name.as_str().as_bytes())
        .bytes(write_standing(&schedule.standing).as_bytes());
    packing.0
}

/// Reads a schedule, or what can be told of one that cannot be read.
pub(super) fn read_schedule(id: ScheduleId, row: &[u8], plan: &[u8]) -> Result<Schedule, UnreadableSchedule> {
    let first = read_first(row).map_err(|error| UnreadableSchedule {
        id,
        // Not even its name can be read.
        name: ScheduleName::from(id.to_string()),
        rev: None,
        next: None,
        why: why(&error),
    })?;
    let (name, rev, next) = (first.name.clone(), Some(first.rev), first.next);
    first.read_rest(id, plan).map_err(|error| UnreadableSchedule {
        id,
        name,
        rev,
        next,
        why: why(&error),
    })
}

/// The fields that every form has, and what follows.
struct First<'a> {
    form: u8,
    rev: u64,
    next: Option<Timestamp>,
    created_at: Timestamp,
    name: ScheduleName,
    rest: &'a [u8],
}

fn read_first(row: &[u8]) -> Result<First<'_>, Error> {
    let mut unpacking = Unpacking(row);
    Ok(First {
        form: unpacking.byte()?,
        rev: unpacking.u64()?,
        next: unpacking.instant_if_any()?,
        created_at: unpacking.instant()?,
        name: ScheduleName::from(unpacking.text()?),
        rest: unpacking.0,
    })
}

impl First<'_> {
    fn read_rest(self, id: ScheduleId, plan: &[u8]) -> Result<Schedule, Error> {
        expect_form(self.form)?;
        Ok(Schedule {
            id,
            name: self.name,
            rev: self.rev,
            created_at: self.created_at,
            plan: Arc::new(read_plan(text(plan)?)?),
            standing: read_standing(text(self.rest)?, self.next)?,
        })
    }
}

/// The place of an entry in its ledger, with which it begins.
pub(super) fn write_key(key: OccurrenceKey) -> Vec<u8> {
    let mut packing = Packing::default();
    packing
        .instant(key.nominal_at)
        .byte(if key.triggered { b'1' } else { b'0' });
    packing.0
}

/// An entry of a ledger.
pub(super) fn write_entry(entry: &Occurrence) -> Vec<u8> {
    let mut packing = Packing(write_key(entry.key()));
    packing
        .byte(FORM)
        .instant(entry.until)
        .u64(entry.count)
        .instant(entry.at)
        .byte(cause_byte(entry.cause));
    match &entry.outcome {
        Outcome::Fired { job, missed } => packing.byte(b'F').bytes(job.0.as_bytes()).u64(*missed),
        Outcome::Skipped(reason) => packing.byte(b'S').bytes(reason.as_str().as_bytes()),
    };
    packing.0
}

/// Reads an entry.
pub(super) fn read_entry(schedule: ScheduleId, entry: &[u8]) -> Result<Occurrence, Error> {
    let mut unpacking = Unpacking(entry);
    let (nominal_at, _triggered) = (unpacking.instant()?, unpacking.flag()?);
    expect_form(unpacking.byte()?)?;
    Ok(Occurrence {
        schedule,
        nominal_at,
        until: unpacking.instant()?,
        count: unpacking.u64()?,
        at: unpacking.instant()?,
        cause: read_cause(unpacking.byte()?)?,
        outcome: match unpacking.byte()? {
            b'F' => Outcome::Fired {
                job: JobId(Uuid::from_bytes(unpacking.array()?)),
                missed: unpacking.u64()?,
            },
            b'S' => Outcome::Skipped(read_reason(text(unpacking.0)?)?),
            other => return Err(unknown("outcome", other)),
        },
    })
}

fn cause_byte(cause: Cause) -> u8 {
    match cause {
        Cause::Planned => b'P',
        Cause::Triggered => b'T',
        Cause::Backfilled => b'B',
    }
}

fn read_cause(byte: u8) -> Result<Cause, Error> {
    let known = Cause::ALL.into_iter().find(|known| cause_byte(*known) == byte);
    known.ok_or_else(|| unknown("cause", byte))
}

fn unknown(what: &str, byte: u8) -> Error {
    let byte = char::from(byte);
    Error::internal(format!("an entry of a ledger holds an unknown {what}: {byte:?}"))
}

fn text(bytes: &[u8]) -> Result<&str, Error> {
    str::from_utf8(bytes)
        .map_err(|error| Error::internal("a row holds a text that is no UTF-8").caused_by(error))
}

fn expect_form(form: u8) -> Result<(), Error> {
    match form {
        FORM => Ok(()),
        _ => Err(Error::internal(
            "a row has a form that this version does not know: a newer one wrote it",
        )),
    }
}
