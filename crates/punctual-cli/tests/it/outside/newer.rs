//! A store that a newer version has made over, as older processes meet it in the middle of an upgrade.

use super::nodes::Nodes;
use super::server::{Place, request, shell};
use super::stores::{Sort, Store, on_each_store};
use crate::house::{Ended, punctual};

on_each_store!(
    a_store_of_a_newer_version_is_refused_by_every_command_and_left_alone,
    what_runs_while_a_newer_version_makes_a_store_over_goes_on_or_says_that_it_cannot,
);

/// A version that is not there yet.
const NEWER: &str = "99";

/// Lets a store say that a newer version has made it over.
fn make_over(store: &Store) {
    let namespace = store.namespace();
    match store.sort() {
        Sort::Sqlite => {
            let path = store.url().trim_start_matches("sqlite:");
            let database = rusqlite::Connection::open(path).expect("the file is there");
            let set = database.pragma_update(None, "user_version", NEWER);
            set.expect("it can be written");
        }
        Sort::Postgres => {
            let insert = format!("insert into {namespace}.punctual_schema (version) values ({NEWER})");
            store.ask(&["-c", &insert]);
        }
        Sort::Redis => {
            store.ask(&["set", &format!("{{{namespace}}}:schema"), NEWER]);
        }
    }
}

fn a_store_of_a_newer_version_is_refused_by_every_command_and_left_alone(sort: Sort) {
    let Some(store) = sort.empty() else { return };
    let place = Place::new();
    let run = |arguments: &[&str]| {
        let mut command = punctual(&place.path("."));
        command.args(arguments).args(["--store", store.url()]);
        Ended::of(command.output().expect("it starts"))
    };
    let made = run(&["store", "migrate"]);
    assert_eq!(made.code, 0, "{made:?}");
    make_over(&store);
    for arguments in [
        &["serve", "--bind", "127.0.0.1:0"][..],
        &["api", "--bind", "127.0.0.1:0"],
        &["runner"],
        &["job", "list"],
        &["job", "add", "mail"],
        &["store", "export", "a.jsonl"],
        &["store", "migrate"],
    ] {
        let refused = run(arguments);
        assert_eq!(refused.code, 64, "{arguments:?}: {refused:?}");
        assert!(refused.stderr.contains(NEWER), "{arguments:?}: {refused:?}");
        assert_eq!(refused.stderr.lines().count(), 1, "{arguments:?}: {refused:?}");
    }
}

fn what_runs_while_a_newer_version_makes_a_store_over_goes_on_or_says_that_it_cannot(sort: Sort) {
    let Some(store) = sort.empty() else { return };
    let nodes = Nodes::open(&store, 1, &[]);
    let ask = |method: &str, path: &str, body: &str| request(nodes.address(), method, path, Some(body));
    let job = shell("true").to_string();
    let run = || ask("POST", "/v1/jobs?wait=30s", &job);
    assert_eq!(run().json()["state"], "succeeded");
    make_over(&store);
    if sort != Sort::Redis {
        assert_eq!(run().json()["state"], "succeeded");
        return;
    }
    for (method, path) in [("POST", "/v1/jobs"), ("GET", "/readyz")] {
        let refused = ask(method, path, &job);
        assert_eq!(refused.status, 503, "{}", refused.body);
        assert!(refused.body.contains("a newer one made it"), "{}", refused.body);
    }
    // Had it been a mistake, all goes on by itself.
    store.ask(&["set", &format!("{{{}}}:schema", store.namespace()), "1"]);
    assert_eq!(run().json()["state"], "succeeded");
}
