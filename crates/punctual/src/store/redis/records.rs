//! Records: small documents with a rev.

use bytes::Bytes;
use redis::Value;

use super::batch::Batches;
use super::link::Link;
use super::reply;
use super::script::{Arguments, CHANGE_RECORDS};
use crate::change::{Record, RecordApplied, RecordChange, RecordKind};
use crate::error::Error;
use crate::limits;
use crate::queue::QueueSettings;
use crate::time::micros;

pub(super) async fn change_records(
    link: &Link,
    changes: &[RecordChange],
) -> Result<Vec<RecordApplied>, Error> {
    let mut batches = Batches::default();
    changes
        .iter()
        .for_each(|change| batches.add(1, |arguments| push(arguments, change)));
    let answers = batches.write(link, &CHANGE_RECORDS).await?;
    let answers = changes.iter().zip(answers);
    answers.map(|(change, answer)| read(change, answer)).collect()
}

pub(super) async fn records(
    link: &Link,
    kind: RecordKind,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<Record>, Error> {
    let mut records: Vec<Record> = Vec::new();
    let mut from = after.map_or(b"-".to_vec(), |after| [b"(", after.as_bytes()].concat());
    while records.len() < limit {
        let count = (limit - records.len()).min(limits::SCRIPT_ITEMS);
        let mut range = redis::cmd("ZRANGEBYLEX");
        range.arg(link.key_of("names:", kind.as_str().as_bytes()));
        range.arg(&from).arg("+").arg("LIMIT").arg(0).arg(count);
        let names = reply::list(link.ask(range).await?)?;
        let Some(last) = names.last() else { break };
        from = [b"(", &last[..]].concat();
        let mut get = redis::cmd("HMGET");
        get.arg(link.key_of("records:", kind.as_str().as_bytes()))
            .arg(&names);
        let documents = reply::array(link.ask(get).await?)?;
        for (name, document) in names.iter().zip(documents) {
            // One that was deleted between the two looks is not there.
            if let Some(document) = reply::bytes_if_any(document)? {
                records.push(read_record(kind, &String::from_utf8_lossy(name), &document)?);
            }
        }
    }
    Ok(records)
}

fn push(arguments: &mut Arguments, change: &RecordChange) {
    arguments
        .bytes(change.kind.as_str())
        .bytes(&change.name)
        .bytes(change.expect.to_be_bytes());
    match &change.becomes {
        Some(document) => arguments
            .bytes("W")
            .bytes(document)
            .bytes(gate(change.kind, document)),
        None => arguments.bytes("D").bytes("").bytes(""),
    };
}

/// What a claim needs of a queue's settings: whether it is paused, how many may run at once (-1: any number), the
/// microseconds between two starts (-1: no rate), and how many starts are saved up.
fn gate(kind: RecordKind, document: &[u8]) -> String {
    if kind != RecordKind::Queue {
        return String::new();
    }
    let settings = QueueSettings::from_json(document).unwrap_or_else(|_| QueueSettings::unreadable());
    let paused = i32::from(settings.paused.is_some());
    let limit = settings.max_running.map_or(-1, i64::from);
    let interval = settings.rate.map_or(-1, |rate| micros(rate.interval()));
    let burst = settings.rate.map_or(0, |rate| rate.burst);
    format!("{paused} {limit} {interval} {burst}")
}

fn read(change: &RecordChange, answer: Value) -> Result<RecordApplied, Error> {
    if let Value::Array(_) = answer {
        let [_, record] = reply::parts(answer)?;
        let record = read_record(change.kind, &change.name, &reply::bytes(record)?)?;
        return Ok(RecordApplied::Stale(Some(record)));
    }
    match reply::bytes(answer)?.as_slice() {
        b"A" => Ok(RecordApplied::Applied),
        b"M" => Ok(RecordApplied::Stale(None)),
        _ => Err(Error::internal(
            "Redis gave an unknown answer to a change of a record",
        )),
    }
}

fn read_record(kind: RecordKind, name: &str, record: &[u8]) -> Result<Record, Error> {
    let (rev, document) = record
        .split_first_chunk()
        .ok_or_else(|| Error::internal("a record is too short to have a rev"))?;
    Ok(Record {
        kind,
        name: name.to_owned(),
        rev: u64::from_be_bytes(*rev),
        document: Bytes::copy_from_slice(document),
    })
}
