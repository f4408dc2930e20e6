//! A cancel stops the process, and only then gives the key back.

use serde_json::json;

use super::server::{Place, alive, shell, until};
use super::stores::{Sort, on_each_store};

on_each_store!(a_cancelled_command_is_dead_before_its_key_is_free);

fn a_cancelled_command_is_dead_before_its_key_is_free(sort: Sort) {
    let Some(store) = sort.empty() else { return };
    let place = Place::new();
    let server = place.serve(&["--store", store.url()]);
    let script = format!(
        "trap 'while [ ! -e {go} ]; do sleep 0.02; done; exit 0' TERM; echo $$ > {pid}; while :; do sleep 0.02; done",
        go = place.path("go").display(),
        pid = place.path("pid").display()
    );
    let mut job = shell(&script);
    job["unique"] = json!({"key": "only one"});
    let id = server.enqueue(&job);
    let pid = until("the process has started", || place.lines("pid").first().cloned());

    let reply = server.post(
        &format!("/v1/jobs/{id}/cancel"),
        &json!({"reason": "no longer wanted"}),
    );
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(reply.json()["phase"], "cancelling", "{}", reply.body);

    // The process heeds the signal but takes its time: until it has stopped, the key is not free.
    let second = server.post("/v1/jobs", &job);
    assert_eq!(second.status, 200, "{}", second.body);
    assert_eq!(second.json()["deduplicated"], true, "{}", second.body);
    assert_eq!(second.json()["id"], id.as_str());
    assert!(alive(&pid));

    std::fs::write(place.path("go"), "").expect("the folder is writable");
    let ended = server.ended(&id);
    assert_eq!(ended["state"], "cancelled", "{ended}");
    assert!(!alive(&pid), "the process is dead when its job has ended");

    let third = server.post("/v1/jobs", &job);
    assert_eq!(third.status, 201, "the key is free: {}", third.body);
    let third = third.json()["id"].as_str().expect("a job has an id").to_owned();
    assert_ne!(third, id);
    server.post(&format!("/v1/jobs/{third}/cancel"), &json!({}));
    assert_eq!(server.ended(&third)["state"], "cancelled");
}
