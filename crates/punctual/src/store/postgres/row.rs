//! Jobs as columns of a batch, and rows as jobs.

use std::sync::Arc;

use bytes::Bytes;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Type};
use uuid::Uuid;

use super::fault::Fault;
use super::session::Param;
use crate::change::Holder;
use crate::error::Error;
use crate::job::{Body, Job, JobId, Status};
use crate::queue::QueueName;
use crate::run::WorkerId;
use crate::store::codec;
use crate::time::Timestamp;

/// Columns of the table `jobs`.
pub(super) const COLUMNS: usize = 30;

/// The bodies of a batch, column by column.
pub(super) struct BodyColumns<'a> {
    ids: Vec<Uuid>,
    queues: Vec<&'a str>,
    kinds: Vec<&'a str>,
    priorities: Vec<i16>,
    created: Vec<i64>,
    tags: Vec<Option<String>>,
    options: Vec<Option<String>>,
    fingerprints: Vec<Uuid>,
    life_keys: Vec<Option<&'a str>>,
    payloads: Vec<&'a [u8]>,
}

impl<'a> BodyColumns<'a> {
    pub(super) fn of(jobs: &[&'a Job]) -> BodyColumns<'a> {
        let bodies = || jobs.iter().map(|job| &*job.body);
        BodyColumns {
            ids: bodies().map(|body| body.id.0).collect(),
            queues: bodies().map(|body| body.queue.as_str()).collect(),
            kinds: bodies().map(|body| body.kind.as_str()).collect(),
            priorities: bodies().map(|body| body.priority.into()).collect(),
            created: bodies().map(|body| body.created_at.as_micros()).collect(),
            tags: bodies().map(|body| codec::write_texts(&body.tags)).collect(),
            options: bodies()
                .map(|body| codec::write_options(&body.options, body.origin.as_ref()))
                .collect(),
            fingerprints: bodies().map(|body| Uuid::from_u128(body.fingerprint)).collect(),
            life_keys: bodies().map(|body| body.unique_key.as_deref()).collect(),
            payloads: bodies().map(|body| &*body.payload).collect(),
        }
    }

    /// The first columns of `insert_whole.sql`.
    pub(super) fn params(&self) -> Vec<Param<'_>> {
        vec![
            (&self.ids, Type::UUID_ARRAY),
            (&self.queues, Type::TEXT_ARRAY),
            (&self.kinds, Type::TEXT_ARRAY),
            (&self.priorities, Type::INT2_ARRAY),
            (&self.created, Type::INT8_ARRAY),
            (&self.tags, Type::TEXT_ARRAY),
            (&self.options, Type::TEXT_ARRAY),
            (&self.fingerprints, Type::UUID_ARRAY),
            (&self.life_keys, Type::TEXT_ARRAY),
            (&self.payloads, Type::BYTEA_ARRAY),
        ]
    }
}

/// The statuses of a batch, column by column; all of them null where a row is deleted.
#[derive(Default)]
pub(super) struct StatusColumns<'a> {
    states: Vec<Option<i16>>,
    revs: Vec<Option<i64>>,
    runs: Vec<Option<i64>>,
    lives: Vec<Option<i32>>,
    attempts: Vec<Option<i32>>,
    refunds: Vec<Option<i32>>,
    due: Vec<Option<i64>>,
    alarms: Vec<Option<i64>>,
    first_started: Vec<Option<i64>>,
    started: Vec<Option<i64>>,
    ended: Vec<Option<i64>>,
    workers: Vec<Option<&'a str>>,
    unique_keys: Vec<Option<&'a str>>,
    key_until: Vec<Option<i64>>,
    cancels: Vec<Option<&'a str>>,
    deferred: Vec<Option<bool>>,
    failures: Vec<Option<String>>,
    histories: Vec<Option<String>>,
    progress: Vec<Option<&'a [u8]>>,
    results: Vec<Option<&'a [u8]>>,
}

impl<'a> StatusColumns<'a> {
    pub(super) fn of(statuses: impl IntoIterator<Item = Option<&'a Status>>) -> StatusColumns<'a> {
        let mut columns = StatusColumns::default();
        for status in statuses {
            columns.add(status);
        }
        columns
    }

    pub(super) fn add(&mut self, status: Option<&'a Status>) {
        self.states.push(status.map(|s| codec::state_number(s.state)));
        self.revs.push(status.map(|s| s.rev.cast_signed()));
        self.runs.push(status.map(|s| s.run.cast_signed()));
        self.lives.push(status.map(|s| s.life.cast_signed()));
        self.attempts.push(status.map(|s| s.attempt.cast_signed()));
        self.refunds.push(status.map(|s| s.refunds.cast_signed()));
        self.due.push(status.map(|s| s.due.as_micros()));
        self.alarms.push(status.and_then(|s| micros(s.alarm)));
        self.first_started
            .push(status.and_then(|s| micros(s.first_started_at)));
        self.started.push(status.and_then(|s| micros(s.started_at)));
        self.ended.push(status.and_then(|s| micros(s.ended_at)));
        self.workers
            .push(status.and_then(|s| s.worker.as_ref().map(WorkerId::as_str)));
        self.unique_keys
            .push(status.and_then(|s| s.unique_key.as_deref()));
        self.key_until.push(status.and_then(|s| micros(s.key_until)));
        self.cancels.push(status.and_then(|s| s.cancel.as_deref()));
        self.deferred.push(status.map(|s| s.deferred));
        self.failures
            .push(status.and_then(|s| s.failure.as_ref().map(codec::write_failure)));
        self.histories
            .push(status.and_then(|s| codec::write_history(&s.history)));
        self.progress.push(status.and_then(|s| s.progress.as_deref()));
        self.results.push(status.and_then(|s| s.result.as_deref()));
    }

    /// The columns of a status in the order of `apply.sql` and `insert_whole.sql`.
    pub(super) fn params(&self) -> Vec<Param<'_>> {
        vec![
            (&self.states, Type::INT2_ARRAY),
            (&self.revs, Type::INT8_ARRAY),
            (&self.runs, Type::INT8_ARRAY),
            (&self.lives, Type::INT4_ARRAY),
            (&self.attempts, Type::INT4_ARRAY),
            (&self.refunds, Type::INT4_ARRAY),
            (&self.due, Type::INT8_ARRAY),
            (&self.alarms, Type::INT8_ARRAY),
            (&self.first_started, Type::INT8_ARRAY),
            (&self.started, Type::INT8_ARRAY),
            (&self.ended, Type::INT8_ARRAY),
            (&self.workers, Type::TEXT_ARRAY),
            (&self.unique_keys, Type::TEXT_ARRAY),
            (&self.key_until, Type::INT8_ARRAY),
            (&self.cancels, Type::TEXT_ARRAY),
            (&self.deferred, Type::BOOL_ARRAY),
            (&self.failures, Type::TEXT_ARRAY),
            (&self.histories, Type::TEXT_ARRAY),
            (&self.progress, Type::BYTEA_ARRAY),
            (&self.results, Type::BYTEA_ARRAY),
        ]
    }
}

/// The columns of new jobs, in the order of `insert.sql`.
pub(super) fn new_params<'a>(bodies: &'a BodyColumns<'_>, statuses: &'a StatusColumns<'_>) -> Vec<Param<'a>> {
    let (body, status) = (bodies.params(), statuses.params());
    let of_body = |place: usize| body[place].clone();
    let of_status = |place: usize| status[place].clone();
    vec![
        of_body(0),
        of_body(1),
        of_body(2),
        of_body(3),
        of_body(4),
        of_status(1),
        of_status(6),
        of_status(7),
        of_status(12),
        of_status(13),
        of_body(5),
        of_body(6),
        of_body(7),
        of_body(8),
        of_body(9),
    ]
}

fn micros(instant: Option<Timestamp>) -> Option<i64> {
    instant.map(Timestamp::as_micros)
}

/// Reads all columns of the table from the column `first` on.
pub(super) fn read_job(row: &Row, first: usize) -> Result<Job, Fault> {
    let column = Columns { row, first };
    let (options, origin) = codec::read_options(column.get(23)?)?;
    let body = Body {
        id: column.id(0)?,
        queue: QueueName::from(column.get::<&str>(1)?),
        kind: column.get(2)?,
        priority: column.number::<i16, u8>(3)?,
        created_at: column.instant(4)?,
        payload: column.bytes(29)?.unwrap_or_default(),
        tags: codec::read_texts(column.get(22)?)?,
        options,
        unique_key: column.get(25)?,
        fingerprint: column.get::<Uuid>(24)?.as_u128(),
        origin,
    };
    let status = Status {
        state: codec::read_state(column.get(5)?)?,
        rev: column.get::<i64>(6)?.cast_unsigned(),
        run: column.get::<i64>(7)?.cast_unsigned(),
        life: column.get::<i32>(8)?.cast_unsigned(),
        attempt: column.get::<i32>(9)?.cast_unsigned(),
        refunds: column.get::<i32>(10)?.cast_unsigned(),
        due: column.instant(11)?,
        alarm: column.instant_if_any(12)?,
        first_started_at: column.instant_if_any(13)?,
        started_at: column.instant_if_any(14)?,
        ended_at: column.instant_if_any(15)?,
        worker: column.get::<Option<&str>>(16)?.map(WorkerId::from),
        unique_key: column.get(17)?,
        key_until: column.instant_if_any(18)?,
        cancel: column.get(19)?,
        deferred: column.get(20)?,
        history: codec::read_history(column.get(26)?)?,
        result: column.bytes(28)?,
        failure: column
            .get::<Option<&str>>(21)?
            .map(codec::read_failure)
            .transpose()?,
        progress: column.bytes(27)?,
    };
    Ok(Job {
        body: Arc::new(body),
        status,
    })
}

/// Reads id, rev, state and `key_until` from the column `first` on; nothing if they are null.
pub(super) fn read_holder(row: &Row, first: usize) -> Result<Option<Holder>, Fault> {
    let column = Columns { row, first };
    let Some(id) = column.get::<Option<Uuid>>(0)? else {
        return Ok(None);
    };
    Ok(Some(Holder {
        id: JobId(id),
        rev: column.get::<i64>(1)?.cast_unsigned(),
        state: codec::read_state(column.get(2)?)?,
        key_until: column.instant_if_any(3)?,
    }))
}

/// The columns of a row from one of them on.
pub(super) struct Columns<'a> {
    pub(super) row: &'a Row,
    pub(super) first: usize,
}

impl<'a> Columns<'a> {
    pub(super) fn of(row: &'a Row) -> Columns<'a> {
        Columns { row, first: 0 }
    }

    /// A column as the driver reads it. One of another type than this version knows was changed by somebody's hand.
    pub(super) fn get<T: FromSql<'a>>(&self, place: usize) -> Result<T, Fault> {
        let read = self.row.try_get(self.first + place);
        read.map_err(|error| {
            Fault::Told(Error::internal("a row holds a value that cannot be read").caused_by(error))
        })
    }

    /// A number that the database has in a wider type.
    pub(super) fn number<T: FromSql<'a>, N: TryFrom<T>>(&self, place: usize) -> Result<N, Fault> {
        let number = N::try_from(self.get(place)?);
        number.map_err(|_| Fault::Told(Error::internal("a row holds a number that is out of range")))
    }

    pub(super) fn id(&self, place: usize) -> Result<JobId, Fault> {
        Ok(JobId(self.get(place)?))
    }

    pub(super) fn instant(&self, place: usize) -> Result<Timestamp, Fault> {
        Ok(Timestamp::from_micros(self.get(place)?))
    }

    pub(super) fn instant_if_any(&self, place: usize) -> Result<Option<Timestamp>, Fault> {
        Ok(self.get::<Option<i64>>(place)?.map(Timestamp::from_micros))
    }

    pub(super) fn bytes(&self, place: usize) -> Result<Option<Bytes>, Fault> {
        Ok(self.get::<Option<&[u8]>>(place)?.map(Bytes::copy_from_slice))
    }
}
