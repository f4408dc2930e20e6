//! The database file is taken away from a server, and given back.

use std::fs;

use super::server::{Place, shell, until};

#[test]
fn a_server_whose_file_is_gone_is_not_ready_until_it_is_back() {
    let place = Place::new();
    let server = place.serve(&[]);
    let (file, away) = (place.path("punctual.db"), place.path("away.db"));
    fs::rename(&file, &away).expect("the folder is ours");
    let reply = server.get("/readyz");
    assert_eq!(reply.status, 503, "{}", reply.body);
    assert!(reply.body.contains("no longer at its place"), "{}", reply.body);
    assert_eq!(server.get("/healthz").status, 200);
    assert_eq!(server.post("/v1/jobs", &shell("true")).status, 503);

    fs::rename(&away, &file).expect("the folder is ours");
    until("the server is ready again", || {
        (server.get("/readyz").status == 200).then_some(())
    });
    let id = server.enqueue(&shell("true"));
    assert_eq!(server.ended(&id)["state"], "succeeded");
}
