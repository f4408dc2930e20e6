//! `punctual job add -f`.

use std::fs;
use std::io::Write;
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::house::{Ended, House, punctual, wait_until};

/// Lines of jobs that do not run before the test is over.
fn lines(jobs: std::ops::Range<u32>) -> String {
    jobs.map(|n| format!("{{\"kind\": \"mail\", \"payload\": {n}, \"delay\": \"1h\"}}\n"))
        .collect()
}

impl House {
    /// The payloads of all jobs, in ascending order.
    fn payloads(&self) -> Vec<u64> {
        let listed = self.job(&["list", "--json", "--limit", "100000"]).stdout;
        let ids = listed.lines().map(|line| {
            let job: Value = serde_json::from_str(line).expect("JSON");
            job["id"].as_str().expect("an id").to_owned()
        });
        let payload = |id: String| self.json(&["show", &id, "--json"])["payload"].as_u64();
        let mut payloads: Vec<u64> = ids.filter_map(payload).collect();
        payloads.sort_unstable();
        payloads
    }

    fn count(&self) -> usize {
        self.job(&["list", "--json", "--limit", "100000"])
            .stdout
            .lines()
            .count()
    }

    fn importing(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(&[&["add"], arguments].concat());
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().expect("it starts")
    }
}

#[test]
fn each_line_of_a_file_is_a_job_also_two_that_read_the_same() {
    let house = House::open();
    house.put("jobs.jsonl", &format!("{}\n{}", lines(0..3), lines(2..3)));
    let added = house.job(&["add", "-f", "jobs.jsonl"]);
    assert_eq!(
        (added.code, added.stdout.as_str()),
        (0, "4 jobs added\n"),
        "{added:?}"
    );
    assert_eq!(added.stderr, "", "there is no terminal to draw a bar on");
    assert_eq!(house.payloads(), [0, 1, 2, 2]);
}

#[test]
fn an_import_that_is_begun_again_adds_nothing_twice() {
    let house = House::open();
    house.put("jobs.jsonl", &lines(0..20_000));
    let mut killed = house.importing(&["-f", "jobs.jsonl"]);
    wait_until("some jobs are in", || house.count() > 200);
    killed.kill().expect("it runs");
    killed.wait().expect("it ends");
    assert!(house.count() < 20_000, "it was killed too late to show anything");

    house.put("jobs.jsonl", &lines(0..1_000));
    let again = house.json(&["add", "-f", "./jobs.jsonl", "--json"]);
    assert_eq!((&again["there"], &again["added"]), (&1_000.into(), &0.into()));
    let before = house.count();
    assert_eq!(house.job(&["add", "-f", "jobs.jsonl"]).code, 0);
    assert_eq!(house.count(), before);
    // Unless it is said that they are others.
    assert_eq!(
        house
            .job(&["add", "-f", "jobs.jsonl", "--import", "tuesday"])
            .code,
        0
    );
    assert_eq!(house.count(), before + 1_000);
}

#[test]
fn a_bad_line_is_named_by_line_and_column_and_ends_the_import() {
    let house = House::open();
    for (bad, told) in [
        ("{\"kind\": \"mail\"", "jobs.jsonl:3:15: this is not JSON"),
        (
            "{\"kind\": \"mail\", \"priority\": 11}",
            "jobs.jsonl:3:30: /priority",
        ),
        ("{\"kind\": \"mail\", \"colour\": 1}", "jobs.jsonl:3:28: /colour"),
        (
            "{\"kind\": \"http\", \"payload\": {\"method\": \"GET\", \"url\": 7}}",
            "jobs.jsonl:3:54: /payload/url",
        ),
        ("\"mail\"", "jobs.jsonl:3:1: "),
    ] {
        house.put("jobs.jsonl", &format!("{}{bad}\n{}", lines(0..2), lines(2..3)));
        let ended = house.job(&["add", "-f", "jobs.jsonl"]);
        assert_eq!((ended.code, ended.stdout.as_str()), (64, ""), "{ended:?}");
        assert!(
            ended.stderr.contains(told) && ended.stderr.contains("--keep-going"),
            "{ended:?}"
        );
        assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
    }
    let first: Vec<u64> = house.payloads().into_iter().filter(|n| *n < 2).collect();
    assert_eq!(first, [0, 1]);
    // Mended in its place, it is the only one that was missing.
    house.put("jobs.jsonl", &lines(0..4));
    assert_eq!(house.job(&["add", "-f", "jobs.jsonl"]).code, 0);
    assert_eq!(house.payloads().iter().filter(|n| **n < 2).count(), 2);
}

#[test]
fn told_to_keep_going_it_passes_bad_lines_and_tells_each() {
    let house = House::open();
    house.put(
        "jobs.jsonl",
        &format!("x\n{}{{\"kind\": \"m m\"}}\n{}", lines(0..2), lines(2..5)),
    );
    let ended = house.job(&["add", "-f", "jobs.jsonl", "--keep-going"]);
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (64, "5 jobs added; 2 lines refused\n"),
        "{ended:?}"
    );
    let told: Vec<&str> = ended.stderr.lines().collect();
    assert!(
        told[0].contains("jobs.jsonl:1:1") && told[1].contains("jobs.jsonl:4:10"),
        "{ended:?}"
    );
}

#[test]
fn jobs_come_through_a_pipe_as_they_are_written() {
    let house = House::open();
    let mut child = house.importing(&["-f", "-"]);
    let mut pipe = child.stdin.take().expect("it is piped");
    pipe.write_all(lines(0..2).as_bytes()).expect("it reads");
    wait_until("what is written so far is in", || house.count() == 2);
    pipe.write_all(b"{\"kind\": 7}").expect("it reads");
    drop(pipe);
    let ended = Ended::of(child.wait_with_output().expect("it ends"));
    assert_eq!(ended.code, 64, "{ended:?}");
    assert!(ended.stderr.contains("input:3:10"), "{ended:?}");
}

#[test]
fn an_import_waits_for_a_server_that_starts_anew() {
    let mut house = House::steady();
    house.put("jobs.jsonl", &lines(0..5_000));
    let child = house.importing(&["-f", "jobs.jsonl"]);
    wait_until("some jobs are in", || house.count() > 100);
    house.kill_and_restart_here();
    let ended = Ended::of(child.wait_with_output().expect("it ends"));
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(house.count(), 5_000);
}

#[test]
fn an_import_where_there_is_no_server_says_so_as_every_command_does() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("jobs.jsonl"), lines(0..1)).expect("it is ours");
    let nobody = ["--server", "http://127.0.0.1:1"];
    let mut said = [&["job", "list"][..], &["job", "add", "-f", "jobs.jsonl"]].map(|arguments| {
        let mut command = punctual(folder.path());
        Ended::of(command.args(arguments).args(nobody).output().expect("it starts"))
    });
    let [list, import] = said.each_mut();
    assert_eq!((import.code, &import.stderr), (69, &list.stderr));
}

#[test]
fn a_file_that_cannot_be_read_is_told() {
    let house = House::open();
    for arguments in [
        &["add", "-f", "nothing.jsonl"][..],
        &["add", "-f", "."],
        &["add", "-f", "a.jsonl", "http", "GET", "http://a/"],
        &["add", "--keep-going"],
    ] {
        let ended = house.job(arguments);
        assert_eq!(ended.code, 64, "{arguments:?}: {ended:?}");
        assert_eq!(ended.stderr.lines().count(), 1, "{arguments:?}: {ended:?}");
    }
}
