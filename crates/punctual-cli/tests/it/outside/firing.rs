//! Servers on one store that fire a schedule each second, while they are killed and started.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::nginx::Called;
use super::process::Process;
use super::server::{Place, grown, list, request, until};
use super::stores::{Sort, Store, alone, on_each_store, tell};

on_each_store!(each_instant_has_one_place_though_servers_are_killed_all_the_while);

const SERVERS: usize = 3;
/// What a killed one ran is lost no longer than this.
const LEASE: &str = "2s";
/// So many instants are fired between two kills.
const INSTANTS: usize = 3;
/// How many are killed, unless `PUNCTUAL_TEST_JOBS` asks for the full size: five minutes.
const KILLS: usize = 6;
const KILLS_IN_FULL: usize = 100;

/// A server and its runner.
pub(super) fn begin(place: &Place, store: &Store, number: usize, lease: &str) -> Process {
    let arguments = ["serve", "--bind", "127.0.0.1:0", "--store", store.url()];
    let more = ["--allow-net", "127.0.0.1/32", "--lease", lease];
    Process::start(
        place,
        &format!("server {number}"),
        &[&arguments[..], &more].concat(),
    )
}

fn each_instant_has_one_place_though_servers_are_killed_all_the_while(sort: Sort) {
    let _alone = alone();
    let (Some(store), Some(called)) = (sort.empty(), Called::open()) else {
        return;
    };
    let place = Place::new();
    let mut servers: Vec<Process> = (0..SERVERS)
        .map(|number| begin(&place, &store, number, LEASE))
        .collect();
    let plan = json!({
        "every": "1s",
        "overlap": "allow",
        "misfire": {"mode": "all", "max": 1_000, "grace": "1s"},
        "job": {"kind": "http", "payload": {"method": "POST", "url": called.url("/second")}},
    });
    let set = request(
        &servers[0].address(),
        "PUT",
        "/v1/schedules/seconds",
        Some(&plan.to_string()),
    );
    assert_eq!(set.status, 201, "{}", set.body);
    let kills = match std::env::var_os("PUNCTUAL_TEST_JOBS") {
        Some(_) => KILLS_IN_FULL,
        None => KILLS,
    };
    for number in 0..kills {
        grown("seconds are fired", INSTANTS * (number + 1), || {
            called.calls().lines().count()
        });
        servers.remove(0).kill();
        servers.push(begin(&place, &store, SERVERS + number, LEASE));
    }
    let address = servers[0].address();
    let paused = request(&address, "POST", "/v1/schedules/seconds/pause", Some("{}"));
    assert_eq!(paused.status, 200, "{}", paused.body);
    until("every job has ended", || nothing_is_live(&address).then_some(()));

    let ledger = ledger(&address, "seconds");
    let instants = one_place_each(&ledger);
    let jobs: BTreeSet<&str> = ledger.iter().filter_map(|entry| entry["job"].as_str()).collect();
    let fired = ledger.iter().filter(|entry| entry["outcome"] == "fired").count();
    assert_eq!(
        (fired, jobs.len()),
        (ledger.len(), ledger.len()),
        "under `all`, none is skipped"
    );
    let again = calls_again(&address, fired, called.calls().lines().count());
    tell(
        sort.name(),
        &format!(
            "every second, {kills} servers killed: {instants} instants, {fired} fired, {again} calls again after a kill"
        ),
    );
}

pub(super) fn nothing_is_live(address: &str) -> bool {
    ["waiting", "running"].iter().all(|state| {
        let jobs = request(address, "GET", &format!("/v1/jobs?limit=1&state={state}"), None);
        jobs.status == 200 && jobs.json()["items"].as_array().is_some_and(Vec::is_empty)
    })
}

/// The whole ledger of a schedule, oldest first.
pub(super) fn ledger(address: &str, name: &str) -> Vec<Value> {
    let (mut entries, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/schedules/{name}/occurrences?limit=100{cursor}");
        let page = request(address, "GET", &path, None);
        assert_eq!(page.status, 200, "{}", page.body);
        let page = page.json();
        entries.extend(
            page["items"]
                .as_array()
                .expect("a page has items")
                .iter()
                .cloned(),
        );
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    entries.reverse();
    entries
}

/// Holds that from the first to the last, each second has one place; answers how many.
fn one_place_each(ledger: &[Value]) -> usize {
    let instants: Vec<Timestamp> = ledger
        .iter()
        .map(|entry| entry["nominal_at"].as_str().expect("an instant"))
        .map(|text| text.parse().expect("as RFC 3339 has it"))
        .collect();
    for pair in instants.windows(2) {
        let apart = pair[1].duration_since(pair[0]);
        assert_eq!(apart, SignedDuration::from_secs(1), "{} and {}", pair[0], pair[1]);
    }
    assert!(!instants.is_empty(), "nothing was fired");
    instants.len()
}

/// Each job of the schedule has succeeded, and was called no more often than it was begun: once, and once more for each run of its
/// that was lost. Answers how many calls came again.
fn calls_again(address: &str, fired: usize, calls: usize) -> usize {
    let jobs = list(address, "state=succeeded");
    assert_eq!(jobs.len(), fired, "every instant's job has succeeded, once");
    let begun: u64 = jobs.iter().filter_map(|job| job["attempt"].as_u64()).sum();
    assert!(
        calls >= fired && calls as u64 <= begun,
        "{fired} jobs began {begun} times and called {calls} times"
    );
    calls - fired
}
