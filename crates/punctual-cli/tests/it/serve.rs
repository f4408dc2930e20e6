//! `punctual serve`.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use crate::house::{Beside, Ended, House, NOTHING_BESIDE, punctual, wait_until};

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
    house.wait_for_file("begun");
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
        (&["--bind", "0.0.0.0:0"], 64, "loopback"),
        (&["--bind", "127.0.0.1:0", "--store", "mysql://x"], 64, "mysql"),
        (
            &["--bind", "127.0.0.1:0", "--store", "sqlite:no/such/folder.db"],
            69,
            "no/such/folder.db",
        ),
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
    let left = std::fs::read_dir(folder.path()).expect("it is there").count();
    assert_eq!(left, 0, "no database was made");
}

/// An address that somebody listens on.
fn taken() -> (TcpListener, String) {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it listens").to_string();
    (taken, address)
}

#[test]
fn an_address_that_is_taken_leaves_no_database_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_taken, address) = taken();
    for role in ["serve", "api"] {
        let mut serve = punctual(folder.path());
        serve.args([role, "--bind", &address, "--store", "sqlite:new.db"]);
        let ended = Ended::of(serve.output().expect("it starts"));
        assert_eq!(ended.code, 69, "{ended:?}");
        let told =
            format!("cannot listen on {address}: address already in use; --bind names another address\n");
        assert!(ended.stderr.ends_with(&told), "{ended:?}");
        assert!(!folder.path().join("new.db").exists(), "{role}");
    }
}

#[test]
fn a_variable_that_is_empty_is_not_set() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut serve = punctual(folder.path());
    for name in [
        "PUNCTUAL_TARGETS__COMMAND__ALLOW",
        "PUNCTUAL_RUNNER__QUEUES",
        "PUNCTUAL_STORE",
    ] {
        serve.env(name, "");
    }
    // With every variable taken for unset, that the address is taken is all that is wrong.
    let (_taken, address) = taken();
    let serve = serve.args(["serve", "--dev", "--bind", &address]);
    let ended = Ended::of(serve.output().expect("it starts"));
    assert_eq!(ended.code, 69, "{ended:?}");
}

#[test]
fn a_variable_that_no_server_knows_is_refused_and_the_nearest_one_named() {
    let folder = tempfile::tempdir().expect("a folder");
    // With nothing wrong but that its address is taken, it says so.
    let (_taken, address) = taken();
    let serve = |name: &str| {
        let mut serve = punctual(folder.path());
        serve.args(["serve", "--bind", &address]).env(name, "info");
        Ended::of(serve.output().expect("it starts"))
    };
    for (misspelt, nearest) in [
        ("PUNCTUAL_RUNNER_CONCURRENCY", "PUNCTUAL_RUNNER__CONCURRENCY"),
        ("PUNCTUAL_STOER", "PUNCTUAL_STORE"),
        ("PUNCTUAL_LOG__LEVLE", "PUNCTUAL_LOG__LEVEL"),
        ("PUNCTUAL_RETENTION__SUCCESS", "PUNCTUAL_RETENTION__SUCCEEDED"),
    ] {
        let ended = serve(misspelt);
        assert_eq!(ended.code, 64, "{ended:?}");
        assert!(
            ended.stderr.contains(misspelt) && ended.stderr.contains(nearest),
            "{ended:?}"
        );
    }
    for other in [
        "PUNCTUAL_LOG__LEVEL",
        "PUNCTUAL_SERVER",
        "PUNCTUAL_KEY",
        "PUNCTUAL_TEST_BLESS",
        "PUNCTUAL_JOB_ID",
    ] {
        assert_eq!(serve(other).code, 69, "{other}");
    }
}

#[test]
fn a_hangup_is_no_reason_to_stop_even_where_nobody_reads_the_logs() {
    let mut house = House::open();
    for _ in 0..2 {
        house.send("HUP");
    }
    let ended = house.job(&["add", "command", "--wait=20s", "--", "echo", "alive"]);
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (0, "alive\n"),
        "{}",
        ended.stderr
    );
    assert_eq!(house.terminate(), Some(0));
}

/// Runs one command at a time, and reserves one more.
const ONE_BY_ONE: Beside = Beside {
    arguments: &["--concurrency", "1", "--prefetch", "1"],
    ..NOTHING_BESIDE
};

#[test]
fn a_soft_stop_waits_for_what_runs_and_puts_back_what_has_not_begun() {
    let mut house = House::with(ONE_BY_ONE);
    let first = house.sh("touch begun; while [ ! -e go ]; do sleep 0.02; done; echo first >> log");
    house.wait_for_file("begun");
    let second = house.sh("echo second >> log");
    wait_until("the second one is reserved", || house.state(&second) == "running");
    house.begin_to_terminate();
    house.write("go");
    assert_eq!(house.exit_code(), Some(0));
    assert_eq!(house.read("log"), "first\n", "the second one has not begun");

    house.restart();
    for id in [first, second] {
        let ended = house.job(&["wait", &id, "--timeout", "20s"]);
        assert_eq!(ended.code, 0, "{ended:?}");
        assert_eq!(house.json(&["show", &id, "--json"])["attempt"], 1);
    }
    assert_eq!(house.read("log"), "first\nsecond\n");
}

#[test]
fn a_second_signal_stops_at_once_and_everything_ends_after_a_restart() {
    let mut house = House::with(ONE_BY_ONE);
    let first = house.sh("touch begun; [ -e go ] || sleep 600; echo first >> log");
    house.wait_for_file("begun");
    let second = house.sh("echo second >> log");
    house.begin_to_terminate();
    assert_eq!(house.insist(), Some(143), "as its page says");
    assert!(
        !house.folder.path().join("log").exists(),
        "nothing came to its end"
    );

    house.write("go");
    house.restart();
    for id in [first, second] {
        let ended = house.job(&["wait", &id, "--timeout", "20s"]);
        assert_eq!(ended.code, 0, "{ended:?}");
        let job = house.json(&["show", &id, "--json"]);
        assert_eq!(job["attempt"], 1, "it was put back, not lost: {job}");
    }
    let log = house.read("log");
    let mut lines: Vec<_> = log.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["first", "second"]);
}

#[test]
fn signals_that_come_together_are_one_wish_and_what_runs_comes_to_its_end() {
    let mut house = House::open();
    let id = house.sh("touch begun; while [ ! -e go ]; do sleep 0.02; done; echo ended >> log");
    house.wait_for_file("begun");
    // Stopped, it hears both at the moment at which it goes on.
    for signal in ["STOP", "TERM", "INT", "CONT"] {
        house.send(signal);
    }
    house.wait_until_deaf();
    house.write("go");
    assert_eq!(house.exit_code(), Some(0));
    assert_eq!(house.read("log"), "ended\n");
    house.restart();
    assert_eq!(house.json(&["show", &id, "--json"])["state"], "succeeded");
}

/// The system's look-up of a name without dots begins with this file. Nobody writes to it, so that it never ends.
const LOOK_UPS_HANG: Beside = Beside {
    variables: &[("HOSTALIASES", "aliases")],
    ..NOTHING_BESIDE
};

#[test]
fn a_second_signal_stops_at_once_while_a_look_up_of_a_name_hangs() {
    let mut house = House::with(LOOK_UPS_HANG);
    let made = Command::new("mkfifo")
        .arg(house.folder.path().join("aliases"))
        .status();
    assert!(made.expect("mkfifo is there").success());
    let call = [
        "add",
        "http",
        "GET",
        "http://nobody/",
        "--timeout",
        "1h",
        "--print-json",
    ];
    let id = house.json(&call)["id"].as_str().expect("an id").to_owned();
    wait_until("it is looked up", || house.state(&id) == "running");
    house.begin_to_terminate();
    assert_eq!(house.insist(), Some(143));
}

#[test]
fn a_crowd_beyond_the_soft_limit_of_open_files_is_served_and_commands_get_that_limit() {
    let house = House::with(Beside {
        files: Some(64),
        ..NOTHING_BESIDE
    });
    let address = house.address.trim_start_matches("http://");
    let crowd: Vec<_> = (0..100).map(|_| ask_alive(address)).collect();
    assert!(crowd.iter().all(|(_, answer)| answer.starts_with("HTTP/1.1 200")));
    let limits = "ulimit -Sn; ulimit -Hn";
    let told = house.job(&["add", "command", "--wait=20s", "--", "sh", "-c", limits]);
    let here = Command::new("sh")
        .args(["-c", &format!("ulimit -Sn 64; {limits}")])
        .output()
        .expect("sh is there");
    assert_eq!(told.stdout.as_bytes(), here.stdout, "{told:?}");
}

/// A connection on which the server has answered, and that stays open.
fn ask_alive(address: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("a deadline");
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .expect("it reads");
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).expect("it answers");
    (stream, String::from_utf8_lossy(&answer).into_owned())
}
