//! `punctual api` and `runner` as processes of their own, and what a running one does when it is told to read its settings anew.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;

use serde_json::{Value, json};

use crate::house::{Ended, punctual};
use crate::outside::process::Process;
use crate::outside::server::{Place, alive, request, shell, steady_port, until};

const RUNNER: [&str; 7] = [
    "runner",
    "--lease",
    "2s",
    "--concurrency",
    "2",
    "--allow-command",
    "sh",
];

fn ended(address: &str, id: &str) -> Value {
    until("the job has ended", || {
        let job = request(address, "GET", &format!("/v1/jobs/{id}"), None).json();
        let live = ["waiting", "running"].contains(&job["state"].as_str()?);
        (!live).then_some(job)
    })
}

fn add(address: &str, job: &Value) -> String {
    let reply = request(address, "POST", "/v1/jobs", Some(&job.to_string()));
    assert_eq!(reply.status, 201, "{}", reply.body);
    reply.json()["id"].as_str().expect("an id").to_owned()
}

#[test]
fn an_api_and_two_runners_share_the_jobs_of_one_file_and_one_of_them_may_be_killed() {
    share_and_kill_one(&[], |place, _, name| Process::start(place, name, &RUNNER));
}

#[test]
fn an_api_and_two_runners_share_the_jobs_of_a_redis_and_one_of_them_may_be_killed() {
    let Some(url) = crate::house::namespace("redis") else {
        return;
    };
    let store = ["--store", &url];
    let near: Vec<&str> = RUNNER.into_iter().chain(store).collect();
    share_and_kill_one(&store, |place, _, name| Process::start(place, name, &near));
}

#[test]
fn far_runners_share_the_jobs_of_a_server_and_one_of_them_may_be_killed() {
    share_and_kill_one(&[], |place, address, name| {
        let server = format!("http://{address}");
        let far: Vec<&str> = RUNNER.iter().copied().chain(["--server", &server]).collect();
        Process::start(place, name, &far)
    });
}

fn share_and_kill_one(store: &[&str], runner: impl Fn(&Place, &str, &str) -> Process) {
    let place = Place::new();
    let mut api = Process::start(
        &place,
        "api",
        &[&["api", "--bind", "127.0.0.1:0"], store].concat(),
    );
    let address = api.address();
    let mut first = runner(&place, &address, "first");
    let mut second = runner(&place, &address, "second");
    let script = "echo $$ >> began; while [ ! -e go ]; do sleep 0.02; done; echo $PUNCTUAL_JOB_ID >> log";
    let ids: Vec<String> = (0..16).map(|_| add(&address, &shell(script))).collect();
    // Two slots each: four have begun only if both runners take their part.
    until("both run what they can", || {
        (place.lines("began").len() == 4).then_some(())
    });
    first.kill();
    // What ran there ends with it, and so comes to its end elsewhere only.
    until("its commands are gone", || {
        let living = place.lines("began").iter().filter(|pid| alive(pid)).count();
        (living == 2).then_some(())
    });
    fs::write(place.path("go"), "").expect("the folder is there");
    for id in &ids {
        assert_eq!(ended(&address, id)["state"], "succeeded");
    }
    let mut log = place.lines("log");
    log.sort_unstable();
    let mut ids = ids;
    ids.sort_unstable();
    assert_eq!(log, ids, "each came to its end once");
    assert_eq!((second.terminate(), api.terminate()), (Some(0), Some(0)));
}

#[test]
fn whoever_waits_or_follows_goes_on_when_the_server_has_started_anew() {
    let place = Place::new();
    let address = format!("127.0.0.1:{}", steady_port());
    let mut api = Process::start(&place, "api", &["api", "--bind", &address]);
    let _runner = Process::start(&place, "runner", &RUNNER);
    let script = "echo one; while [ ! -e go ]; do sleep 0.02; done; echo two";
    let id = add(&address, &shell(script));
    let server = format!("http://{address}");
    let client = |name: &str, arguments: &[&str]| {
        let arguments = [&["job", "--server", &server], arguments].concat();
        Process::begin(&place, name, &arguments)
    };
    let mut follower = client("follower", &["output", "--follow", &id]);
    until("the first line is told", || {
        (follower.told() == "one\n").then_some(())
    });
    let mut waiter = client("waiter", &["wait", "--json", &id]);
    let mut adder = client(
        "adder",
        &["add", "command", "--json", "--wait", "--", "sh", "-c", script],
    );
    // What is answered at once is logged; what is then waited for is not.
    until("both wait", || {
        let log = api.logged();
        (log.contains("GET") && log.matches("POST").count() == 2).then_some(())
    });

    api.kill();
    for process in [&follower, &waiter, &adder] {
        until("it says that it tries again", || {
            process.logged().contains("trying again").then_some(())
        });
    }
    let _api = Process::start(&place, "api again", &["api", "--bind", &address]);
    fs::write(place.path("go"), "").expect("the folder is there");
    for process in [&mut follower, &mut waiter, &mut adder] {
        let code = process.child.wait().expect("it ends").code();
        assert_eq!(code, Some(0), "{}", process.logged());
        assert_eq!(process.logged().lines().count(), 1, "it is told once");
    }
    assert_eq!(follower.told(), "one\ntwo\n");
    for process in [&waiter, &adder] {
        assert!(process.told().contains("\"state\":\"succeeded\""));
    }
}

#[test]
fn a_process_that_does_only_its_part_refuses_a_store_that_nobody_shares() {
    let folder = tempfile::tempdir().expect("a folder");
    for role in ["api", "runner"] {
        let ended = Ended::of(
            punctual(folder.path())
                .args([role, "--store", "memory:"])
                .output()
                .expect("it starts"),
        );
        assert_eq!(ended.code, 64, "{ended:?}");
        assert!(ended.stderr.contains("punctual serve"), "{ended:?}");
    }
}

#[test]
fn a_hangup_reads_anew_what_can_change_and_says_what_needs_a_restart() {
    let place = Place::new();
    let set = |text: &str| fs::write(place.path("punctual.toml"), text).expect("the folder is there");
    set("runner.concurrency = 2\n");
    let mut server = Process::start(&place, "server", &["serve", "--bind", "127.0.0.1:0"]);
    let address = server.address();
    let refused = ended(&address, &add(&address, &shell("echo hello")));
    assert_eq!(refused["state"], "failed", "{refused}");

    set("runner.concurrency = 3\ntargets.command.allow = [\"sh\"]\nlog.level = \"debug\"\n");
    server.reload("changed: log.level, targets.command.allow");
    server.reload("need a restart to take effect: runner.concurrency");
    let allowed = ended(&address, &add(&address, &shell("echo hello")));
    assert_eq!(allowed["state"], "succeeded", "{allowed}");

    set("targets.command.allow = []\nlog.levle = \"debug\"\n");
    server.reload("stay as they were: punctual.toml:2: there is no setting log.levle");
    let still = ended(&address, &add(&address, &shell("echo hello")));
    assert_eq!(still["state"], "succeeded", "{still}");
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn logs_are_one_json_document_a_line_if_asked_for() {
    let place = Place::new();
    let flags = [
        "serve",
        "--bind",
        "127.0.0.1:0",
        "--log-format",
        "json",
        "--log-level",
        "warn,punctual=info",
    ];
    let mut server = Process::start(&place, "server", &flags);
    server.reload("nothing changed");
    assert_eq!(server.terminate(), Some(0));
    let logged = server.logged();
    assert!(!logged.is_empty());
    for line in logged.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(
            line["level"].is_string() && line["message"].is_string() && line["timestamp"].is_string(),
            "{line}"
        );
    }
}

/// Takes one request, answers it, and gives its head.
fn take_one(listener: &TcpListener) -> String {
    let (mut stream, _) = listener.accept().expect("a call comes");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("the head comes whole");
        head.push(byte[0]);
    }
    let answer = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
    stream.write_all(answer).expect("it is read");
    String::from_utf8(head).expect("text").to_lowercase()
}

#[test]
fn a_secret_goes_out_by_its_name_and_another_one_takes_its_place_at_a_hangup() {
    let place = Place::new();
    fs::write(place.path("punctual.toml"), "secrets.billing_file = \"key\"\n").expect("the folder is there");
    fs::write(place.path("key"), "first\n").expect("the folder is there");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let url = format!("http://{}/", listener.local_addr().expect("it listens"));
    let flags = ["serve", "--bind", "127.0.0.1:0", "--allow-net", "127.0.0.1"];
    let server = Process::start(&place, "server", &flags);
    let address = server.address();
    let auth = json!({"bearer": {"secret": "billing"}});
    let call = json!({"kind": "http", "payload": {"method": "GET", "url": url, "auth": auth}});
    add(&address, &call);
    assert!(take_one(&listener).contains("authorization: bearer first\r\n"));

    fs::write(place.path("key"), "second\n").expect("the folder is there");
    server.reload("changed: secrets.billing");
    add(&address, &call);
    assert!(take_one(&listener).contains("authorization: bearer second\r\n"));
}
