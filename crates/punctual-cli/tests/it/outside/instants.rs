//! Jobs start at their instants: none before, none lost, none twice.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde_json::json;

use super::server::{Place, shell, until};
use super::stores::{Sort, on_each_store};

on_each_store!(two_processes_start_each_job_once_and_never_before_its_instant);

const JOBS: u64 = 200;

fn two_processes_start_each_job_once_and_never_before_its_instant(sort: Sort) {
    let Some(store) = sort.empty() else { return };
    let place = Place::new();
    let servers = [(); 2].map(|()| place.serve(&["--store", store.url(), "--concurrency", "4"]));
    let log = place.path("log");
    let script = format!("echo $PUNCTUAL_JOB_ID $(date +%s%6N) >> {}", log.display());
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("it is past 1970");
    let mut due = BTreeMap::new();
    for n in 0..JOBS {
        // Spread over four seconds without any pattern that a timer could share: a multiplicative congruence.
        let offset = Duration::from_micros(500_000 + (n * 2_654_435_761) % 4_000_000);
        let micros = u64::try_from((now + offset).as_micros()).expect("it is before 586,000");
        let mut job = shell(&script);
        job["run_at"] = json!(rfc3339(micros));
        let server = &servers[usize::from(n % 2 == 0)];
        due.insert(server.enqueue(&job), micros);
    }

    let lines = until("every job has run", || {
        let lines = place.lines("log");
        (lines.len() as u64 >= JOBS).then_some(lines)
    });
    for id in due.keys() {
        assert_eq!(servers[0].ended(id)["state"], "succeeded");
    }

    assert_eq!(place.lines("log").len() as u64, JOBS, "none ran twice");
    for line in lines {
        let (id, at) = line.split_once(' ').expect("two words a line");
        let at: u64 = at.parse().expect("microseconds");
        let due = due.remove(id).expect("each job ran once");
        assert!(at >= due, "{id} ran {} microseconds early", due - at);
    }
    assert!(due.is_empty(), "these never ran: {due:?}");
}

fn rfc3339(micros: u64) -> String {
    let micros = i64::try_from(micros).expect("it is before 294,000");
    punctual::Timestamp::from_micros(micros).to_string()
}
