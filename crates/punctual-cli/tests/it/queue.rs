//! `punctual queue` and `punctual worker`, on a server and on a store.

use std::process::Command;

use serde_json::Value;

use crate::house::House;

impl House {
    #[track_caller]
    fn queue(&self, arguments: &[&str]) -> Value {
        let ended = self.punctual(&[&["queue"], arguments, &["--json"]].concat());
        assert_eq!(ended.code, 0, "{ended:?}");
        serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
    }

    fn add_letters(&self, jobs: usize) {
        for _ in 0..jobs {
            let added = self.job(&["add", "mail", "--queue", "letters", "--in", "1h"]);
            assert_eq!(added.code, 0, "{added:?}");
        }
    }

    fn waiting_letters(&self) -> Value {
        self.queue(&["show", "letters"])["counts"]["waiting"].clone()
    }
}

const STORE: [&str; 2] = ["--store", "sqlite:punctual.db"];

#[test]
fn a_limit_that_is_not_named_stays_as_it_is() {
    let house = House::open();
    house.queue(&["limit", "letters", "--max-running", "0", "--rate", "10/1s"]);
    let kept = house.queue(&["limit", "letters", "--keep-succeeded", "0"]);
    assert_eq!(kept["max_running"], 0);
    assert_eq!(kept["rate"]["burst"], 10);
    assert_eq!(kept["retention"]["succeeded"], "0");
    let lifted = house.queue(&[
        "limit",
        "letters",
        "--max-running",
        "unlimited",
        "--rate",
        "5/1m/9",
    ]);
    assert_eq!(
        (&lifted["max_running"], &lifted["rate"]["burst"]),
        (&Value::Null, &9.into())
    );
    assert_eq!(lifted["retention"], kept["retention"]);
}

#[test]
fn a_queue_is_the_same_on_its_store_as_on_its_server() {
    let house = House::open();
    house.add_letters(2);
    let on_store = |arguments: &[&str]| house.queue(&[arguments, &STORE].concat());
    on_store(&["limit", "letters", "--max-running", "2"]);
    on_store(&["pause", "letters", "--reason", "strike"]);
    let shown = house.queue(&["show", "letters"]);
    assert_eq!(shown["paused"]["reason"], "strike");
    assert_eq!(shown["max_running"], 2);
    assert_eq!(on_store(&["show", "letters"]), shown);
    assert_eq!(on_store(&["list"]), shown);
    assert_eq!(on_store(&["resume", "letters"])["paused"], Value::Null);
    assert_eq!(on_store(&["purge", "letters", "--yes"])["changed"], 2);
    assert_eq!(house.waiting_letters(), 0);
}

#[test]
fn a_queue_that_nobody_made_is_shown_as_such() {
    let house = House::open();
    let shown = house.punctual(&["queue", "show", "lettres"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    assert!(shown.stderr.contains("there is no such queue yet"), "{shown:?}");
    house.add_letters(1);
    assert_eq!(house.punctual(&["queue", "show", "letters"]).stderr, "");
}

#[test]
fn workers_are_listed_on_their_store_as_on_their_server() {
    let house = House::open();
    for place in [&[][..], &STORE] {
        let mut workers = String::new();
        crate::house::wait_until("the worker has told of itself", || {
            let listed = house.punctual(&[&["worker", "list", "--json"], place].concat());
            assert_eq!(listed.code, 0, "{listed:?}");
            workers = listed.stdout;
            !workers.is_empty()
        });
        let worker: Value = serde_json::from_str(&workers).expect("one worker");
        assert_eq!(worker["concurrency"], 64, "{worker}");
    }
}

#[test]
fn a_queue_is_left_alone_until_somebody_agrees() {
    let house = House::open();
    house.add_letters(2);
    let asked = house.punctual(&["queue", "purge", "letters"]);
    assert_eq!(asked.code, 64, "{asked:?}");
    assert_eq!(house.waiting_letters(), 2);

    for (answer, left) in [("n", 2), ("", 2), ("y", 0)] {
        let command = format!("echo {answer} | script -qec \"$PUNCTUAL queue purge letters\" /dev/null");
        let told = Command::new("sh")
            .args(["-c", &command])
            .env("PUNCTUAL", env!("CARGO_BIN_EXE_punctual"))
            .env("PUNCTUAL_SERVER", &house.address)
            .current_dir(house.folder.path())
            .output()
            .expect("sh is there");
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        assert!(
            told.contains("delete 2 waiting jobs of queue letters? [y/N]"),
            "{told}"
        );
        assert_eq!(house.waiting_letters(), left, "{answer}: {told}");
    }
}

#[test]
fn a_purge_goes_through_all_there_is_of_a_state() {
    let house = House::open();
    let lines = "{\"kind\": \"mail\", \"queue\": \"letters\", \"delay\": \"1h\"}\n".repeat(10_001);
    std::fs::write(house.folder.path().join("letters.jsonl"), lines).expect("it is ours");
    assert_eq!(house.job(&["add", "-f", "letters.jsonl"]).code, 0);
    assert_eq!(house.job(&["cancel", "--queue", "letters", "--yes"]).code, 0);
    house.add_letters(1);
    let purged = house.queue(&["purge", "letters", "--state", "cancelled", "--yes"]);
    assert_eq!(
        (&purged["matched"], &purged["changed"]),
        (&10_001.into(), &10_001.into())
    );
    assert_eq!(house.waiting_letters(), 1);
}
