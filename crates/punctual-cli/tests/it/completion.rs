//! Completion in shells, and the manual.

use std::process::Command;

use crate::house::{Ended, House, punctual};

impl House {
    /// What bash offers for the last of these words.
    fn offers(&self, words: &[&str]) -> Vec<String> {
        let script = format!(
            "source <(punctual completion bash)
             COMP_WORDS=({}); COMP_CWORD={}; COMP_TYPE=9
             _clap_complete_punctual punctual \"${{COMP_WORDS[COMP_CWORD]}}\" ''
             printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            words.join(" "),
            words.len() - 1
        );
        let binary = std::path::Path::new(env!("CARGO_BIN_EXE_punctual"));
        let folder = binary.parent().expect("it is in a folder").display();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut bash = Command::new("bash");
        bash.args(["-c", &script])
            .env("PATH", format!("{folder}:{path}"))
            .env("PUNCTUAL_SERVER", &self.address);
        let ended = Ended::of(bash.output().expect("bash is there"));
        assert_eq!(ended.stderr, "");
        ended.stdout.lines().map(|line| line.trim().to_owned()).collect()
    }
}

#[test]
fn a_shell_completes_commands_ids_of_jobs_and_queues() {
    let house = House::open();
    let job = house.json(&["add", "mail", "--queue", "letters", "--in", "1h", "--json"]);
    let id = job["id"].as_str().expect("an id");

    assert_eq!(house.offers(&["punctual", "job", "att"]), ["attempts"]);
    assert!(
        house
            .offers(&["punctual", "job", "show", "''"])
            .iter()
            .any(|offer| offer == id)
    );
    assert_eq!(house.offers(&["punctual", "job", "wait", &id[..30]]), [id]);
    assert_eq!(
        house.offers(&["punctual", "job", "list", "--queue", "let"]),
        ["letters"]
    );
    assert_eq!(house.offers(&["punctual", "queue", "pause", "let"]), ["letters"]);
}

#[test]
fn a_shell_is_offered_nothing_of_a_server_that_is_not_there() {
    let mut house = House::open();
    house.address = "http://127.0.0.1:1".to_owned();
    let offers = house.offers(&["punctual", "job", "show", "019"]);
    assert!(offers.iter().all(String::is_empty), "{offers:?}");
}

#[test]
fn every_shell_is_told_how_to_ask() {
    let folder = tempfile::tempdir().expect("a folder");
    for shell in ["bash", "zsh", "fish"] {
        let mut command = punctual(folder.path());
        let ended = Ended::of(command.args(["completion", shell]).output().expect("it starts"));
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
        assert!(ended.stdout.contains("punctual"), "{shell}");
    }
    let mut command = punctual(folder.path());
    let ended = Ended::of(command.args(["completion", "cmd"]).output().expect("it starts"));
    assert_eq!(ended.code, 64);
}

#[test]
fn the_manual_has_a_page_for_each_command() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = punctual(folder.path());
    let ended = Ended::of(command.args(["man", "pages"]).output().expect("it starts"));
    assert_eq!(ended.code, 0, "{ended:?}");
    for page in [
        "punctual.1",
        "punctual-job.1",
        "punctual-job-add-http.1",
        "punctual-store-backup.1",
    ] {
        let text = std::fs::read_to_string(folder.path().join("pages").join(page)).expect(page);
        assert!(text.contains(".SH SYNOPSIS"), "{page}");
    }
    let first = Ended::of(punctual(folder.path()).arg("man").output().expect("it starts"));
    assert!(first.stdout.contains(".TH punctual 1"), "{first:?}");
}
