//! What a killed server ran is taken back, and the log says so in a line that people can read.

use std::time::{Duration, Instant};

use serde_json::json;

use super::server::{Place, shell, until};
use super::stores::{Sort, on_each_store};

on_each_store!(what_a_killed_server_ran_is_taken_back_in_one_line_of_the_log);

fn what_a_killed_server_ran_is_taken_back_in_one_line_of_the_log(sort: Sort) {
    let Some(store) = sort.empty() else { return };
    let place = Place::new();
    let mut first = place.serve(&["--store", store.url(), "--lease", "2s"]);
    let pids = place.path("pids");
    let mut job = shell(&format!("echo $$ >> {}; exec sleep 600", pids.display()));
    job["on_lost"] = json!("fail");
    let ids: Vec<String> = (0..8).map(|_| first.enqueue(&job)).collect();
    until("all of them run", || {
        (place.lines("pids").len() == ids.len()).then_some(())
    });
    first.kill();
    // So that one round finds them all.
    let over = Instant::now() + Duration::from_secs(2);
    until("their leases are over", || (Instant::now() > over).then_some(()));

    let second = place.serve(&["--store", store.url(), "--log-level", "info,punctual=debug"]);
    for id in &ids {
        assert_eq!(second.ended(id)["state"], "failed");
    }
    let told = |level: &str, words: &str| {
        let said = second.said();
        let lines = said
            .lines()
            .filter(|line| line.contains(level) && line.contains(words));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    // A job is seen to have ended a moment before that is logged.
    let rounds = until("the round is in the log", || {
        Some(told("INFO", "overdue jobs were taken back")).filter(|rounds| !rounds.is_empty())
    });
    assert!(rounds.len() == 1 && rounds[0].contains("jobs=8"), "{rounds:?}");
    assert_eq!(told("DEBUG", "an overdue job was taken back").len(), ids.len());
    assert!(!second.said().contains("Some("), "{}", second.said());
}
