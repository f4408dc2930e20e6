//! `punctual serve`.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::house::{Ended, House, punctual};

#[test]
fn what_was_acknowledged_is_there_after_a_kill() {
    let mut house = House::open();
    let delayed = house.json(&["add", "mail", "--in", "1h", "--json"])["id"].clone();
    let waiting = house.json(&["add", "mail", "--json"])["id"].clone();
    let running = [
        "add",
        "command",
        "--unique-key",
        "r",
        "--json",
        "--",
        "sh",
        "-c",
        "echo ran >> log; sleep 0.5",
    ];
    let running = house.json(&running)["id"].clone();
    house.kill_and_restart();
    for (id, phase) in [(delayed, "scheduled"), (waiting, "ready")] {
        let job = house.json(&["show", id.as_str().expect("an id"), "--json"]);
        assert_eq!(job["phase"], phase, "{job}");
    }
    let ended = house.job(&["wait", running.as_str().expect("an id"), "--timeout", "20s"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    let log = std::fs::read_to_string(house.folder.path().join("log")).expect("it ran");
    assert!((1..=2).contains(&log.lines().count()), "{log:?}");
}

#[test]
fn a_signal_stops_it_softly_and_what_runs_comes_to_its_end() {
    let mut house = House::open();
    let run = [
        "add",
        "command",
        "--json",
        "--",
        "sh",
        "-c",
        "touch begun; sleep 0.3; touch ended",
    ];
    let id = house.json(&run)["id"].clone();
    wait_until_there(&house.folder.path().join("begun"));
    assert_eq!(house.terminate(), Some(0));
    assert!(house.folder.path().join("ended").exists());
    house.kill_and_restart();
    assert_eq!(
        house.json(&["show", id.as_str().expect("an id"), "--json"])["state"],
        "succeeded"
    );
}

#[test]
fn what_it_cannot_do_it_refuses_at_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let cases: [(&[&str], i32, &str); 9] = [
        (&["--dev", "--allow-command", "true"], 64, "--dev"),
        (&["--dev", "--allow-net", "10.0.0.0/8"], 64, "--dev"),
        (&["--bind", "0.0.0.0:0"], 77, "loopback"),
        (&["--store", "mysql://x"], 64, "mysql"),
        (&["--store", "sqlite:no/such/folder.db"], 69, "no/such/folder.db"),
        (&["--concurrency", "0"], 64, "--concurrency"),
        (&["--bind", "127.0.0.1:0", "--queues", "a b"], 64, "\"a b\""),
        (&["--bind", "127.0.0.1:0", "--queues", "a,a"], 64, "twice"),
        (
            &["--bind", "127.0.0.1:0", "--allow-net", "10.0.0.0/99"],
            64,
            "10.0.0.0/99",
        ),
    ];
    for (arguments, code, said) in cases {
        let ended = Ended::of(
            punctual(folder.path())
                .arg("serve")
                .args(arguments)
                .output()
                .expect("it starts"),
        );
        assert_eq!(ended.code, code, "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains(said), "{arguments:?}: {ended:?}");
    }
}

fn wait_until_there(file: &Path) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !file.exists() {
        assert!(Instant::now() < deadline, "{} does not come", file.display());
        thread::sleep(Duration::from_millis(5));
    }
}
