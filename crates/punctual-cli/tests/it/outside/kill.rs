//! A server that is killed forgets nothing and repeats only what it was running.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use punctual::Engine;
use punctual::engine::{Filter, Page, View};
use serde_json::json;

use super::server::{Place, Server, shell, until};
use super::stores::{Sort, Store, alone, on_each_store};

on_each_store!(a_thousand_acknowledged_jobs_survive_kill_9_and_each_ends_once);

const JOBS: usize = 1_000;
/// Short, so that the test is; long enough for a loaded machine to beat in time.
const LEASE: &str = "5s";
const CALLERS: usize = 16;

fn a_thousand_acknowledged_jobs_survive_kill_9_and_each_ends_once(sort: Sort) {
    let _alone = alone();
    let Some(store) = sort.empty() else { return };
    let place = Place::new();
    let serve = |slots| place.serve(&["--store", store.url(), "--concurrency", slots, "--lease", LEASE]);
    let mut first = serve("8");
    let ids = enqueue_mixed(&place, &first);
    until("some have ended and some are running", || {
        let ended = place.lines("ended").len();
        let started = place.lines("started").len();
        (ended >= 20 && started > ended).then_some(())
    });
    assert_ne!(first.list("state=scheduled").len(), 0, "some are for later");
    assert_ne!(first.list("state=ready").len(), 0, "some wait for a slot");
    first.kill();
    let running = running_in(&store);

    let second = serve("64");
    for id in &ids {
        let job = second.ended(id);
        assert_eq!(job["state"], "succeeded", "{job}");
    }

    let runs = count(&place.lines("started"));
    let repeated: Vec<_> = runs.iter().filter(|(_, times)| **times > 1).collect();
    assert_eq!(runs.len(), JOBS, "every job ran");
    assert!(runs.values().all(|times| *times <= 2), "{repeated:?}");
    let others: Vec<_> = repeated.iter().filter(|(id, _)| !running.contains(*id)).collect();
    assert!(others.is_empty(), "these were not running: {others:?}");
}

/// A third of the jobs is due now, a third in five seconds and a third in eight; some take a while.
fn enqueue_mixed(place: &Place, server: &Server) -> Vec<String> {
    let script = format!(
        "echo $PUNCTUAL_JOB_ID >> {}; sleep 0.$1; echo $PUNCTUAL_JOB_ID >> {}",
        place.path("started").display(),
        place.path("ended").display()
    );
    let job = &|n: usize| {
        let mut job = shell(&script);
        let tenths = if n.is_multiple_of(10) { "3" } else { "0" };
        job["payload"]["args"] = json!(["-c", script, "sh", tenths]);
        job["delay"] = json!(["0", "5s", "8s"][n % 3]);
        server.enqueue(&job)
    };
    thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| scope.spawn(move || (caller..JOBS).step_by(CALLERS).map(job).collect::<Vec<_>>()))
            .collect();
        callers
            .into_iter()
            .flat_map(|caller| caller.join().expect("it enqueues"))
            .collect()
    })
}

/// The jobs that a worker held when the store was left alone.
fn running_in(store: &Store) -> BTreeSet<String> {
    let runtime = tokio::runtime::Runtime::new().expect("threads are to be had");
    runtime.block_on(async {
        let engine = Engine::open(store.url()).await.expect("it was left whole");
        let filter = Filter {
            view: View::Running,
            ..Filter::default()
        };
        let page = Page {
            limit: JOBS,
            after: None,
        };
        let running = engine.list(filter, page).await.expect("it can be read");
        engine.close().await.expect("it can be closed");
        running.items.iter().map(|head| head.id.to_string()).collect()
    })
}

fn count(lines: &[String]) -> BTreeMap<String, usize> {
    let mut times = BTreeMap::new();
    for line in lines {
        *times.entry(line.clone()).or_default() += 1;
    }
    times
}
