//! Insert and fetch.

use std::time::Duration;

use bytes::Bytes;

use super::subject::{Subject, done, only, refused};
use super::{Case, case};
use crate::change::{Holder, Inserted};
use crate::job::{Backoff, State};
use crate::limits;
use crate::testing::sample::{Draft, NOW, full, id, job, jobs, shuffled};
use crate::time::{Timestamp, hours};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("a row comes back as it was inserted, in every field", every_field),
        case(
            "unusual text and bytes come back as they were inserted",
            unusual_text,
        ),
        case(
            "the largest and the smallest values come back as they were inserted",
            extremes,
        ),
        case("a row that was sent again exists, the same or another", exists),
        case("a key that another job holds is told with its holder", held),
        case("the id is looked at before the key", id_before_key),
        case("an ended job that still has a key holds it", ended_holder),
        case(
            "of rows that share an id in one batch the first one wins",
            id_twice_in_a_batch,
        ),
        case(
            "of rows that share a key in one batch the first one wins",
            key_twice_in_a_batch,
        ),
        case(
            "a row that was not inserted stands in nobody's way",
            loser_in_a_batch,
        ),
        case("keys are compared byte by byte", keys_are_bytes),
        case("inserts answer in the order of the batch", order_of_answers),
        case(
            "a full batch is inserted, a larger one refused as a whole",
            full_batch,
        ),
        case(
            "fetch answers in the order of the ids, and nothing for unknown ones",
            fetch,
        ),
    ]
}

async fn every_field(store: Subject) {
    let rows: Vec<_> = State::ALL
        .into_iter()
        .zip(1..)
        .map(|(state, n)| full(n, state))
        .collect();
    store.has(&rows).await;
    store.has(&[job(9)]).await;
    for (row, n) in rows.into_iter().zip(1..) {
        assert_eq!(store.row(n).await, Some(row));
    }
    assert_eq!(store.row(9).await, Some(job(9)));
}

async fn unusual_text(store: Subject) {
    let texts = [
        "'; drop table jobs; --",
        "\"\\\r\n\t",
        "żółw 🐢 \u{202e}abc",
        " ",
        "%_*?[a]",
        "{\"$\":1}",
        "\u{7f}\u{1}",
    ];
    let rows: Vec<_> = texts
        .into_iter()
        .zip(1..)
        .map(|(text, n)| {
            let row = job(n).kind(text).tag(text).tag("").key(text).queue("a.b_c-d/e:f");
            row.body(|body| body.payload = Bytes::from_static(b"\xff\x00'\\\xc3\x28"))
                .status(|status| status.cancel = Some(text.to_owned()))
        })
        .collect();
    store.has(&rows).await;
    assert_eq!(store.content().await, rows);
}

async fn extremes(store: Subject) {
    let name = "n".repeat(limits::NAME_BYTES);
    let largest = full(1, State::Failed)
        .kind(&name)
        .queue(&name)
        .key(&"k".repeat(limits::UNIQUE_KEY_BYTES))
        .due(Timestamp::MAX)
        .body(|body| {
            body.payload = Bytes::from(vec![0xff; limits::PAYLOAD_BYTES_MAX]);
            body.tags = vec!["t".repeat(limits::TAG_BYTES); limits::TAGS];
            body.priority = limits::PRIORITY_MAX;
            body.fingerprint = u128::MAX;
            body.options.timeout = Some(limits::LENGTH_MAX);
            body.options.backoff = Some(Backoff::List(vec![limits::LENGTH_MAX; limits::BACKOFF_DELAYS]));
        })
        .status(|status| {
            // The largest integer that every database has.
            status.rev = i64::MAX as u64 - 1;
            status.result = Some(Bytes::from(vec![0; limits::RESULT_BYTES]));
            status.ended_at = Some(Timestamp::MAX);
            status.attempt = u32::MAX;
            status.life = u32::MAX;
        });
    let smallest = job(2).priority(0).due(Timestamp::MIN).kind("").body(|body| {
        body.created_at = Timestamp::MIN;
        body.payload = Bytes::new();
        body.fingerprint = 0;
        body.options.backoff = Some(Backoff::Fixed(Duration::ZERO));
        body.options.timeout = Some(Duration::from_micros(1));
    });
    let smallest = smallest.status(|status| {
        status.rev = 0;
        status.result = Some(Bytes::new());
        status.progress = Some(Bytes::new());
        status.cancel = Some(String::new());
    });
    store.has(&[largest.clone(), smallest.clone()]).await;
    assert_eq!(store.row(1).await, Some(largest));
    assert_eq!(store.row(2).await, Some(smallest));
}

async fn exists(store: Subject) {
    store.has(&[job(1)]).await;
    let edited = job(1).priority(1).due(NOW + hours(1));
    assert_eq!(store.insert_one(edited).await, Inserted::Exists { same: true });
    assert_eq!(
        store.insert_one(job(1).other()).await,
        Inserted::Exists { same: false }
    );
    assert_eq!(store.content().await, [job(1)]);
}

async fn held(store: Subject) {
    let holder = job(1).key("k").key_until(NOW + hours(1));
    store.has(std::slice::from_ref(&holder)).await;
    let told = Holder {
        id: id(1),
        rev: holder.status.rev,
        state: State::Waiting,
        key_until: Some(NOW + hours(1)),
    };
    assert_eq!(store.insert_one(job(2).key("k")).await, Inserted::Held(told));
    assert_eq!(store.content().await, [holder]);
}

async fn id_before_key(store: Subject) {
    store.has(&[job(1).key("k"), job(2)]).await;
    let answer = store.insert_one(job(2).key("k")).await;
    assert_eq!(answer, Inserted::Exists { same: true });
    let answer = store.insert_one(job(1).key("k").other()).await;
    assert_eq!(answer, Inserted::Exists { same: false });
}

async fn ended_holder(store: Subject) {
    let holder = job(1).key("k").key_until(NOW).ended(State::Cancelled, NOW);
    store.has(std::slice::from_ref(&holder)).await;
    let answer = store.insert_one(job(2).key("k")).await;
    assert_eq!(answer, Inserted::Held(Holder::of(&holder)));
}

async fn id_twice_in_a_batch(store: Subject) {
    let batch = [job(1).priority(1), job(1).priority(2), job(1).other()];
    let answers = done(store.insert(&batch).await);
    let expected = [
        Inserted::Inserted,
        Inserted::Exists { same: true },
        Inserted::Exists { same: false },
    ];
    assert_eq!(answers, expected);
    assert_eq!(store.content().await, [job(1).priority(1)]);
}

async fn key_twice_in_a_batch(store: Subject) {
    let batch = [job(2).key("k"), job(1).key("k"), job(3).key("other")];
    let answers = done(store.insert(&batch).await);
    let holder = Inserted::Held(Holder::of(&batch[0]));
    assert_eq!(answers, [Inserted::Inserted, holder, Inserted::Inserted]);
    assert_eq!(store.content().await, [job(2).key("k"), job(3).key("other")]);
}

async fn loser_in_a_batch(store: Subject) {
    store.has(&[job(1).key("k")]).await;
    // The first loses by its key and takes neither its id nor anything else.
    let batch = [job(2).key("k"), job(2).key("free"), job(3).key("free")];
    let answers = done(store.insert(&batch).await);
    assert_eq!(answers[0], Inserted::Held(Holder::of(&job(1).key("k"))));
    assert_eq!(answers[1], Inserted::Inserted);
    assert_eq!(answers[2], Inserted::Held(Holder::of(&batch[1])));
    // The second loses by its id and takes no key.
    let answers = done(store.insert(&[job(1).key("new"), job(4).key("new")]).await);
    assert_eq!(answers, [Inserted::Exists { same: true }, Inserted::Inserted]);
}

async fn keys_are_bytes(store: Subject) {
    // The last two look the same: composed, and decomposed.
    let keys = ["key", "KEY", "key ", " key", "", "\u{e9}", "e\u{301}"];
    let rows: Vec<_> = keys
        .into_iter()
        .zip(1..)
        .map(|(key, n)| job(n).key(key))
        .collect();
    store.has(&rows).await;
    store.has(&[job(100), job(101)]).await;
}

async fn order_of_answers(store: Subject) {
    store.has(&jobs(0..100)).await;
    let holder = job(1_000).key("k");
    store.has(std::slice::from_ref(&holder)).await;
    let batch = shuffled((0..300).collect());
    let rows: Vec<_> = batch
        .iter()
        .map(|n| match n {
            0..50 | 100..200 => job(*n),
            50..100 => job(*n).other(),
            _ => job(*n).key("k"),
        })
        .collect();
    let answers = done(store.insert(&rows).await);
    let expected: Vec<_> = batch
        .iter()
        .map(|n| match n {
            0..50 => Inserted::Exists { same: true },
            50..100 => Inserted::Exists { same: false },
            100..200 => Inserted::Inserted,
            _ => Inserted::Held(Holder::of(&holder)),
        })
        .collect();
    assert_eq!(answers, expected);
}

async fn full_batch(store: Subject) {
    let items = limits::FLUSH_ITEMS as u64;
    store.has(&[]).await;
    refused(store.insert(&jobs(0..items + 1)).await);
    assert_eq!(store.content().await, []);
    store.has(&shuffled(jobs(0..items))).await;
    assert_eq!(store.content().await, jobs(0..items));
}

async fn fetch(store: Subject) {
    store.has(&jobs(1..=3)).await;
    let answers = done(store.fetch(&[id(3), id(9), id(1), id(3)]).await);
    assert_eq!(answers, [Some(job(3)), None, Some(job(1)), Some(job(3))]);
    assert_eq!(done(store.fetch(&[]).await), []);
    assert_eq!(only(done(store.fetch(&[id(2)]).await)), Some(job(2)));
    let too_many: Vec<_> = (0..limits::FLUSH_ITEMS as u64 + 1).map(id).collect();
    refused(store.fetch(&too_many).await);
}
