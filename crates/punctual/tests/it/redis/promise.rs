//! What a server has to promise, and what is told of it.

use punctual::Kind;
use punctual::store::redis::{RedisOptions, RedisStore};
use punctual::store::{Depth, Store};

use super::server::{Server, namespace, shared_namespace};
use super::{insert, job, open, refusal, tell};

#[tokio::test]
async fn a_server_that_throws_keys_away_is_refused() {
    let Some(server) = Server::start(&["maxmemory 100mb", "maxmemory-policy allkeys-lru"]) else {
        return;
    };
    let error = refusal(server.url()).await;
    assert_eq!(error.kind(), Kind::Invalid);
    let said = error.to_string();
    assert!(
        said.contains("allkeys-lru") && said.contains("noeviction"),
        "{said}"
    );

    tell(server.url(), &["CONFIG", "SET", "maxmemory-policy", "noeviction"]).await;
    let store = open(server.url()).await;
    tell(
        server.url(),
        &["CONFIG", "SET", "maxmemory-policy", "volatile-ttl"],
    )
    .await;
    let error = store
        .check(Depth::Quick)
        .await
        .expect_err("it would throw keys away again");
    assert_eq!(error.kind(), Kind::Invalid);
}

#[tokio::test]
async fn a_check_tells_what_a_loss_of_power_may_cost() {
    let Some(server) = Server::start(&[]) else { return };
    let store = open(server.url()).await;
    let set = async |name: &str, value: &str| drop(tell(server.url(), &["CONFIG", "SET", name, value]).await);
    for (fsync, durable, told) in [
        ("always", true, "Every write is synced"),
        ("everysec", false, "the last second"),
        ("no", false, "half a minute"),
    ] {
        set("appendfsync", fsync).await;
        let report = store.check(Depth::Quick).await.expect("it checks");
        assert_eq!((report.store, report.schema), ("redis", 2));
        assert_eq!(report.durable, durable, "{fsync}");
        assert!(report.notes[0].contains(told), "{fsync}: {:?}", report.notes);
        assert!(report.version.contains('.'), "{}", report.version);
    }
    set("appendonly", "no").await;
    let report = store.check(Depth::Quick).await.expect("it checks");
    assert!(!report.durable && report.notes[0].contains("every job is gone"));
    set("save", "3600 1").await;
    let report = store.check(Depth::Quick).await.expect("it checks");
    assert!(!report.durable && report.notes[0].contains("Only snapshots"));
}

#[tokio::test]
async fn a_full_memory_is_an_error_that_says_so_and_stores_nothing() {
    let Some(server) = Server::start(&[]) else { return };
    let store = open(server.url()).await;
    insert(&store, &[job("before")]).await;
    store.check(Depth::Quick).await.expect("there is memory");
    tell(server.url(), &["CONFIG", "SET", "maxmemory", "1"]).await;
    let error = store
        .insert(&[job("full")])
        .await
        .expect_err("there is no memory");
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(error.to_string().contains("maxmemory"), "{error}");
    let error = super::claim(&store, 1).await.expect_err("there is no memory");
    assert_eq!(error.kind(), Kind::Unavailable);
    // A check that took a write a moment ago does not rely on it, and goes on trying.
    for _ in 0..2 {
        let error = store.check(Depth::Quick).await.expect_err("there is no memory");
        assert!(error.to_string().contains("maxmemory"), "{error}");
    }

    tell(server.url(), &["CONFIG", "SET", "maxmemory", "0"]).await;
    store.check(Depth::Quick).await.expect("there is memory");
    assert!(!super::is_there(&store, "full").await);
    insert(&store, &[job("full")]).await;
    let claimed = super::claim(&store, 5).await.expect("it claims");
    assert_eq!(claimed.jobs.len(), 2);
}

#[tokio::test]
async fn a_replica_takes_no_jobs_and_says_so() {
    let Some(primary) = Server::start(&[]) else { return };
    let port = primary.url().rsplit(':').next().expect("it has a port");
    let Some(replica) = Server::start(&[&format!("replicaof 127.0.0.1 {port}")]) else {
        return;
    };
    let error = refusal(replica.url()).await;
    assert_eq!(error.kind(), Kind::Unavailable);
}

#[tokio::test]
async fn a_namespace_is_made_only_when_it_is_to_be() {
    let Some(url) = shared_namespace() else { return };
    let expected = RedisOptions {
        create: false,
        ..RedisOptions::default()
    };
    let error = RedisStore::open(&url, expected.clone())
        .await
        .expect_err("it is not there");
    assert_eq!(error.kind(), Kind::Unavailable);
    assert_eq!(RedisStore::migrate(&url).await, Ok((0, 2)));
    RedisStore::open(&url, expected).await.expect("it is there");
}

#[tokio::test]
async fn what_cannot_be_reached_is_told_without_the_password() {
    for url in [
        "redis://ann:hunter2@127.0.0.1:1",
        "rediss://ann:hunter2@127.0.0.1:1/3",
        "redis://ann:hunter2@nowhere.invalid",
    ] {
        let error = refusal(url).await;
        assert_eq!(error.kind(), Kind::Unavailable, "{url}");
        let said = format!("{error} {error:?}");
        assert!(
            said.contains("cannot be reached") && !said.contains("hunter2"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn databases_and_namespaces_of_one_server_keep_their_jobs_apart() {
    let Some(server) = Server::start(&[]) else { return };
    let other = namespace(server.url());
    let stores = [
        open(server.url()).await,
        open(&format!("{}/7", server.url())).await,
        open(&other).await,
    ];
    for store in &stores {
        insert(store, &[job("the same")]).await;
        let claimed = super::claim(store, 5).await.expect("it claims");
        assert_eq!(claimed.jobs.len(), 1);
    }
}
