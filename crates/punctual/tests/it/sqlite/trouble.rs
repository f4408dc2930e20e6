//! Trouble: a file that is locked, a disk that is full, a process that is killed. What was acknowledged is there, and
//! what is refused says why.

use std::fs;
use std::io::{BufRead, BufReader};

use punctual::Kind;
use punctual::job::State;
use punctual::store::Store;

use super::child::{Part, command, said, with_small_files};
use super::{claim, connect, count, folder, insert, is_there, job, open, until};

#[tokio::test]
async fn a_file_that_stays_locked_is_an_error_that_says_so() {
    let folder = folder();
    let path = folder.path().join("jobs.db");
    let store = open(&path).await;
    let other = connect(&path);
    other
        .execute_batch("begin immediate")
        .expect("nobody else writes");
    let error = store.insert(&[job("a")]).await.expect_err("it is locked");
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(error.to_string().contains("locked"), "{error}");
    other.execute_batch("rollback").expect("it is ours");
    assert!(!is_there(&store, "a").await);
    insert(&store, &[job("a")]).await;
}

#[tokio::test]
async fn a_claim_that_finds_nothing_and_a_read_need_no_lock_and_write_nothing() {
    let folder = folder();
    let path = folder.path().join("jobs.db");
    let store = open(&path).await;
    insert(&store, &[job("a")]).await;
    let log = folder.path().join("jobs.db-wal");
    assert_eq!(claim(&store, 1).await.jobs.len(), 1);
    let before = fs::metadata(&log).expect("it is there").len();
    let other = connect(&path);
    other
        .execute_batch("begin immediate")
        .expect("nobody else writes");
    assert_eq!(claim(&store, 1).await.jobs, []);
    assert!(is_there(&store, "a").await);
    assert_eq!(count(&store, State::Running).await, 1);
    assert_eq!(fs::metadata(&log).expect("it is there").len(), before);
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill() {
    let folder = folder();
    let path = folder.path().join("jobs.db");
    let mut child = command(Part::Feeder, &path, "k").spawn().expect("a child starts");
    let lines = BufReader::new(child.stdout.take().expect("its output is ours")).lines();
    let mut acknowledged = Vec::new();
    for line in lines {
        let line = line.expect("its output is text");
        acknowledged.extend(said(&line).map(str::to_owned));
        if acknowledged.len() == 30 {
            child.kill().expect("it is ours");
        }
    }
    child.wait().expect("it is ours");
    assert!(acknowledged.len() >= 30);
    let store = open(&path).await;
    for name in &acknowledged {
        assert!(is_there(&store, name).await, "{name} was acknowledged");
    }
    let all = connect(&path).query_row("select count(*) from jobs", [], |row| row.get(0));
    assert_eq!(all, Ok(count(&store, State::Waiting).await.cast_signed()));
}

#[tokio::test]
async fn many_processes_share_one_file_and_run_each_job_once() {
    const PROCESSES: usize = 3;
    let folder = folder();
    let path = folder.path().join("jobs.db");
    // None of them finds the file there, so that they also make it at once.
    let names = ["p", "q", "r"];
    let children = names.map(|name| {
        command(Part::Worker, &path, name)
            .spawn()
            .expect("a child starts")
    });
    let mut ran = Vec::new();
    for child in children {
        let output = child.wait_with_output().expect("it is ours");
        let text = String::from_utf8(output.stdout).expect("its output is text");
        assert!(output.status.success(), "{text}");
        ran.extend(text.lines().filter_map(said).map(str::to_owned));
    }
    let store = open(&path).await;
    let all = (PROCESSES * super::child::JOBS) as u64;
    assert_eq!(count(&store, State::Succeeded).await, all);
    assert_eq!(count(&store, State::Waiting).await, 0);
    ran.sort();
    let runs = ran.len();
    ran.dedup();
    assert_eq!((runs, ran.len() as u64), (ran.len(), all));
}

#[tokio::test]
async fn a_disk_that_is_full_is_an_error_that_says_so_and_loses_nothing() {
    let folder = folder();
    let path = folder.path().join("jobs.db");
    drop(open(&path).await);
    let output = with_small_files(Part::Filler, &path, "f");
    let text = String::from_utf8(output.stdout).expect("its output is text");
    assert!(output.status.success(), "{text}");
    let mut acknowledged: Vec<_> = text.lines().filter_map(said).collect();
    let refusal = acknowledged.pop().expect("it was refused");
    assert!(refusal.contains("nothing was stored"), "{refusal}");
    assert!(!acknowledged.is_empty());
    let store = open(&path).await;
    assert_eq!(count(&store, State::Waiting).await, acknowledged.len() as u64);
    for name in acknowledged {
        assert!(is_there(&store, name).await, "{name} was acknowledged");
    }
}

#[tokio::test]
async fn a_listener_hears_of_what_another_process_wrote() {
    use futures_util::StreamExt;
    use punctual::signals::Signal;

    let folder = folder();
    let path = folder.path().join("jobs.db");
    let store = open(&path).await;
    let mut heard = store.signals().listen();
    let mut child = command(Part::Worker, &path, "s").spawn().expect("a child starts");
    assert_eq!(super::within_patience(heard.next()).await, Some(Signal::Anything));
    until("the child ends", async || {
        child.try_wait().expect("it is ours").is_some()
    })
    .await;
}
