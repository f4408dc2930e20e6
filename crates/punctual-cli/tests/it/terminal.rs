//! What only a person at a terminal is told.

use std::fs::File;
use std::process::{Child, Command, Stdio};

use crate::house::{House, wait_until};
use crate::outside::server::request;

impl House {
    /// `punctual job …` at a terminal, which shows all that it prints in the file `seen`.
    fn at_a_terminal(&self, arguments: &str) -> Child {
        let command = format!("$PUNCTUAL job {arguments}");
        let seen = File::create(self.folder.path().join("seen")).expect("it is ours");
        let mut terminal = Command::new("script");
        terminal
            .args(["--quiet", "--return", "--command", &command, "/dev/null"])
            .env("PUNCTUAL", env!("CARGO_BIN_EXE_punctual"))
            .env("PUNCTUAL_SERVER", &self.address)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(seen);
        terminal.spawn().expect("script is there")
    }

    fn wait_for_sight(&self, text: &str) {
        wait_until(&format!("it shows {text}"), || self.read("seen").contains(text));
    }
}

#[test]
fn whoever_adds_and_waits_at_a_terminal_is_told_of_each_attempt_once() {
    let house = House::open();
    let mut terminal = house.at_a_terminal("add command --wait -- sh -c 'echo no luck >&2; [ -e go ]'");
    house.wait_for_sight("attempt 1 of 20 failed: ");
    house.write("go");
    assert_eq!(terminal.wait().expect("it ends").code(), Some(0));
    let seen = house.read("seen");
    assert!(seen.contains("no luck"), "{seen}");
    assert_eq!(seen.matches("attempt 1 of 20").count(), 1, "{seen}");
}

#[test]
fn attempts_that_follow_each_other_at_once_are_told_as_well_and_the_last_one_by_the_end() {
    let house = House::open();
    let mut terminal = house.at_a_terminal("add command --wait --max-attempts 3 -- false");
    assert_eq!(terminal.wait().expect("it ends").code(), Some(1));
    let seen = house.read("seen");
    let lines: Vec<&str> = seen.lines().collect();
    assert_eq!(lines.len(), 3, "{seen}");
    for (line, told) in lines.iter().zip([
        "attempt 1 of 3 failed: ",
        "attempt 2 of 3 failed: ",
        " failed (exhausted): ",
    ]) {
        assert!(line.contains(told), "{seen}");
    }
}

#[test]
fn whoever_waits_at_a_terminal_is_told_when_it_goes_on() {
    let house = House::open();
    let job = r#"{"kind": "command", "payload": {"program": "false"}, "backoff": {"type": "fixed", "delay": "2h"}}"#;
    let added = request(
        house.address.trim_start_matches("http://"),
        "POST",
        "/v1/jobs",
        Some(job),
    );
    let id = added.json()["id"].as_str().expect("an id").to_owned();
    let mut terminal = house.at_a_terminal(&format!("wait {id}"));
    house.wait_for_sight("attempt 1 of 20 failed: exit code 1; again in 1h59m");
    assert_eq!(house.job(&["cancel", &id]).code, 0);
    assert_eq!(terminal.wait().expect("it ends").code(), Some(2));
}
