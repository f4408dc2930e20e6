//! A server that is killed forgets nothing and repeats only what it was running.

use std::collections::BTreeMap;

use serde_json::json;

use super::server::{Place, Server, shell, until};

const JOBS: usize = 1_000;
const SLOTS: &str = "8";

#[test]
fn a_thousand_acknowledged_jobs_survive_kill_9_and_each_ends_once() {
    let place = Place::new();
    let mut first = place.serve(&["--concurrency", SLOTS, "--lease", "2s"]);
    let ids = enqueue_mixed(&place, &first);
    until("some have ended and some are running", || {
        let ended = place.lines("ended").len();
        let started = place.lines("started").len();
        (ended >= 20 && started > ended).then_some(())
    });
    first.kill();
    let started_by_the_first = count(&place.lines("started"));

    let second = place.serve(&["--concurrency", "64", "--lease", "2s"]);
    for id in &ids {
        let job = second.ended(id);
        assert_eq!(job["state"], "succeeded", "{job}");
    }

    let runs = count(&place.lines("started"));
    let repeated: Vec<_> = runs.iter().filter(|(_, times)| **times > 1).collect();
    assert_eq!(runs.len(), JOBS, "every job ran");
    assert!(runs.values().all(|times| *times <= 2), "{repeated:?}");
    assert!(
        repeated.len() <= SLOTS.parse().expect("a number"),
        "only what was running: {repeated:?}"
    );
    assert!(
        repeated
            .iter()
            .all(|(id, _)| started_by_the_first.contains_key(*id))
    );
}

/// A third of the jobs is due now, a third in a second and a third in three; some take a while.
fn enqueue_mixed(place: &Place, server: &Server) -> Vec<String> {
    let script = format!(
        "echo $PUNCTUAL_JOB_ID >> {}; sleep 0.$1; echo $PUNCTUAL_JOB_ID >> {}",
        place.path("started").display(),
        place.path("ended").display()
    );
    let delays = ["0", "1s", "3s"];
    (0..JOBS)
        .map(|n| {
            let mut job = shell(&script);
            let tenths = if n % 10 == 0 { "3" } else { "0" };
            job["payload"]["args"] = json!(["-c", script, "sh", tenths]);
            job["delay"] = json!(delays[n % delays.len()]);
            server.enqueue(&job)
        })
        .collect()
}

fn count(lines: &[String]) -> BTreeMap<String, usize> {
    let mut times = BTreeMap::new();
    for line in lines {
        *times.entry(line.clone()).or_default() += 1;
    }
    times
}
