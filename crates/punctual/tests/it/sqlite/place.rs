//! The place of the file: a check tells when the file is gone, and when its disk takes no more.

use std::fs;
use std::sync::Arc;

use punctual::Kind;
use punctual::clock::ManualClock;
use punctual::error::Error;
use punctual::limits::WRITE_KNOWN;
use punctual::store::sqlite::{SqliteOptions, SqliteStore};
use punctual::store::{Depth, Store};
use punctual::time::Timestamp;

use super::child::{Part, said, with_small_files};
use super::{folder, insert, is_there, job, open};

fn says(refused: Result<impl std::fmt::Debug, Error>, what: &str) {
    let error = refused.expect_err("it is refused");
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(error.to_string().contains(what), "{error}");
}

#[tokio::test]
async fn a_file_that_is_removed_is_noticed_and_takes_no_jobs_until_it_is_back() {
    let folder = folder();
    let path = folder.path().join("jobs.db");
    let store = open(&path).await;
    insert(&store, &[job("a")]).await;
    let away = folder.path().join("away.db");
    fs::rename(&path, &away).expect("the folder is ours");
    says(store.check(Depth::Quick).await, "removed or renamed");
    says(store.insert(&[job("b")]).await, "nothing was stored");

    fs::write(&path, "").expect("the folder is ours");
    says(store.check(Depth::Quick).await, "another file");
    says(store.insert(&[job("b")]).await, "another file");

    fs::rename(&away, &path).expect("the folder is ours");
    insert(&store, &[job("b")]).await;
    store.check(Depth::Quick).await.expect("it is back");
    assert!(is_there(&store, "a").await);
}

#[tokio::test]
async fn a_check_writes_only_where_it_cannot_tell_otherwise() {
    let folder = folder();
    let path = folder.path().join("jobs.db");
    let log = folder.path().join("jobs.db-wal");
    let clock = ManualClock::new(Timestamp::EPOCH, 7);
    let options = SqliteOptions {
        clock: Arc::new(clock.clone()),
        ..SqliteOptions::default()
    };
    let store = SqliteStore::open(&path, options).await.expect("the file opens");
    let length = || fs::metadata(&log).expect("it is there").len();
    store.check(Depth::Quick).await.expect("it takes writes");
    let first = length();
    for _ in 0..10 {
        store.check(Depth::Quick).await.expect("it takes writes");
    }
    assert_eq!(length(), first);
    clock.advance(WRITE_KNOWN);
    store.check(Depth::Quick).await.expect("it takes writes");
    assert!(length() > first, "it was tried");
    clock.advance(WRITE_KNOWN);
    insert(&store, &[job("a")]).await;
    let written = length();
    store.check(Depth::Quick).await.expect("it took a write");
    assert_eq!(length(), written);
}

#[tokio::test]
async fn a_disk_that_is_full_fails_the_check_until_there_is_room_again() {
    let folder = folder();
    let path = folder.path().join("jobs.db");
    drop(open(&path).await);
    let output = with_small_files(Part::Checker, &path, "c");
    let text = String::from_utf8(output.stdout).expect("its output is text");
    assert!(output.status.success(), "{text}");
    let told: Vec<_> = text.lines().filter_map(said).collect();
    assert_eq!(told.len(), 2, "{text}");
    assert!(told[0].contains("nothing was stored"), "{text}");
    assert_eq!(told[1], "well again");
}
