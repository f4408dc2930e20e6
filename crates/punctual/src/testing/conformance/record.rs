//! Small documents with a version.

use bytes::Bytes;

use super::subject::{Subject, done, only, refused};
use super::{Case, case};
use crate::change::{Record, RecordApplied, RecordChange, RecordKind};
use crate::limits;
use crate::queue::QueueSettings;
use crate::testing::sample::shuffled;

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("a record is written, changed and deleted by its rev", life),
        case("a record of another rev is left alone and told", stale),
        case("changes of records in one batch follow each other", batch),
        case(
            "records are listed in the order of their names, page by page",
            pages,
        ),
        case(
            "a document that its kind cannot read is refused with its batch",
            unreadable,
        ),
        case("records beyond their bounds are refused", bounds),
    ]
}

fn change(name: &str, expect: u64, becomes: Option<&Bytes>) -> RecordChange {
    RecordChange {
        kind: RecordKind::Queue,
        name: name.to_owned(),
        expect,
        becomes: becomes.cloned(),
    }
}

fn record(name: &str, rev: u64, document: &Bytes) -> Record {
    Record {
        kind: RecordKind::Queue,
        name: name.to_owned(),
        rev,
        document: document.clone(),
    }
}

/// A document that says this.
fn document(reason: &str) -> Bytes {
    let settings = QueueSettings {
        paused: Some(reason.to_owned()),
        ..QueueSettings::default()
    };
    settings.to_json()
}

async fn one(store: &Subject, change: RecordChange) -> RecordApplied {
    only(done(store.change_records(&[change]).await))
}

async fn all(store: &Subject) -> Vec<Record> {
    done(store.records(RecordKind::Queue, None, limits::PAGE_ITEMS).await)
}

async fn life(store: Subject) {
    assert_eq!(all(&store).await, []);
    let (first, second) = (document("one"), document("zwei \"🦀\""));
    assert_eq!(
        one(&store, change("q", 0, Some(&first))).await,
        RecordApplied::Applied
    );
    assert_eq!(all(&store).await, [record("q", 1, &first)]);
    assert_eq!(
        one(&store, change("q", 1, Some(&second))).await,
        RecordApplied::Applied
    );
    assert_eq!(all(&store).await, [record("q", 2, &second)]);
    assert_eq!(one(&store, change("q", 2, None)).await, RecordApplied::Applied);
    assert_eq!(all(&store).await, []);
    assert_eq!(
        one(&store, change("q", 0, Some(&first))).await,
        RecordApplied::Applied
    );
    assert_eq!(all(&store).await, [record("q", 1, &first)]);
}

async fn stale(store: Subject) {
    let text = document("kept");
    assert_eq!(
        one(&store, change("q", 1, Some(&text))).await,
        RecordApplied::Stale(None)
    );
    assert_eq!(
        one(&store, change("q", 1, None)).await,
        RecordApplied::Stale(None)
    );
    one(&store, change("q", 0, Some(&text))).await;
    let there = RecordApplied::Stale(Some(record("q", 1, &text)));
    for expect in [0, 2] {
        assert_eq!(
            one(&store, change("q", expect, Some(&document("lost")))).await,
            there
        );
        assert_eq!(one(&store, change("q", expect, None)).await, there);
    }
    assert_eq!(all(&store).await, [record("q", 1, &text)]);
}

async fn batch(store: Subject) {
    let (first, second) = (document("1"), document("2"));
    let changes = [
        change("a", 0, Some(&first)),
        change("a", 0, Some(&second)),
        change("a", 1, Some(&second)),
        change("b", 0, Some(&first)),
        change("b", 1, None),
        change("b", 0, Some(&second)),
    ];
    let answers = done(store.change_records(&changes).await);
    let stale = RecordApplied::Stale(Some(record("a", 1, &first)));
    let mut expected = vec![RecordApplied::Applied; 6];
    expected[1] = stale;
    assert_eq!(answers, expected);
    assert_eq!(
        all(&store).await,
        [record("a", 2, &second), record("b", 1, &second)]
    );
    assert_eq!(done(store.change_records(&[]).await), []);
}

async fn pages(store: Subject) {
    let mut names: Vec<String> = ["A", "a", "a/b", "a:b", "Z", "z"]
        .into_iter()
        .map(str::to_owned)
        .collect();
    names.extend((0..40).map(|n| format!("queue-{n}")));
    let document = document("");
    let changes: Vec<_> = shuffled(names.clone())
        .iter()
        .map(|name| change(name, 0, Some(&document)))
        .collect();
    done(store.change_records(&changes).await);
    names.sort_unstable();
    for limit in [1, 7, limits::PAGE_ITEMS] {
        let mut listed: Vec<String> = Vec::new();
        for _ in 0..=names.len() {
            let page = done(
                store
                    .records(RecordKind::Queue, listed.last().map(String::as_str), limit)
                    .await,
            );
            assert!(page.len() <= limit);
            listed.extend(page.into_iter().map(|record| record.name));
        }
        assert_eq!(listed, names);
    }
    let behind_what_never_was = done(store.records(RecordKind::Queue, Some("queue-39x"), 2).await);
    assert_eq!(behind_what_never_was[0].name, "queue-4");
}

async fn unreadable(store: Subject) {
    let good = document("good");
    for bad in [
        "",
        "{",
        r#"{"rate": {"n": 0, "per": "1s", "burst": 1}}"#,
        r#"{"max_running": "blue"}"#,
    ] {
        let bad = Bytes::from_static(bad.as_bytes());
        let changes = [change("good", 0, Some(&good)), change("bad", 0, Some(&bad))];
        refused(store.change_records(&changes).await);
    }
    assert_eq!(all(&store).await, []);
}

async fn bounds(store: Subject) {
    let blank = document("");
    let too_many: Vec<_> = (0..=limits::FLUSH_ITEMS)
        .map(|n| change(&n.to_string(), 0, Some(&blank)))
        .collect();
    refused(store.change_records(&too_many).await);
    let name = "n".repeat(limits::NAME_BYTES);
    refused(
        store
            .change_records(&[change(&format!("{name}n"), 0, Some(&blank))])
            .await,
    );
    let mut padded = blank.to_vec();
    padded.resize(limits::RECORD_BYTES, b' ');
    let mut too_long = padded.clone();
    too_long.push(b' ');
    refused(
        store
            .change_records(&[change("q", 0, Some(&Bytes::from(too_long)))])
            .await,
    );
    refused(
        store
            .records(RecordKind::Queue, None, limits::PAGE_ITEMS + 1)
            .await,
    );
    assert_eq!(all(&store).await, []);
    let padded = Bytes::from(padded);
    assert_eq!(
        one(&store, change(&name, 0, Some(&padded))).await,
        RecordApplied::Applied
    );
    assert_eq!(all(&store).await, [record(&name, 1, &padded)]);
}
