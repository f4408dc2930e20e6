//! A queue's limit and its pause hold across processes, by what the jobs themselves recorded.

use serde_json::json;

use super::server::{Place, Server, shell, until};
use super::stores::{Sort, on_each_store};

on_each_store!(
    no_more_run_at_once_than_the_queue_allows_over_two_processes_and_a_kill_9,
    no_run_begins_once_a_pause_is_acknowledged,
    a_job_taken_ahead_counts_as_running_and_is_begun_though_its_queue_is_paused_meanwhile,
);

/// Short, so that the test is; long enough for a loaded machine to beat in time.
const LEASE: &str = "3s";

/// Jobs that keep a record of who runs: a directory can be made once, so each takes the first free place of many.
fn enqueue(place: &Place, server: &Server, count: usize) -> Vec<String> {
    let record = place.path("record");
    let script = format!(
        "n=1; until mkdir {places}$n 2>/dev/null; do n=$((n+1)); done; echo $n >> {record}; sleep 0.3; rmdir {places}$n",
        places = place.path("place-").display(),
        record = record.display(),
    );
    (0..count).map(|_| server.enqueue(&shell(&script))).collect()
}

fn limit(server: &Server, limits: &serde_json::Value) {
    let answer = server.request("PUT", "/v1/queues/command", Some(&limits.to_string()));
    assert_eq!(answer.status, 200, "{}", answer.body);
}

fn no_more_run_at_once_than_the_queue_allows_over_two_processes_and_a_kill_9(sort: Sort) {
    let Some(store) = sort.empty() else { return };
    let place = Place::new();
    let arguments = ["--store", store.url(), "--concurrency", "8", "--lease", LEASE];
    let mut first = place.serve(&arguments);
    limit(&first, &json!({"max_running": 3}));
    let second = place.serve(&arguments);
    let ids = enqueue(&place, &second, 60);
    until("some have run", || {
        (place.lines("record").len() >= 12).then_some(())
    });
    first.kill();
    for id in &ids {
        let job = second.ended(id);
        assert_eq!(job["state"], "succeeded", "{job}");
    }
    // What the killed process left behind kept its places in the record, as it may have in the world.
    let left = (1..=8)
        .filter(|n| place.path(&format!("place-{n}")).exists())
        .count();
    let places: Vec<usize> = place
        .lines("record")
        .iter()
        .map(|line| line.parse().expect("a number"))
        .collect();
    let most = places.iter().max().copied().unwrap_or(0);
    assert!(
        most <= 3 + left,
        "{most} at once, of which {left} were left behind: {places:?}"
    );
    assert!(left <= 3, "{left} ran as the process was killed");
    assert!(places.contains(&3), "the limit was used: {places:?}");
}

fn no_run_begins_once_a_pause_is_acknowledged(sort: Sort) {
    let Some(store) = sort.empty() else { return };
    let place = Place::new();
    let arguments = ["--store", store.url(), "--concurrency", "8"];
    let servers = [place.serve(&arguments), place.serve(&arguments)];
    // All are there before the first one begins, so that many are left when the queue is paused.
    servers[0].post("/v1/queues/command/pause", &json!({}));
    let ids = enqueue(&place, &servers[0], 300);
    servers[0].post("/v1/queues/command/resume", &json!({}));
    until("some have run", || {
        (place.lines("record").len() >= 20).then_some(())
    });
    let paused = servers[1].post("/v1/queues/command/pause", &json!({"reason": "enough for now"}));
    assert_eq!(paused.status, 200, "{}", paused.body);

    // What was claimed before goes on; then there is silence, although jobs are due and slots are free.
    let running = || servers[0].get("/v1/queues/command").json()["counts"]["running"].clone();
    until("what ran has ended", || (running() == 0).then_some(()));
    let record = place.lines("record").len();
    assert!(record < ids.len(), "jobs are left");
    let late = servers[1].post("/v1/jobs?wait=2s", &shell("true"));
    assert_eq!(
        (late.status, &late.json()["phase"]),
        (202, &json!("ready")),
        "{}",
        late.body
    );
    assert_eq!(place.lines("record").len(), record, "nothing has begun");
    let queue = servers[0].get("/v1/queues/command").json();
    assert_eq!(queue["paused"]["reason"], "enough for now");

    servers[0].post("/v1/queues/command/resume", &json!({}));
    for id in &ids {
        assert_eq!(servers[0].ended(id)["state"], "succeeded");
    }
    assert_eq!(place.lines("record").len(), ids.len(), "each ran once");
}

fn a_job_taken_ahead_counts_as_running_and_is_begun_though_its_queue_is_paused_meanwhile(sort: Sort) {
    let Some(store) = sort.empty() else { return };
    let place = Place::new();
    let arguments = ["--store", store.url(), "--concurrency", "1", "--prefetch", "2"];
    let server = place.serve(&arguments);
    let script = format!(
        "echo begun >> {}; until [ -e {} ]; do sleep 0.05; done",
        place.path("record").display(),
        place.path("go").display(),
    );
    let ids: Vec<String> = (0..3).map(|_| server.enqueue(&shell(&script))).collect();
    let running = || server.get("/v1/queues/command").json()["counts"]["running"].clone();
    until("two are taken ahead", || (running() == 3).then_some(()));
    until("the first one has begun", || {
        (!place.lines("record").is_empty()).then_some(())
    });
    let worker = server.get("/v1/workers").json()["items"][0].clone();
    assert_eq!(
        (&worker["running"], &worker["concurrency"]),
        (&json!(3), &json!(1))
    );
    assert_eq!(place.lines("record").len(), 1);

    server.post("/v1/queues/command/pause", &json!({}));
    let late = server.enqueue(&shell(&script));
    std::fs::write(place.path("go"), "").expect("it is ours");
    for id in &ids {
        assert_eq!(server.ended(id)["state"], "succeeded");
    }
    assert_eq!(place.lines("record").len(), 3);
    let job = server.get(&format!("/v1/jobs/{late}")).json();
    assert_eq!(job["phase"], "ready", "{job}");
}
