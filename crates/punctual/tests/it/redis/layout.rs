//! The version of the layout, and rows that this version cannot read.

use punctual::job::State;
use punctual::store::redis::RedisStore;
use punctual::store::{Filter, Page, Store};
use punctual::{JobId, Kind};
use redis::Value;

use super::server::{Server, shared_namespace};
use super::{claim, insert, is_there, job, open, refusal, success, tell};

/// The name of a key in the namespace of a URL.
pub(super) fn key(url: &str, name: &str) -> String {
    let namespace = url.split("namespace=").nth(1).unwrap_or("punctual");
    format!("{{{namespace}}}:{name}")
}

#[tokio::test]
async fn a_namespace_of_a_newer_version_is_refused_and_left_as_it_is() {
    let Some(url) = shared_namespace() else { return };
    let store = open(&url).await;
    insert(&store, &[job("old")]).await;
    tell(&url, &["SET", &key(&url, "schema"), "3"]).await;

    let error = refusal(&url).await;
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(error.to_string().contains("newer"), "{error}");
    // Also by whoever was there before it, and is asked for nothing wrong.
    for error in [
        store.insert(&[job("new")]).await.map(drop),
        claim(&store, 1).await.map(drop),
    ] {
        let error = error.expect_err("it cannot");
        assert_eq!(error.kind(), Kind::Unavailable);
        assert!(error.to_string().contains("newer"), "{error}");
    }
    let schema = tell(&url, &["GET", &key(&url, "schema")]).await;
    assert_eq!(schema, Value::BulkString(b"3".to_vec()));
}

#[tokio::test]
async fn a_namespace_of_an_older_version_is_brought_up_to_date_and_goes_on() {
    let Some(url) = shared_namespace() else { return };
    let store = open(&url).await;
    insert(&store, &[job("old"), job("older")]).await;
    let (schema, version) = (key(&url, "schema"), Value::BulkString(b"2".to_vec()));
    tell(&url, &["SET", &schema, "1"]).await;
    let (from, to) = RedisStore::migrate(&url).await.expect("it migrates");
    assert_eq!((from, to), (1, 2));
    assert_eq!(tell(&url, &["GET", &schema]).await, version);
    assert_eq!(claim(&store, 1).await.expect("it claims").jobs.len(), 1);

    // Also where somebody puts an older copy of it back while it is in use.
    tell(&url, &["SET", &schema, "1"]).await;
    assert_eq!(claim(&store, 1).await.expect("it claims").jobs.len(), 1);
    assert_eq!(tell(&url, &["GET", &schema]).await, version);
}

#[tokio::test]
async fn a_server_that_was_flushed_begins_anew() {
    let Some(server) = Server::start(&[]) else { return };
    let store = open(server.url()).await;
    insert(&store, &[job("lost")]).await;
    tell(server.url(), &["FLUSHALL"]).await;
    assert!(!is_there(&store, "lost").await);
    assert_eq!(claim(&store, 1).await.expect("it claims").jobs, []);
    insert(&store, &[job("lost")]).await;
    assert_eq!(claim(&store, 1).await.expect("it claims").jobs.len(), 1);
}

/// Puts this byte in place of the first one of a string.
pub(crate) async fn spoil(url: &str, name: &str, id: JobId) {
    let client = redis::Client::open(url.split('?').next().unwrap_or(url)).expect("it is a URL");
    let mut connection = client
        .get_multiplexed_async_connection()
        .await
        .expect("it connects");
    let mut set = redis::cmd("SETRANGE");
    set.arg([key(url, name).as_bytes(), id.0.as_bytes()].concat())
        .arg(0)
        .arg("9");
    let _: Value = set.query_async(&mut connection).await.expect("it is set");
}

#[tokio::test]
async fn a_row_that_cannot_be_read_harms_nobody_but_itself() {
    let Some(url) = shared_namespace() else { return };
    let store = open(&url).await;
    let (bad, good) = (job("bad"), job("good"));
    insert(&store, &[bad.clone(), good.clone()]).await;
    spoil(&url, "j:", bad.id()).await;

    let claimed = claim(&store, 5).await.expect("it claims");
    let ids: Vec<JobId> = claimed.jobs.iter().map(punctual::job::Job::id).collect();
    assert_eq!(ids, [good.id()]);
    assert!(
        claimed.next_due.is_some_and(|due| due > claimed.now),
        "{claimed:?}"
    );
    let counted = store.counts().await.expect("it counts");
    assert_eq!(counted.queues[0].jobs, [1, 1, 0, 0, 0]);

    let error = store
        .fetch(&[good.id(), bad.id()])
        .await
        .expect_err("one is unreadable");
    assert_eq!(error.kind(), Kind::Internal);
    let page = Page {
        limit: 10,
        after: None,
    };
    let listed = store.list(Filter::default(), page).await.expect("it lists");
    assert_eq!(listed.items.len(), 1);
    let changes = [success(&bad), success(&claimed.jobs[0])];
    let answers = store.apply(&changes).await.expect("the other change stands");
    assert_eq!(answers[1], punctual::change::Applied::Applied);
    let settled = store.fetch(&[good.id()]).await.expect("it reads");
    assert_eq!(
        settled[0].as_ref().map(|job| job.status.state),
        Some(State::Succeeded)
    );
}
