//! Gates: what the settings of queues allow, and whose turn it is where they allow a limited number.
//!
//! Claims of a queue without limits go side by side; those of one with limits go one after the other, each seeing what the
//! one before it started. An advisory lock for each queue sees to that: whoever claims holds it with others, whoever counts or
//! changes the settings holds it alone. It is taken before the settings are read, so that a claim that began after a pause
//! was acknowledged knows of the pause.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio_postgres::types::Type;

use super::fault::Fault;
use super::namespace::Namespace;
use super::row::Columns;
use super::session::{Link, Param};
use crate::change::RecordKind;
use crate::limits;
use crate::queue::{QueueName, QueueSettings};
use crate::store::stored_gate::StoredGate;
use crate::time::Timestamp;

/// The settings of queues as they were when somebody last looked. A claim that goes by old ones finds out and looks again.
#[derive(Default)]
pub(super) struct Known(Mutex<BTreeMap<QueueName, Settings>>);

/// The settings of a queue, and the document that they were read from, which is empty where there is none.
#[derive(Clone, Default)]
pub(super) struct Settings {
    pub(super) document: Bytes,
    settings: QueueSettings,
}

impl Settings {
    /// Whether nothing holds its jobs back.
    pub(super) fn is_open(&self) -> bool {
        self.settings.paused.is_none() && !self.is_limited()
    }

    /// Whether a claim has to know what the others started.
    fn is_limited(&self) -> bool {
        let limited = self.settings.max_running.is_some() || self.settings.rate.is_some();
        limited && self.settings.paused.is_none()
    }
}

impl Known {
    pub(super) fn of(&self, queues: &[QueueName]) -> Vec<Settings> {
        let known = self.settings();
        let settings = |queue| known.get(queue).cloned().unwrap_or_default();
        queues.iter().map(settings).collect()
    }

    fn learn(&self, queue: &QueueName, settings: &Settings) {
        let mut known = self.settings();
        if settings.document.is_empty() {
            known.remove(queue);
            return;
        }
        if known.len() >= limits::QUEUES_KNOWN {
            known.clear();
        }
        known.insert(queue.clone(), settings.clone());
    }

    fn settings(&self) -> MutexGuard<'_, BTreeMap<QueueName, Settings>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Statements that take the locks of these queues, in one order for everybody.
pub(super) fn locks(namespace: &Namespace, queues: &[QueueName], settings: &[Settings]) -> String {
    let mut locks: Vec<(i64, &str)> = Vec::new();
    for (queue, settings) in queues.iter().zip(settings) {
        let function = match settings.is_limited() {
            true => "pg_advisory_xact_lock",
            false => "pg_advisory_xact_lock_shared",
        };
        locks.push((lock_of(namespace, RecordKind::Queue, queue.as_str()), function));
    }
    // Of two queues that share a number, the stronger lock comes first.
    locks.sort_unstable();
    let calls: Vec<String> = locks
        .iter()
        .map(|(lock, call)| format!("{call}({lock})"))
        .collect();
    statement(&calls)
}

/// A statement that takes the locks of these records alone.
pub(super) fn locks_alone<'a>(
    namespace: &Namespace,
    records: impl Iterator<Item = (RecordKind, &'a str)>,
) -> String {
    let mut locks: Vec<i64> = records
        .map(|(kind, name)| lock_of(namespace, kind, name))
        .collect();
    locks.sort_unstable();
    locks.dedup();
    let calls: Vec<String> = locks
        .iter()
        .map(|lock| format!("pg_advisory_xact_lock({lock})"))
        .collect();
    statement(&calls)
}

/// The statement that makes these calls, if there are any, and waits no longer for a lock than for one's turn.
fn statement(calls: &[String]) -> String {
    match calls.is_empty() {
        true => String::new(),
        false => format!(
            "set local lock_timeout = {}; select {};",
            limits::TURN_WAIT.as_millis(),
            calls.join(", ")
        ),
    }
}

fn lock_of(namespace: &Namespace, kind: RecordKind, name: &str) -> i64 {
    namespace.lock(kind.as_str(), name)
}

/// The gates of some queues, under their locks.
pub(super) struct Gates {
    pub(super) gates: Vec<StoredGate>,
    pub(super) documents: Vec<Bytes>,
    pub(super) now: Timestamp,
}

/// Reads what holds for these queues, by the locks that were taken for settings as they were `known`; nothing if these locks
/// are the wrong ones.
pub(super) async fn gates(
    link: Link<'_>,
    known: &Known,
    queues: &[QueueName],
    locked_for: &[Settings],
    stepped: Option<Timestamp>,
) -> Result<Option<Gates>, Fault> {
    let names: Vec<&str> = queues.iter().map(QueueName::as_str).collect();
    let stepped = stepped.map(Timestamp::as_micros);
    let params: [Param<'_>; 2] = [(&names, Type::TEXT_ARRAY), (&stepped, Type::INT8)];
    let rows = link.query(include_str!("claim_settings.sql"), &params).await?;
    let mut now = Timestamp::MIN;
    let mut read = Vec::new();
    for (row, queue) in rows.iter().zip(queues) {
        let column = Columns::of(row);
        now = column.instant(0)?;
        let settings = Settings {
            document: column.bytes(1)?.unwrap_or_default(),
            settings: match column.get::<Option<&[u8]>>(1)? {
                Some(document) => {
                    QueueSettings::from_json(document).unwrap_or_else(|_| QueueSettings::unreadable())
                }
                None => QueueSettings::default(),
            },
        };
        known.learn(queue, &settings);
        read.push((settings, column.instant_if_any(2)?));
    }
    let unlocked = |((now, _), then): (&(Settings, _), &Settings)| now.is_limited() && !then.is_limited();
    if read.iter().zip(locked_for).any(unlocked) {
        return Ok(None);
    }
    let counted = read
        .iter()
        .any(|(settings, _)| settings.settings.max_running.is_some());
    let running = match counted {
        true => running(link, &names).await?,
        false => BTreeMap::new(),
    };
    let gates = read.iter().zip(&names).map(|((settings, full_at), name)| {
        let running = running.get(*name).copied().unwrap_or(0);
        StoredGate::new(&settings.settings, running, *full_at)
    });
    Ok(Some(Gates {
        gates: gates.collect(),
        documents: read
            .iter()
            .map(|(settings, _)| settings.document.clone())
            .collect(),
        now,
    }))
}

/// How many jobs of each queue run.
async fn running(link: Link<'_>, queues: &[&str]) -> Result<BTreeMap<String, u64>, Fault> {
    let params: [Param<'_>; 1] = [(&queues, Type::TEXT_ARRAY)];
    let rows = link.query(include_str!("claim_running.sql"), &params).await?;
    let read = |row| {
        let column = Columns::of(row);
        Ok((column.get(0)?, column.number::<i64, u64>(1)?))
    };
    rows.iter().map(read).collect()
}

/// Remembers how far the rates of these queues are used up.
pub(super) async fn close(link: Link<'_>, queues: &[QueueName], gates: &Gates) -> Result<(), Fault> {
    for (queue, stored) in queues.iter().zip(&gates.gates) {
        if let Some(full_at) = stored.news(gates.now) {
            let (queue, full_at) = (queue.as_str(), full_at.as_micros());
            let params: [Param<'_>; 2] = [(&queue, Type::TEXT), (&full_at, Type::INT8)];
            link.query(include_str!("claim_draw.sql"), &params).await?;
        }
    }
    Ok(())
}
