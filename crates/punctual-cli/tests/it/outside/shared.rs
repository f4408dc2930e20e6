//! Callers of one unique key share one execution, across processes.

use std::collections::BTreeSet;
use std::thread;

use serde_json::json;

use super::server::{Place, shell};
use super::stores::{Sort, on_each_store};

on_each_store!(sixty_four_callers_of_one_key_at_two_processes_share_one_execution_and_one_result);

fn sixty_four_callers_of_one_key_at_two_processes_share_one_execution_and_one_result(sort: Sort) {
    let Some(store) = sort.empty() else { return };
    let place = Place::new();
    let servers = [(); 2].map(|()| place.serve(&["--store", store.url()]));
    let mut job = shell(&format!(
        "echo ran >> {}; sleep 1; echo $$",
        place.path("log").display()
    ));
    // The window lets even a caller that a busy machine held up share the one execution.
    job["unique"] = json!({"key": "the report", "window": "1m"});

    let answers: Vec<_> = thread::scope(|scope| {
        let callers: Vec<_> = (0..64)
            .map(|n| {
                let (server, job) = (&servers[n % 2], &job);
                scope.spawn(move || server.post("/v1/jobs?wait=30s", job))
            })
            .collect();
        callers
            .into_iter()
            .map(|caller| caller.join().expect("it asks"))
            .collect()
    });

    let mut ids = BTreeSet::new();
    let mut results = BTreeSet::new();
    for answer in &answers {
        assert_eq!(answer.status, 200, "{}", answer.body);
        let ended = answer.json();
        ids.insert(ended["id"].to_string());
        results.insert(ended["result"].to_string());
    }
    assert_eq!(answers.len(), 64);
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert_eq!(results.len(), 1, "{results:?}");
    assert_ne!(results.first().map(String::as_str), Some("null"));
    assert_eq!(place.lines("log"), ["ran"]);
}
