//! Servers that go away, connections that break, scripts that are forgotten.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::future;
use punctual::change::{Applied, Inserted};
use punctual::store::{Depth, Store};
use punctual::{JobId, Kind};

use super::server::{Server, shared_namespace};
use super::{claim, insert, is_there, job, open, success, tell, until, until_answered};

#[tokio::test]
async fn scripts_that_the_server_has_forgotten_are_sent_again() {
    let Some(url) = shared_namespace() else { return };
    let store = open(&url).await;
    for round in 0..3 {
        tell(&url, &["SCRIPT", "FLUSH"]).await;
        insert(&store, &[job(&format!("job {round}"))]).await;
        tell(&url, &["SCRIPT", "FLUSH"]).await;
        let claimed = claim(&store, 5).await.expect("it claims").jobs;
        assert_eq!(claimed.len(), 1);
        tell(&url, &["SCRIPT", "FLUSH"]).await;
        let applied = store.apply(&[success(&claimed[0])]).await;
        assert_eq!(applied, Ok(vec![Applied::Applied]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn connections_that_are_killed_heal_and_nothing_acknowledged_is_lost() {
    let Some(server) = Server::start(&[]) else { return };
    let store = open(server.url()).await;
    let call = async |caller: usize| {
        let mut acknowledged = Vec::new();
        for number in 0..200 {
            let name = format!("job {caller} {number}");
            let inserted = until_answered(async || store.insert(&[job(&name)]).await).await;
            let stands = matches!(inserted[0], Inserted::Inserted | Inserted::Exists { same: true });
            assert!(stands, "{inserted:?}");
            acknowledged.push(JobId::named(&name));
        }
        acknowledged
    };
    let callers = future::join_all((0..8).map(call));
    let acknowledged = tokio::select! {
        biased;
        done = callers => done.concat(),
        () = kill_until_dropped(server.url()) => unreachable!("it has no end"),
    };
    for ids in acknowledged.chunks(500) {
        let rows = until_answered(async || store.fetch(ids).await).await;
        assert!(rows.iter().all(Option::is_some));
    }
}

/// Kills every connection, again and again.
async fn kill_until_dropped(url: &str) {
    loop {
        tell(url, &["CLIENT", "KILL", "TYPE", "normal"]).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_unavailable_and_keeps_what_it_acknowledged_when_it_is_back() {
    let Some(server) = Server::start(&["appendfsync always"]) else {
        return;
    };
    let store = open(server.url()).await;
    let names: Vec<String> = (0..300).map(|number| format!("job {number}")).collect();
    let jobs: Vec<_> = names.iter().map(|name| job(name)).collect();
    insert(&store, &jobs).await;
    let claimed = claim(&store, 1).await.expect("it claims").jobs;

    server.kill();
    let deadline = Instant::now() + super::PATIENCE;
    // At first it may not be known whether the server took it; soon it is known that there is none.
    loop {
        let error = store.insert(&[job("new")]).await.expect_err("there is no server");
        if error.kind() == Kind::Unavailable {
            break;
        }
        assert!(error.is_unknown() && Instant::now() < deadline, "{error:?}");
    }
    for error in [
        claim(&store, 1).await.map(drop),
        store.fetch(&[JobId::named("job 1")]).await.map(drop),
        store.counts().await.map(drop),
        store.check(Depth::Quick).await.map(drop),
    ] {
        assert_eq!(error.expect_err("there is no server").kind(), Kind::Unavailable);
    }

    server.restart();
    let applied = until_answered(async || store.apply(&[success(&claimed[0])]).await).await;
    assert_eq!(applied, [Applied::Applied]);
    let rest = until_answered(async || claim(&store, 1_000).await).await;
    let taken: BTreeSet<JobId> = rest
        .jobs
        .iter()
        .chain(&claimed)
        .map(punctual::job::Job::id)
        .collect();
    assert_eq!(taken.len(), names.len());
    assert!(!is_there(&store, "new").await);
}

#[tokio::test]
async fn a_server_that_was_restarted_while_nobody_asked_is_found_again_at_once() {
    let Some(server) = Server::start(&["appendfsync always"]) else {
        return;
    };
    let store = open(server.url()).await;
    insert(&store, &[job("before")]).await;
    server.restart();
    let claimed = until_answered(async || claim(&store, 1).await).await;
    assert_eq!(claimed.jobs.len(), 1);
}

#[tokio::test]
async fn a_store_that_is_dropped_lets_go_of_its_connections() {
    let Some(server) = Server::start(&[]) else { return };
    let is_alone = async || {
        let list = match tell(server.url(), &["CLIENT", "LIST"]).await {
            redis::Value::BulkString(list) => String::from_utf8_lossy(&list).into_owned(),
            other => panic!("a list of clients: {other:?}"),
        };
        list.lines().count() == 1
    };
    let store = open(server.url()).await;
    let _heard = store.signals().listen();
    insert(&store, &[job("a")]).await;
    assert!(!is_alone().await);
    drop(store);
    until("its connections are gone", is_alone).await;
}
