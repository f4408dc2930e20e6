//! The write-ahead log: bounded under load, and in spite of a reader.

use std::fs;

use punctual::job::State;
use punctual::limits;

use super::{connect, count, folder, insert, job_of, open};

const PAGE_BYTES: u64 = limits::FILE_PAGE_BYTES as u64;

#[tokio::test]
async fn the_log_stays_bounded_while_much_is_written() {
    const BATCHES: u64 = 60;
    let folder = folder();
    let path = folder.path().join("jobs.db");
    let store = open(&path).await;
    let log = folder.path().join("jobs.db-wal");
    for batch in 0..BATCHES {
        // 4 MB each, so that all together are several times the bound.
        let jobs: Vec<_> = (0..40)
            .map(|number| job_of(&format!("{batch} {number}"), 100_000))
            .collect();
        insert(&store, &jobs).await;
        let bytes = fs::metadata(&log).expect("it is there").len();
        let bound = u64::from(limits::FILE_LOG_PAGES_IN_A_RUSH) * PAGE_BYTES + 8_000_000;
        assert!(bytes < bound, "the log has {bytes} bytes");
    }
    assert_eq!(count(&store, State::Waiting).await, BATCHES * 40);
    // It was copied, not only kept short.
    let file = fs::metadata(&path).expect("it is there").len();
    assert!(file > BATCHES * 4_000_000 / 2, "the file has {file} bytes");
}

#[tokio::test]
async fn a_reader_of_long_breath_holds_up_nobody() {
    let folder = folder();
    let path = folder.path().join("jobs.db");
    let store = open(&path).await;
    let reader = connect(&path);
    reader
        .execute_batch("begin; select count(*) from jobs")
        .expect("it can be read");
    for batch in 0..12 {
        let jobs: Vec<_> = (0..40)
            .map(|number| job_of(&format!("{batch} {number}"), 100_000))
            .collect();
        insert(&store, &jobs).await;
    }
    assert_eq!(count(&store, State::Waiting).await, 480);
    reader.execute_batch("commit").expect("it is ours");
}
