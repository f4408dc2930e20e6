//! `punctual job`.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;

use crate::house::{Ended, House, punctual};

/// Runs the script behind it in one attempt.
const ONCE: [&str; 8] = [
    "add",
    "command",
    "--max-attempts",
    "1",
    "--wait",
    "--",
    "sh",
    "-c",
];

impl House {
    /// The code of a command whose output and notes nobody reads.
    fn code_unread(&self, arguments: &[&str]) -> i32 {
        let (reads, writes) = std::io::pipe().expect("a pipe");
        drop(reads);
        let mut command = self.command(arguments);
        command.stdout(writes.try_clone().expect("a pipe")).stderr(writes);
        command.status().expect("it starts").code().unwrap_or(-1)
    }
}

#[test]
fn a_command_that_is_waited_for_prints_as_if_it_had_run_here() {
    let house = House::open();
    let ended = house.job(&[
        "add",
        "command",
        "--wait",
        "--",
        "sh",
        "-c",
        "echo out $0; echo err >&2; pwd",
        "x y",
    ]);
    let here = house.folder.path().canonicalize().expect("it is there");
    assert_eq!(
        (ended.code, ended.stdout),
        (0, format!("out x y\n{}\n", here.display()))
    );
    assert_eq!(ended.stderr, "err\n");
}

#[test]
fn exit_codes_tell_succeeded_failed_cancelled_and_pending_apart() {
    let house = House::open();
    let failed = house.job(&["add", "command", "--max-attempts", "1", "--wait", "--", "false"]);
    assert_eq!(failed.code, 1, "{failed:?}");
    assert!(failed.stderr.contains("exit code 1"), "{failed:?}");

    let pending = house.job(&[
        "add",
        "command",
        "--wait=10ms",
        "--unique-key",
        "k",
        "--",
        "sleep",
        "600",
    ]);
    assert_eq!(pending.code, 75, "{pending:?}");
    let listed = house.json(&["list", "--key", "k", "--json"]);
    let id = listed["id"].as_str().expect("an id");
    assert_eq!(house.job(&["wait", id, "--timeout", "10ms"]).code, 75);
    assert_eq!(house.job(&["cancel", id, "--reason", "enough"]).code, 0);
    let cancelled = house.job(&["wait", id, "--timeout", "20s"]);
    assert_eq!(cancelled.code, 2, "{cancelled:?}");
    assert!(cancelled.stderr.contains("enough"), "{cancelled:?}");
}

#[test]
fn a_call_is_made_and_its_answer_printed() {
    let house = House::open();
    let url = format!("{}/healthz", house.address);
    let ended = house.job(&["add", "http", "GET", &url, "--wait"]);
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (0, "{\"status\":\"ok\"}\n"),
        "{}",
        ended.stderr
    );
}

#[test]
fn what_a_server_refuses_is_told_in_one_line_that_points_at_it() {
    let house = House::open();
    let cases: [(&[&str], i32, &str); 7] = [
        (&["add", "http", "GET", "ftp://example.com"], 64, "URL: "),
        (&["add", "mail", "--id", "17"], 64, "--id: "),
        (&["add", "ma il"], 64, "KIND: "),
        (&["list", "--state", "asleep"], 64, "--state: "),
        (&["show", "17"], 64, "UUID"),
        (&["show", "0199c1f0-5b7e-7c3e-9a0e-3f6d2f1c8a11"], 66, "0199c1f0"),
        (&["wait", "0199c1f0-5b7e-7c3e-9a0e-3f6d2f1c8a11"], 66, "0199c1f0"),
    ];
    for (arguments, code, said) in cases {
        let ended = house.job(arguments);
        assert_eq!(ended.code, code, "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains(said), "{arguments:?}: {ended:?}");
        assert_eq!(ended.stderr.lines().count(), 1, "{arguments:?}: {ended:?}");
    }
}

#[test]
fn wrong_usage_exits_64_before_anything_is_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    let cases: [&[&str]; 12] = [
        &["jobs"],
        &["job", "list", "--jsn"],
        &[
            "job",
            "add",
            "mail",
            "--on-conflict",
            "fight",
            "--unique-key",
            "k",
        ],
        &["job", "add", "http", "GET"],
        &["job", "add", "mail", "--in", "soon"],
        &["job", "add", "mail", "--in", "5m", "--at", "2026-12-01T09:00"],
        &["job", "add", "mail", "--priority", "10"],
        &["job", "add", "mail", "--payload", "{"],
        &["job", "add", "command"],
        &[
            "job",
            "add",
            "http",
            "GET",
            "http://a/",
            "--header",
            "a: 1",
            "--header",
            "a: 2",
        ],
        &[
            "job", "add", "command", "--env", "A=1", "--env", "A=2", "--", "env",
        ],
        &["job", "list", "--server", "nowhere"],
    ];
    for arguments in cases {
        let ended = Ended::of(
            punctual(folder.path())
                .args(arguments)
                .output()
                .expect("it starts"),
        );
        assert_eq!(ended.code, 64, "{arguments:?}: {ended:?}");
        assert!(ended.stderr.starts_with("punctual: "), "{arguments:?}: {ended:?}");
        assert_eq!(ended.stderr.lines().count(), 1, "{arguments:?}: {ended:?}");
    }
}

#[test]
fn a_slip_on_the_command_line_is_told_in_one_line_with_what_was_meant() {
    let folder = tempfile::tempdir().expect("a folder");
    let cases: [(&[&str], &str); 4] = [
        (
            &["job", "list", "--jsn"],
            "unexpected argument '--jsn' found; a similar argument exists: '--json'; see --help",
        ),
        (
            &["job", "add", "http"],
            "the following required arguments were not provided: <METHOD> <URL>; see --help",
        ),
        (
            &[
                "job",
                "add",
                "mail",
                "--unique-key",
                "k",
                "--on-conflict",
                "debouce",
            ],
            "invalid value 'debouce' for '--on-conflict <WHAT>' [possible values: existing, reject, replace, debounce]; \
             a similar value exists: 'debounce'; see --help",
        ),
        (
            &["job", "list", "--limit", "a\n\nUsage: \u{1b}[2J"],
            "invalid value 'a; see --help",
        ),
    ];
    for (arguments, told) in cases {
        let ended = Ended::of(
            punctual(folder.path())
                .args(arguments)
                .output()
                .expect("it starts"),
        );
        assert_eq!((ended.code, ended.stderr), (64, format!("punctual: {told}\n")));
    }
}

#[test]
fn a_command_that_names_nothing_to_do_shows_its_help() {
    let folder = tempfile::tempdir().expect("a folder");
    for arguments in [&[][..], &["job"]] {
        let ended = Ended::of(
            punctual(folder.path())
                .args(arguments)
                .output()
                .expect("it starts"),
        );
        assert_eq!(ended.code, 64, "{ended:?}");
        assert!(ended.stderr.contains("Commands:"), "{ended:?}");
    }
}

#[test]
fn a_server_that_is_not_there_exits_69_and_says_how_to_start_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let nobody = ["job", "list", "--server", "http://127.0.0.1:1"];
    let ended = Ended::of(punctual(folder.path()).args(nobody).output().expect("it starts"));
    assert_eq!(ended.code, 69, "{ended:?}");
    assert!(
        ended.stderr.contains("http://127.0.0.1:1") && ended.stderr.contains("punctual serve --dev"),
        "{ended:?}"
    );
    // One that is elsewhere is not started here.
    let elsewhere = ["job", "list", "--server", "http://nowhere.invalid:7373"];
    let ended = Ended::of(
        punctual(folder.path())
            .args(elsewhere)
            .output()
            .expect("it starts"),
    );
    assert_eq!(ended.code, 69, "{ended:?}");
    assert!(
        ended.stderr.contains("--server") && !ended.stderr.contains("serve --dev"),
        "{ended:?}"
    );
}

#[test]
fn a_connection_that_breaks_off_is_tried_once_more_and_adds_one_job() {
    let house = House::open();
    let gate = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let through = format!("http://{}", gate.local_addr().expect("its address"));
    let server = house.address.trim_start_matches("http://").to_owned();
    let gate = std::thread::spawn(move || {
        // The first answer is lost, and the second one comes through.
        let (client, _) = gate.accept().expect("it asks");
        pass_on(&client, &server);
        drop(client);
        let (mut client, _) = gate.accept().expect("it asks again");
        let answer = pass_on(&client, &server);
        client.write_all(&answer).expect("it listens");
    });
    let added = house.job(&["add", "mail", "--in", "1h", "--server", &through]);
    assert_eq!(added.code, 0, "{added:?}");
    gate.join().expect("it was asked twice");
    let listed = house.job(&["list", "--json"]).stdout;
    assert_eq!(listed.lines().count(), 1, "{listed}");
}

/// Passes one request on, and gives the first piece of its answer.
fn pass_on(mut client: &TcpStream, server: &str) -> Vec<u8> {
    let mut server = TcpStream::connect(server).expect("it listens");
    let mut piece = vec![0; 64 * 1024];
    let mut request = Vec::new();
    while !request.ends_with(b"}") {
        let read = client.read(&mut piece).expect("it asks");
        request.extend_from_slice(&piece[..read]);
    }
    server.write_all(&request).expect("it reads");
    let read = server.read(&mut piece).expect("it answers");
    piece.truncate(read);
    piece
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let house = House::open();
    for n in 0..20 {
        assert_eq!(
            house
                .job(&["add", "mail", "--payload", &n.to_string(), "--in", "1h"])
                .code,
            0
        );
    }
    let mut list = house.command(&["list", "--json"]);
    let mut list = list
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    drop(list.stdout.take());
    let ended = Ended::of(list.wait_with_output().expect("it ends"));
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
}

#[test]
fn an_output_that_cannot_be_written_is_a_failure_and_said_so() {
    let house = House::open();
    let full = || {
        std::fs::File::options()
            .write(true)
            .open("/dev/full")
            .expect("Linux has it")
    };
    assert_eq!(house.job(&["add", "mail", "--in", "1h"]).code, 0);
    for arguments in [&["list"][..], &["list", "--json"]] {
        let ended = house
            .command(arguments)
            .stdout(full())
            .output()
            .expect("it starts");
        let ended = Ended::of(ended);
        assert_eq!(ended.code, 74, "{ended:?}");
        assert_eq!(
            ended.stderr,
            "punctual: the output cannot be written: no space left on device\n"
        );
    }
}

#[test]
fn a_reader_that_goes_away_loses_neither_the_job_nor_how_it_ended() {
    let house = House::open();
    let added = house.code_unread(&["add", "mail", "--tag", "unread", "--at", "2099-01-01T00:00"]);
    assert_eq!(added, 0);
    assert_eq!(house.json(&["list", "--tag", "unread", "--json"])["kind"], "mail");

    for script in ["echo out; echo err >&2; exit 3", "exit 3"] {
        let failed = [&ONCE[..], &[script]].concat();
        assert_eq!(house.code_unread(&failed), 1, "{script}");
    }
    let failed = house.sh("exit 3");
    house.job(&["cancel", &failed]);
    let told = house.job(&["wait", &failed]).code;
    assert_eq!(house.code_unread(&["wait", &failed]), told);
    assert_eq!(house.code_unread(&["wait", &failed, "--json"]), told);
    house.sh("touch begun; sleep 600");
    house.wait_for_file("begun");
    let refused = house.code_unread(&["delete", "--state", "running", "--yes"]);
    assert_eq!(refused, 65, "a job that runs cannot be deleted");
}

#[test]
fn an_error_of_several_lines_is_shown_whole_and_in_order() {
    let house = House::open();
    house.job(&[&ONCE[..], &["printf 'one\\n\\ttwo\\n' >&2; exit 3"]].concat());
    let listed = house.json(&["list", "--json"]);
    let shown = house.job(&["show", listed["id"].as_str().expect("an id")]).stdout;
    assert!(
        shown.contains("failure     exhausted: attempt 1 of 1: exit code 3: one\n             two\n"),
        "{shown}"
    );
    assert!(shown.ends_with("failed   exit code 3: one  two\n"), "{shown}");
}

#[test]
fn lists_are_one_line_an_item_for_scripts_and_columns_for_people() {
    let house = House::open();
    for tag in ["a", "b", "a"] {
        assert_eq!(
            house
                .job(&["add", "mail", "--tag", tag, "--at", "2099-12-01T09:00"])
                .code,
            0
        );
    }
    let lines = house.job(&["list", "--tag", "a", "--json"]).stdout;
    assert_eq!(lines.lines().count(), 2);
    for line in lines.lines() {
        let job: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(job["phase"], "scheduled");
    }
    let cut = house.job(&["list", "--limit", "2", "--json"]);
    assert_eq!(cut.stdout.lines().count(), 2, "{cut:?}");
    assert!(cut.stderr.contains("more than these 2"), "{cut:?}");
    let columns = house.job(&["list", "--limit", "2"]);
    assert_eq!(columns.stdout.lines().count(), 3, "{columns:?}");
    assert!(columns.stdout.contains("2099-12-01 09:00:00 UTC"), "{columns:?}");
    assert!(columns.stderr.contains("--limit"), "{columns:?}");
    assert!(!columns.stdout.contains('\u{1b}'), "no colours into a pipe");
}

#[test]
fn a_list_shows_what_runs_then_what_is_due_next_then_what_ended_last() {
    let house = House::open();
    let first = house.sh("true");
    assert_eq!(house.job(&["wait", &first]).code, 0);
    let second = house.sh("true");
    assert_eq!(house.job(&["wait", &second]).code, 0);
    let add = |when: &str| house.json(&["add", "mail", "--json", "--in", when])["id"].clone();
    let (later, soon) = (add("2h"), add("1h"));
    let running = house.sh("touch begun; sleep 600");
    house.wait_for_file("begun");

    let columns = house.job(&["list"]).stdout;
    let ids: Vec<&str> = columns
        .lines()
        .skip(1)
        .filter_map(|line| line.split(' ').next())
        .collect();
    let due = [&soon, &later].map(|id| id.as_str().expect("an id"));
    assert_eq!(ids, [&running, due[0], due[1], &second, &first], "{columns}");

    let ended = house.job(&["list", "--state", "ended", "--json"]).stdout;
    assert_eq!(ended.lines().count(), 2, "{ended}");
    let short = house.job(&["list", "--limit", "3"]);
    let states = ["running", "scheduled", "succeeded"];
    let shown = short.stdout.lines().skip(1).zip(states);
    assert!(
        shown.clone().count() == 3 && shown.clone().all(|(line, state)| line.contains(state)),
        "{short:?}"
    );
    assert!(short.stderr.contains("--limit"), "{short:?}");
}

#[test]
fn a_second_job_of_one_key_answers_the_first() {
    let house = House::open();
    let add = [
        "add",
        "mail",
        "--payload",
        r#"{"user": 7}"#,
        "--unique-key",
        "welcome:7",
        "--in",
        "1h",
    ];
    assert!(house.job(&add).stdout.contains("is scheduled in queue default"));
    let again = house.job(&add);
    assert!(again.stdout.contains("nothing was added"), "{again:?}");
    let later = &["--at", "2099-12-01T09:00:00Z", "--on-conflict"];
    for (word, told) in [("replace", "new payload and time"), ("debounce", "new time")] {
        let changed = house.job(&[&add[..6], later, &[word]].concat()).stdout;
        assert!(
            changed.contains(told) && changed.contains("2099-12-01 09:00:00"),
            "{changed}"
        );
        assert!(!changed.contains("nothing"), "{changed}");
    }
    assert_eq!(
        house.job(&[&add[..], &["--on-conflict", "reject"]].concat()).code,
        65
    );
    let shown = house.json(&[&add[..], &["--json"]].concat());
    assert_eq!(
        (&shown["deduplicated"], &shown["payload"]["user"]),
        (&true.into(), &7.into())
    );
}

#[test]
fn how_a_job_is_tried_is_said_as_it_is_added_and_as_it_is_edited() {
    let house = House::open();
    let tried = [
        "--backoff",
        "list:1s, 1m",
        "--max-elapsed",
        "1d",
        "--on-lost",
        "fail",
        "--timeout",
        "90s",
        "--max-attempts",
        "3",
        "--json",
    ];
    let job = house.json(&[&["add", "mail", "--in", "1h"], &tried[..]].concat());
    assert_eq!(job["backoff"]["delays"], serde_json::json!(["1s", "1m"]));
    let told = ["max_elapsed", "on_lost", "timeout"].map(|field| job[field].as_str().expect("text"));
    assert_eq!(told, ["1d", "fail", "1m30s"]);

    let id = job["id"].as_str().expect("an id");
    for (given, shown) in [
        ("fixed:0", serde_json::json!({"type": "fixed", "delay": "0"})),
        (
            "exponential:2s,1.5,1m",
            serde_json::json!({"type": "exponential", "base": "2s", "factor": 1.5, "max": "1m"}),
        ),
    ] {
        let edited = house.json(&["edit", id, "--backoff", given, "--on-lost", "retry", "--json"]);
        assert_eq!(
            (&edited["backoff"], &edited["on_lost"]),
            (&shown, &"retry".into())
        );
    }
    for wrong in ["10s", "fixed:1s,2s", "exponential:1s", "list:", "fixed:soon"] {
        let refused = house.job(&["edit", id, "--backoff", wrong]);
        assert_eq!(
            (refused.code, refused.stderr.lines().count()),
            (64, 1),
            "{refused:?}"
        );
    }
}

#[test]
fn a_payload_may_come_from_a_file() {
    let house = House::open();
    std::fs::write(house.folder.path().join("payload.json"), "{\"n\": 1}\n").expect("it is ours");
    let job = house.json(&["add", "mail", "--payload", "@payload.json", "--json"]);
    assert_eq!(job["payload"]["n"], 1);
    let missing = house.job(&["add", "mail", "--payload", "@nothing.json"]);
    assert_eq!(missing.code, 64);
    assert!(missing.stderr.contains("nothing.json"), "{missing:?}");
}

#[test]
fn a_password_in_the_address_of_the_server_is_refused_and_not_told_back() {
    let folder = tempfile::tempdir().expect("a folder");
    for server in [
        "http://user:hunter2@127.0.0.1:1",
        "user:hunter2@localhost",
        "https://hunter2@x/y",
    ] {
        let list = ["job", "list", "--server", server];
        let ended = Ended::of(punctual(folder.path()).args(list).output().expect("it starts"));
        assert_eq!(ended.code, 64, "{ended:?}");
        assert!(!ended.stderr.contains("hunter2"), "{ended:?}");
    }
}
