//! Jobs in PostgreSQL that are dispatched through Redis, as whoever runs the program sees it.

use crate::house::{Beside, Ended, House, NOTHING_BESIDE, namespace, punctual};

/// A server on this store, dispatched through this Redis.
fn serve(store: &str, through: &str) -> House {
    let arguments = ["--store", store, "--dispatch", through].map(|text| &*String::leak(text.to_owned()));
    House::with(Beside {
        arguments: Vec::leak(arguments.to_vec()),
        ..NOTHING_BESIDE
    })
}

#[test]
fn jobs_that_are_dispatched_through_redis_run_whoever_adds_them() {
    let (Some(store), Some(through)) = (namespace("postgres"), namespace("redis")) else {
        return;
    };
    let house = serve(&store, &through);
    let add = |arguments: &[&str]| {
        let added = house.job(&[&["add", "command", "--wait"], arguments, &["--", "echo", "hello"]].concat());
        assert_eq!((added.code, added.stdout.as_str()), (0, "hello\n"), "{added:?}");
    };
    add(&[]);
    add(&["--in", "200ms", "--priority", "1"]);
    // Who adds straight to the store need not know of the dispatch.
    let mut near = punctual(house.folder.path());
    near.args([
        "job", "add", "command", "--wait", "--store", &store, "--", "echo", "hello",
    ]);
    let added = Ended::of(near.output().expect("it starts"));
    assert_eq!((added.code, added.stdout.as_str()), (0, "hello\n"), "{added:?}");
}

#[test]
fn without_its_redis_a_server_runs_jobs_all_the_same_and_a_check_tells() {
    let Some(store) = namespace("postgres") else {
        return;
    };
    let through = "redis://ann:hunter2@127.0.0.1:1";
    let house = serve(&store, through);
    let added = house.job(&["add", "command", "--wait", "--", "echo", "hello"]);
    assert_eq!((added.code, added.stdout.as_str()), (0, "hello\n"), "{added:?}");
    let mut check = punctual(house.folder.path());
    check.args(["store", "check", "--store", &store, "--dispatch", through]);
    let checked = Ended::of(check.output().expect("it starts"));
    assert_eq!(checked.code, 0, "{checked:?}");
    let told = checked.stdout + &checked.stderr;
    assert!(told.contains("127.0.0.1:1, which cannot be used"), "{told}");
    assert!(told.contains("synced to the disk"), "{told}");
    assert!(!told.contains("hunter2"), "{told}");
    assert!(!told.contains("nothing was stored"), "nothing was to be: {told}");
}
