//! A job as two strings, and back.
//!
//! The body is written once; the status with each step. Claims and heartbeats change the first fields of a status in
//! their scripts, so those have a fixed place; what only we read stands behind them. A change of this form is a new version
//! of the layout.
//!
//! ```text
//! status, from byte 1   1 form · 2 state · 3 cancelled · 4 deferred · 5 rev · 13 run · 21 attempt · 25 due · 33 alarm ·
//!                       41 first started · 49 started · 57 ended · 65 key until · 73 life · 77 refunds
//! place                 81 priority · 82 queue
//! the rest              worker · unique key · failure · cancel · progress · history · result
//!
//! body, from byte 1     1 form · 2 fingerprint · 18 created · kind · unique key of each life · tags · options · payload
//! ```

use std::sync::Arc;

use bytes::Bytes;

use super::pack::{Packing, Unpacking};
use crate::change::Holder;
use crate::error::Error;
use crate::job::{Body, Job, JobId, Options, Status};
use crate::queue::QueueName;
use crate::run::WorkerId;
use crate::store::{Head, codec};
use crate::time::Timestamp;

/// The first byte of every string of a row: the form that this version reads and writes.
const FORM: u8 = b'1';

/// The first fields of a status, up to its place.
pub(super) fn status_before_place(status: &Status) -> Vec<u8> {
    let flag = |set: bool| if set { b'1' } else { b'0' };
    let mut packing = Packing(Vec::with_capacity(80));
    packing
        .byte(FORM)
        .byte(b'0' + codec::state_number(status.state).to_be_bytes()[1])
        .byte(flag(status.cancel.is_some()))
        .byte(flag(status.deferred))
        .u64(status.rev)
        .u64(status.run)
        .u32(status.attempt)
        .instant(status.due)
        .instant_if_any(status.alarm)
        .instant_if_any(status.first_started_at)
        .instant_if_any(status.started_at)
        .instant_if_any(status.ended_at)
        .instant_if_any(status.key_until)
        .u32(status.life)
        .u32(status.refunds);
    packing.0
}

/// What of a body stands in the status, since it says in which line the row is.
pub(super) fn place(body: &Body) -> Vec<u8> {
    let mut packing = Packing::default();
    packing.byte(body.priority).text(body.queue.as_str().as_bytes());
    packing.0
}

/// The fields of a status behind its place.
pub(super) fn status_after_place(status: &Status) -> Vec<u8> {
    let mut packing = Packing::default();
    packing
        .text_if_any(status.worker.as_ref().map(WorkerId::as_str))
        .text_if_any(status.unique_key.as_ref())
        .text_if_any(status.failure.as_ref().map(codec::write_failure))
        .text_if_any(status.cancel.as_ref())
        .text_if_any(status.progress.as_ref())
        .text_if_any(codec::write_history(&status.history))
        .text_if_any(status.result.as_ref());
    packing.0
}

/// A whole status.
pub(super) fn write_status(job: &Job) -> Vec<u8> {
    let mut status = status_before_place(&job.status);
    status.extend(place(&job.body));
    status.extend(status_after_place(&job.status));
    status
}

/// A whole body.
pub(super) fn write_body(body: &Body) -> Vec<u8> {
    let mut packing = Packing(Vec::with_capacity(128 + body.payload.len()));
    packing
        .byte(FORM)
        .bytes(&body.fingerprint.to_be_bytes())
        .instant(body.created_at)
        .text(body.kind.as_bytes())
        .text_if_any(body.unique_key.as_ref())
        .text_if_any(codec::write_texts(&body.tags))
        .text_if_any(codec::write_options(&body.options, body.origin.as_ref()))
        .bytes(&body.payload);
    packing.0
}

/// Reads a whole row.
pub(super) fn read_job(id: JobId, status: &[u8], body: &[u8]) -> Result<Job, Error> {
    let mut first = read_first(status)?;
    let mut status = first.status;
    let rest = &mut first.rest;
    status.progress = rest.copied_if_any()?;
    status.history = codec::read_history(rest.text_if_any()?)?;
    status.result = rest.copied_if_any()?;
    let mut unpacking = Unpacking(body);
    let body = read_body(id, first.queue, first.priority, &mut unpacking)?;
    let (options, origin) = codec::read_options(unpacking.text_if_any()?)?;
    let body = Body {
        options,
        origin,
        payload: Bytes::copy_from_slice(unpacking.0),
        ..body
    };
    Ok(Job {
        body: Arc::new(body),
        status,
    })
}

/// Reads a head from the beginnings of a row's strings.
pub(super) fn read_head(id: JobId, status: &[u8], body: &[u8], now: Timestamp) -> Result<Head, Error> {
    let first = read_first(status)?;
    let body = read_body(id, first.queue, first.priority, &mut Unpacking(body))?;
    let job = Job {
        body: Arc::new(body),
        status: first.status,
    };
    Ok(Head::of(&job, now))
}

/// Reads who holds a key from the first fields of its status.
pub(super) fn read_holder(id: JobId, status: &[u8]) -> Result<Holder, Error> {
    let status = read_fixed(&mut Unpacking(status))?;
    Ok(Holder {
        id,
        rev: status.rev,
        state: status.state,
        key_until: status.key_until,
    })
}

/// A status up to its failure and cancel, and what follows.
struct First<'a> {
    status: Status,
    priority: u8,
    queue: QueueName,
    rest: Unpacking<'a>,
}

fn read_first(status: &[u8]) -> Result<First<'_>, Error> {
    let mut rest = Unpacking(status);
    let mut status = read_fixed(&mut rest)?;
    let priority = rest.byte()?;
    let queue = QueueName::from(rest.text()?);
    status.worker = rest.text_if_any()?.map(WorkerId::from);
    status.unique_key = rest.text_if_any()?.map(str::to_owned);
    status.failure = rest.text_if_any()?.map(codec::read_failure).transpose()?;
    status.cancel = rest.text_if_any()?.map(str::to_owned);
    Ok(First {
        status,
        priority,
        queue,
        rest,
    })
}

fn read_fixed(unpacking: &mut Unpacking<'_>) -> Result<Status, Error> {
    expect_form(unpacking)?;
    let state = codec::read_state(i16::from(unpacking.byte()?) - i16::from(b'0'))?;
    // Whether it is to be cancelled is told again, with the reason, where the text stands.
    let _cancelled = unpacking.byte()?;
    let deferred = unpacking.flag()?;
    let (rev, run, attempt) = (unpacking.u64()?, unpacking.u64()?, unpacking.u32()?);
    let mut status = Status::waiting(rev, unpacking.instant()?);
    (status.state, status.run, status.attempt, status.deferred) = (state, run, attempt, deferred);
    status.alarm = unpacking.instant_if_any()?;
    status.first_started_at = unpacking.instant_if_any()?;
    status.started_at = unpacking.instant_if_any()?;
    status.ended_at = unpacking.instant_if_any()?;
    status.key_until = unpacking.instant_if_any()?;
    status.life = unpacking.u32()?;
    status.refunds = unpacking.u32()?;
    Ok(status)
}

/// A body up to its tags, which is what a head tells of it.
fn read_body(
    id: JobId,
    queue: QueueName,
    priority: u8,
    unpacking: &mut Unpacking<'_>,
) -> Result<Body, Error> {
    expect_form(unpacking)?;
    let fingerprint = u128::from_be_bytes(unpacking.array()?);
    Ok(Body {
        id,
        queue,
        priority,
        fingerprint,
        created_at: unpacking.instant()?,
        kind: unpacking.text()?.to_owned(),
        unique_key: unpacking.text_if_any()?.map(str::to_owned),
        tags: codec::read_texts(unpacking.text_if_any()?)?,
        options: Options::default(),
        origin: None,
        payload: Bytes::new(),
    })
}

fn expect_form(unpacking: &mut Unpacking<'_>) -> Result<(), Error> {
    match unpacking.byte()? {
        FORM => Ok(()),
        _ => Err(Error::internal(
            "a row has a form that this version does not know: a newer one wrote it",
        )),
    }
}
