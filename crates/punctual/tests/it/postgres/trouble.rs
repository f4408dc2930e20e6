//! A server that goes away and comes back: nothing acknowledged is lost, and nobody has to help.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use punctual::signals::Signal;
use punctual::store::{Depth, Filter, Page, Store, View};
use punctual::{Engine, JobId, Kind, NewJob};
use tokio::task::JoinHandle;

use super::server::{House, Server, connect, open};
use super::{hears, insert, is_there, job, until};

/// Lets callers enqueue until `enough`, each again and again, and answers what was acknowledged.
async fn enqueue_until(engine: &Engine, enough: Arc<AtomicBool>) -> BTreeSet<JobId> {
    let callers: Vec<_> = (0..16)
        .map(|caller| {
            let (engine, enough) = (engine.clone(), Arc::clone(&enough));
            tokio::spawn(async move {
                let mut stored = BTreeSet::new();
                for number in 0.. {
                    if enough.load(Ordering::Relaxed) {
                        break;
                    }
                    let id = JobId::named(&format!("{caller} {number}"));
                    match engine.enqueue(NewJob::bytes("work", "{}").id(id)).await {
                        Ok(job) => drop(stored.insert(job.id())),
                        Err(error) => assert!(
                            error.kind() == Kind::Unavailable || error.is_unknown(),
                            "it may fail for the server's sake only: {error:?}"
                        ),
                    }
                }
                stored
            })
        })
        .collect();
    let mut stored = BTreeSet::new();
    for caller in callers {
        stored.extend(caller.await.expect("it does not panic"));
    }
    stored
}

/// Callers who enqueue.
struct Load {
    enough: Arc<AtomicBool>,
    enqueueing: JoinHandle<BTreeSet<JobId>>,
}

impl Load {
    fn on(engine: &Engine) -> Load {
        let (engine, enough) = (engine.clone(), Arc::new(AtomicBool::new(false)));
        let until = Arc::clone(&enough);
        Load {
            enough,
            enqueueing: tokio::spawn(async move { enqueue_until(&engine, until).await }),
        }
    }

    /// Ends it. The jobs that were acknowledged, which are some.
    async fn stored(self) -> BTreeSet<JobId> {
        self.enough.store(true, Ordering::Relaxed);
        let stored = self.enqueueing.await.expect("it does not panic");
        assert!(!stored.is_empty());
        stored
    }
}

/// None of these jobs is lost.
async fn are_there(stored: &BTreeSet<JobId>, store: &dyn Store) {
    let there = all(store).await;
    assert!(
        stored.is_subset(&there),
        "{} are lost",
        stored.difference(&there).count()
    );
}

/// The ids of all jobs.
async fn all(store: &dyn Store) -> BTreeSet<JobId> {
    let mut ids = BTreeSet::new();
    let mut after = None;
    loop {
        let filter = Filter {
            view: View::All,
            ..Filter::default()
        };
        let listed = store
            .list(filter, Page { limit: 1_000, after })
            .await
            .expect("the store lists");
        ids.extend(listed.items.iter().map(|head| head.id));
        after = listed.next;
        if after.is_none() {
            return ids;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn connections_that_are_ended_under_load_lose_nothing_that_was_acknowledged() {
    let Some(server) = Server::start(&[]) else { return };
    let store = Arc::new(open(server.url()).await);
    let engine = Engine::builder().on(Arc::clone(&store) as Arc<dyn Store>);
    let load = Load::on(&engine);
    let client = connect(server.url()).await;
    let end_all =
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'punctual'";
    let mut rounds = 0;
    until("connections were ended twenty times", async || {
        rounds += client
            .query(end_all, &[])
            .await
            .is_ok_and(|ended| !ended.is_empty()) as u32;
        rounds >= 20
    })
    .await;
    let stored = load.stored().await;
    until("the store heals", async || {
        store.check(Depth::Quick).await.is_ok()
    })
    .await;
    are_there(&stored, &*store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_is_restarted_under_load_loses_nothing_that_was_acknowledged() {
    let Some(server) = Server::start(&[]) else { return };
    let store = Arc::new(open(server.url()).await);
    let engine = Engine::builder().on(Arc::clone(&store) as Arc<dyn Store>);
    let load = Load::on(&engine);
    for round in 0..3 {
        until("there is load", async || {
            engine.enqueue(NewJob::bytes("probe", "{}")).await.is_ok()
        })
        .await;
        tokio::task::block_in_place(|| server.restart());
        until("the store heals", async || {
            store.check(Depth::Quick).await.is_ok()
        })
        .await;
        insert(&*store, &[job(&format!("after restart {round}"))]).await;
    }
    let stored = load.stored().await;
    are_there(&stored, &*store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn while_the_server_is_away_every_verb_says_so_and_afterwards_all_is_well() {
    let Some(server) = Server::start(&[]) else { return };
    let store = open(server.url()).await;
    insert(&store, &[job("a")]).await;
    tokio::task::block_in_place(|| server.stop());
    let mut seen = Vec::new();
    until("a verb knows that the server is away", async || {
        let error = store.insert(&[job("b")]).await.expect_err("nobody is there");
        assert!(
            error.kind() == Kind::Unavailable || error.is_unknown(),
            "{error:?}"
        );
        seen.push(error.to_string());
        error.kind() == Kind::Unavailable
    })
    .await;
    assert!(seen.iter().any(|told| told.contains("127.0.0.1")), "{seen:?}");
    assert_eq!(
        store
            .check(Depth::Quick)
            .await
            .expect_err("nobody is there")
            .kind(),
        Kind::Unavailable
    );
    assert_eq!(
        store.counts().await.expect_err("nobody is there").kind(),
        Kind::Unavailable
    );
    tokio::task::block_in_place(|| server.restart());
    until("the store heals", async || is_there_if_any(&store, "a").await).await;
}

async fn is_there_if_any(store: &dyn Store, name: &str) -> bool {
    let rows = store.fetch(&[JobId::named(name)]).await;
    rows.is_ok_and(|rows| rows[0].is_some())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_process_hears_another_one_and_hears_it_again_after_its_connection_was_ended() {
    let Some(house) = House::shared() else { return };
    let url = house.next();
    let named = format!("{url}&application_name=listener_{}", std::process::id());
    let (store, other) = (open(&named).await, open(&url).await);
    let mut heard = store.signals().listen();
    let hint = Signal::Ended(JobId::named("a"));
    hears(&mut heard, &other, &hint).await;
    let client = house.client().await;
    let end = format!(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'listener_{}'",
        std::process::id()
    );
    client.query(&end, &[]).await.expect("it ends them");
    hears(&mut heard, &other, &hint).await;
    assert!(!is_there(&store, "a").await, "it works otherwise, too");
}
