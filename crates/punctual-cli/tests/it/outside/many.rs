//! Many jobs in one request, and a server that is killed in the middle of one.

use std::collections::BTreeSet;
use std::thread;

use punctual::JobId;
use serde_json::{Value, json};

use super::server::{Place, Server, request};
use super::stores::{Sort, on_each_store};

on_each_store!(what_kill_9_cut_off_is_sent_again_and_nothing_is_there_twice_or_left_out);

const BATCHES: usize = 4;
const JOBS: usize = 1_000;

fn what_kill_9_cut_off_is_sent_again_and_nothing_is_there_twice_or_left_out(sort: Sort) {
    let Some(store) = sort.empty() else { return };
    let place = Place::new();
    let serve = || place.serve(&["--store", store.url()]);
    let mut server = serve();
    let batches: Vec<String> = (0..BATCHES).map(batch).collect();
    for batch in &batches[1..] {
        stored(&server, batch, 201);
    }
    cut_off(&mut server, "/v1/jobs/batch", &batches[0]);

    let mut server = serve();
    let reply = server.request("POST", "/v1/jobs/batch", Some(&batches[0]));
    assert_eq!(reply.status, 200, "{}", reply.body);
    for batch in &batches {
        stored(&server, batch, 200);
    }
    let all: BTreeSet<String> = (0..BATCHES * JOBS).map(id).collect();
    let listed = server.list("state=scheduled");
    assert_eq!(listed.len(), all.len());
    assert_eq!(ids(&listed), all);

    let mut cancel = json!({"filter": {"kind": "note"}, "limit": 700});
    for _ in 0..2 {
        let some = server.post("/v1/jobs/cancel", &cancel).json();
        assert_eq!(some["changed"], 700, "{some}");
        cancel["cursor"] = some["next"].clone();
    }
    cut_off(&mut server, "/v1/jobs/cancel", &cancel.to_string());

    let server = serve();
    for _ in 0..BATCHES * JOBS {
        let some = server.post("/v1/jobs/cancel", &cancel).json();
        cancel["cursor"] = some["next"].clone();
        if cancel["cursor"].is_null() {
            break;
        }
    }
    assert_eq!(ids(&server.list("state=cancelled")), all);
    assert!(server.list("state=waiting").is_empty());
}

/// Sends a request, and kills the server while it is at it or just before or after.
fn cut_off(server: &mut Server, path: &str, body: &str) {
    let address = server.address().to_owned();
    thread::scope(|scope| {
        scope.spawn(move || request(&address, "POST", path, Some(body)));
        server.kill();
    });
}

fn stored(server: &Server, batch: &str, status: u16) {
    let reply = server.request("POST", "/v1/jobs/batch", Some(batch)).json();
    let items = reply["items"].as_array().expect("one for each job");
    assert_eq!(items.len(), JOBS);
    assert!(items.iter().all(|item| item["status"] == status), "{reply}");
}

fn batch(number: usize) -> String {
    let jobs = (number * JOBS..(number + 1) * JOBS)
        .map(|n| json!({"id": id(n), "kind": "note", "delay": "9h", "payload": "x".repeat(2_000)}));
    Value::from_iter(jobs).to_string()
}

fn id(n: usize) -> String {
    JobId::named(&n.to_string()).to_string()
}

fn ids(jobs: &[Value]) -> BTreeSet<String> {
    let id = |job: &Value| job["id"].as_str().expect("a job has an id").to_owned();
    jobs.iter().map(id).collect()
}
