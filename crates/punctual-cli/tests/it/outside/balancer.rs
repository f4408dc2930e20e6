//! Two APIs behind the balancer of the book: one of them may be killed at any time, and no caller notices.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use punctual::JobId;
use serde_json::json;

use super::nginx::Balancer;
use super::process::Process;
use super::server::{Place, grown, request, steady_port, until};
use super::stores::{Sort, Store, on_each_store};

on_each_store!(no_caller_behind_a_balancer_notices_that_an_api_is_killed);

const CALLERS: usize = 4;
const JOBS: usize = 200;

/// The configuration that the book shows, of two APIs at these addresses.
fn configuration(port: u16, apis: [&str; 2]) -> String {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/many-nodes.md");
    let page = fs::read_to_string(Path::new(page)).expect("the page is there");
    let (_, rest) = page.split_once("```nginx\n").expect("it shows a configuration");
    let (shown, _) = rest.split_once("```").expect("it ends");
    let mut mine = shown.to_owned();
    for (shown, mine_is) in [
        ("127.0.0.1:7373", apis[0]),
        ("127.0.0.1:7374", apis[1]),
        ("127.0.0.1:7370", &format!("127.0.0.1:{port}")),
    ] {
        assert!(mine.contains(shown), "{shown} is not in\n{mine}");
        mine = mine.replace(shown, mine_is);
    }
    mine
}

fn begin(place: &Place, store: &Store, address: &str, name: &str) -> Process {
    let arguments = ["api", "--bind", address, "--store", store.url()];
    Process::start(place, name, &arguments)
}

fn no_caller_behind_a_balancer_notices_that_an_api_is_killed(sort: Sort) {
    let Some(store) = sort.empty() else { return };
    let place = Place::new();
    let addresses = [(); 2].map(|()| format!("127.0.0.1:{}", steady_port()));
    let [first, second] = addresses.each_ref().map(String::as_str);
    let mut apis = [first, second].map(|address| begin(&place, &store, address, address));
    let Some(balancer) = Balancer::open(|port| configuration(port, [first, second])) else {
        return;
    };
    let address = balancer.address();
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let add = || {
        while let Some(n) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|n| *n < JOBS) {
            let job = json!({"id": JobId::named(&n.to_string()).to_string(), "kind": "mail", "delay": "1h"});
            let added = request(&address, "POST", "/v1/jobs", Some(&job.to_string()));
            // 200 tells that the API that was killed had stored it, and could not say so.
            assert!(
                [200, 201].contains(&added.status),
                "{}: {}",
                added.status,
                added.body
            );
            done.fetch_add(1, Ordering::Relaxed);
        }
    };
    thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(add);
        }
        for (time, one) in [0, 1, 0, 1].into_iter().enumerate() {
            grown("jobs are added", (time + 1) * JOBS / 5, || {
                done.load(Ordering::Relaxed)
            });
            apis[one].kill();
            apis[one] = begin(&place, &store, &addresses[one], &format!("api again {time}"));
        }
    });
    assert_eq!(done.into_inner(), JOBS);
    let waiting = until("all are there", || {
        let listed = request(&address, "GET", "/v1/jobs?limit=1000&state=scheduled", None);
        (listed.status == 200).then(|| listed.json())
    });
    assert_eq!(waiting["items"].as_array().map(Vec::len), Some(JOBS));
}
