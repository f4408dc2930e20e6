//! Completion in shells, and the manual.

use std::process::Command;

use crate::house::{Ended, House, punctual};

impl House {
    /// What bash offers in the place of the last word of this line.
    fn offers(&self, line: &str) -> Vec<String> {
        let words = broken(line);
        let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        let script = format!(
            "source <(punctual completion bash)
             COMP_LINE='{line}'; COMP_WORDS=({}); COMP_CWORD={}; COMP_TYPE=9
             _clap_complete_punctual punctual \"${{COMP_WORDS[COMP_CWORD]}}\" ''
             printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            quoted.join(" "),
            words.len() - 1
        );
        let binary = std::path::Path::new(env!("CARGO_BIN_EXE_punctual"));
        let folder = binary.parent().expect("it is in a folder").display();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut bash = Command::new("bash");
        bash.args(["-c", &script])
            .env("PATH", format!("{folder}:{path}"))
            .env("PUNCTUAL_SERVER", &self.address)
            .current_dir(self.folder.path());
        let ended = Ended::of(bash.output().expect("bash is there"));
        assert_eq!(ended.stderr, "");
        ended.stdout.lines().map(|line| line.trim().to_owned()).collect()
    }
}

/// The words of a line as bash has them, which breaks also at `:` and `=`; the last one is empty behind a blank.
fn broken(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in line.chars() {
        let is_break = |c: char| c == ':' || c == '=';
        if c == ' ' || (before != ' ' && is_break(c) != is_break(before)) {
            words.push(String::new());
        }
        if c != ' ' {
            words.last_mut().expect("one is there").push(c);
        }
        before = c;
    }
    words
}

#[test]
fn a_shell_completes_commands_ids_of_jobs_queues_and_schedules() {
    let house = House::open();
    let job = house.json(&["add", "mail", "--queue", "letters", "--in", "1h", "--json"]);
    let id = job["id"].as_str().expect("an id");

    assert_eq!(house.offers("punctual job att"), ["attempts"]);
    assert!(house.offers("punctual job show ").iter().any(|offer| offer == id));
    assert_eq!(house.offers(&format!("punctual job wait {}", &id[..30])), [id]);
    assert_eq!(house.offers("punctual job list --queue let"), ["letters"]);

    let set = house.punctual(&["schedule", "set", "nightly", "--cron", "@daily", "mail"]);
    assert_eq!(set.code, 0, "{set:?}");
    assert_eq!(house.offers("punctual schedule show nig"), ["nightly"]);
    assert_eq!(house.offers("punctual queue pause let"), ["letters"]);
    assert_eq!(house.offers("punctual job list --state fai"), ["failed"]);
    assert_eq!(house.offers("punctual job list --state=fai"), ["failed"]);
}

#[test]
fn a_shell_completes_what_is_on_the_server_or_store_that_the_line_names() {
    let mut house = House::open();
    let job = house.json(&["add", "mail", "--queue", "a:letters", "--in", "1h", "--json"]);
    let id = job["id"].as_str().expect("an id").to_owned();
    let named = [
        "--store sqlite:punctual.db".to_owned(),
        format!("--server={}", house.address),
    ];
    house.address = "http://127.0.0.1:1".to_owned();
    for place in named {
        assert_eq!(
            house.offers(&format!("punctual job show {place} {}", &id[..9])),
            [id.as_str()]
        );
        // Bash replaces what stands behind the last colon.
        assert_eq!(
            house.offers(&format!("punctual queue pause {place} a:let")),
            ["letters"]
        );
    }
}

#[test]
fn a_shell_completes_an_id_that_is_far_from_what_is_shown_first() {
    let house = House::open();
    let lines = "{\"kind\": \"mail\", \"delay\": \"1h\"}\n".repeat(300);
    std::fs::write(house.folder.path().join("jobs.jsonl"), lines).expect("it is ours");
    assert_eq!(house.job(&["add", "-f", "jobs.jsonl"]).code, 0);
    let listed = house.job(&["list", "--json"]).stdout;
    for line in [0, 150, 299] {
        let job: serde_json::Value =
            serde_json::from_str(listed.lines().nth(line).expect("300 lines")).expect("a document");
        let id = job["id"].as_str().expect("an id");
        assert_eq!(house.offers(&format!("punctual job show {}", &id[..23])), [id]);
    }
}

#[test]
fn a_shell_is_offered_nothing_of_a_server_that_is_not_there() {
    let mut house = House::open();
    house.address = "http://127.0.0.1:1".to_owned();
    let offers = house.offers("punctual job show 019");
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
