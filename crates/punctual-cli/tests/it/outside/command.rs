//! Commands end with all that they started.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use super::server::{Place, alive, shell, signal, until};

/// An argument of `sleep` by which the processes of one test are found, whatever else they have shed.
fn mark(test: u32) -> String {
    format!("9000.{}{test:02}", std::process::id())
}

/// The processes that sleep so.
fn sleepers(mark: &str) -> BTreeSet<String> {
    let processes = fs::read_dir("/proc").expect("/proc").filter_map(Result::ok);
    let sleepers = processes.filter(|process| {
        let arguments = fs::read(process.path().join("cmdline")).unwrap_or_default();
        arguments == format!("sleep\0{mark}\0").as_bytes()
    });
    sleepers
        .map(|process| process.file_name().to_string_lossy().into_owned())
        .collect()
}

/// A script that starts processes which shed at once all that they could be known by (group, session, environment, and parent,
/// twice over), ignore SIGTERM and hold the output; it ignores SIGTERM itself from then on.
fn runaways(place: &Place, mark: &str) -> String {
    let last = format!("last-{mark}");
    fs::write(place.path(&last), format!("trap '' TERM; sleep {mark}; :")).expect("the folder is writable");
    let first = format!("first-{mark}");
    let twice = format!("setsid env -i sh {last} & ").repeat(RUNAWAYS);
    fs::write(place.path(&first), twice).expect("the folder is writable");
    format!("setsid env -i sh {first} & trap '' TERM")
}

/// How many processes they are.
const RUNAWAYS: usize = 2;

fn sleeping(mark: &str) -> BTreeSet<String> {
    until("the runaways sleep", || {
        let found = sleepers(mark);
        (found.len() == RUNAWAYS).then_some(found)
    })
}

fn once(script: &str) -> Value {
    let mut job = shell(script);
    job["max_attempts"] = json!(1);
    job
}

#[test]
fn a_command_that_ignores_sigterm_is_gone_with_its_grandchildren_after_timeout_and_grace() {
    let place = Place::new();
    let server = place.serve(&[]);
    let pids = place.path("pids");
    let pids = pids.display();
    // A child in the group, a grandchild, and one that left the group with a session of its own.
    let script = format!(
        "trap '' TERM; echo $$ >> {pids}
         sh -c 'trap \"\" TERM; echo $$ >> {pids}; sh -c \"echo \\$\\$ >> {pids}; exec sleep 600\"; sleep 600' &
         setsid sh -c 'trap \"\" TERM; echo $$ >> {pids}; exec sleep 600' &
         sleep 600; wait"
    );
    let mut job = shell(&script);
    job["timeout"] = json!("1s");
    job["max_attempts"] = json!(1);
    let id = server.enqueue(&job);
    let started = until("all four have started", || {
        let started = place.lines("pids");
        (started.len() == 4).then_some(started)
    });

    let job = server.ended(&id);

    assert_eq!(job["state"], "failed", "{job}");
    assert_eq!(job["failure"]["reason"], "exhausted", "{job}");
    until("every process is gone", || {
        started.iter().all(|pid| !alive(pid)).then_some(())
    });
}

#[test]
fn a_process_that_shed_parent_session_and_environment_is_gone_after_timeout_and_grace() {
    let place = Place::new();
    let server = place.serve(&[]);
    let mark = mark(1);
    let mut job = once(&format!("{}; sleep 600", runaways(&place, &mark)));
    job["timeout"] = json!("1s");
    let id = server.enqueue(&job);
    sleeping(&mark);

    let job = server.ended(&id);

    assert_eq!(sleepers(&mark), BTreeSet::new(), "{job}");
    assert_eq!(job["failure"]["reason"], "exhausted", "{job}");
    let said = job["failure"]["message"].as_str().unwrap_or_default();
    assert!(said.contains("ended with signal 9 (SIGKILL)"), "{job}");
}

#[test]
fn a_process_that_shed_parent_session_and_environment_is_gone_after_a_cancel() {
    let place = Place::new();
    let server = place.serve(&[]);
    let mark = mark(2);
    let id = server.enqueue(&once(&format!("{}; sleep 600", runaways(&place, &mark))));
    sleeping(&mark);
    server.post(&format!("/v1/jobs/{id}/cancel"), &json!({}));

    let job = server.ended(&id);

    assert_eq!(sleepers(&mark), BTreeSet::new(), "{job}");
    assert_eq!(job["state"], "cancelled", "{job}");
}

#[test]
fn a_process_that_shed_parent_session_and_environment_is_gone_when_its_command_ends() {
    let place = Place::new();
    let server = place.serve(&[]);
    let mark = mark(3);
    // Beside one that ends at once, one that ends only after they have come to be.
    let early = server.enqueue(&once(&format!("{}; echo early", runaways(&place, &mark))));
    let ready = place.path("ready");
    let late = format!(
        "{}; while [ ! -e {} ]; do sleep 0.02; done; echo late",
        runaways(&place, &format!("{mark}5")),
        ready.display()
    );
    let late = server.enqueue(&once(&late));
    sleeping(&format!("{mark}5"));
    fs::write(ready, "").expect("the folder is writable");

    for (id, said) in [(early, "early\n"), (late, "late\n")] {
        let job = server.ended(&id);
        assert_eq!(job["result"]["stdout"], said, "{job}");
    }
    assert_eq!(sleepers(&mark), BTreeSet::new());
    assert_eq!(sleepers(&format!("{mark}5")), BTreeSet::new());
}

#[test]
fn a_command_ends_as_it_would_without_anybody_between() {
    let place = Place::new();
    let server = place.serve(&[]);
    let broken = place.path("broken");
    fs::write(&broken, "\u{7f}no program").expect("the folder is writable");
    fs::set_permissions(&broken, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let command = |payload: Value| json!({"kind": "command", "payload": payload, "max_attempts": 1});
    for (job, said) in [
        (once("echo why >&2; exit 7"), "exit code 7: why"),
        (once("kill -SEGV $$"), "signal 11 (SIGSEGV)"),
        (command(json!({"program": "no-such-program"})), "no-such-program"),
        (
            command(json!({"program": "./broken"})),
            "broken was not started: Exec format error",
        ),
        (
            command(json!({"program": "true", "dir": "/no/such/folder"})),
            "no directory \"/no/such/folder\"",
        ),
    ] {
        let ended = server.ended(&server.enqueue(&job));
        let message = ended["failure"]["message"].as_str().unwrap_or_default();
        assert!(message.contains(said), "{said:?} is to be told: {ended}");
    }

    let input = "line\n".repeat(20_000);
    let job = command(json!({
        "program": "sh", "args": ["-c", "echo $0 $REGION $PUNCTUAL_ATTEMPT; pwd; wc -l; cat; echo err >&2", "a b"],
        "env": {"REGION": "eu"}, "dir": "/", "stdin": input,
    }));
    let ended = server.ended(&server.enqueue(&job));
    assert_eq!(ended["result"]["stdout"], "a b eu 1\n/\n20000\n", "{ended}");
    assert_eq!(ended["result"]["stderr"], "err\n", "{ended}");
}

#[test]
fn a_signal_to_all_processes_of_the_service_leaves_it_to_the_command_how_it_ends() {
    let place = Place::new();
    let server = place.serve(&[]);
    let script = "trap 'echo tidied; exit 0' TERM; echo $$ $PPID > pids; while :; do sleep 0.02; done";
    let id = server.enqueue(&once(script));
    let pids = until("the command has started", || place.lines("pids").first().cloned());
    let (command, supervisor) = pids.split_once(' ').expect("two numbers");

    for pid in [supervisor, command] {
        signal(pid.parse().expect("a number"), "TERM");
    }

    let job = server.ended(&id);
    assert_eq!(job["result"]["stdout"], "tidied\n", "{job}");
}

#[test]
fn a_command_whose_supervisor_is_killed_is_ended_and_tried_again() {
    let place = Place::new();
    let server = place.serve(&[]);
    let script = "echo $$ $PPID >> pids; [ $PUNCTUAL_ATTEMPT = 2 ] || exec sleep 600";
    let mut job = shell(script);
    job["backoff"] = json!({"type": "fixed", "delay": "0s"});
    let id = server.enqueue(&job);
    let pids = until("the command has started", || place.lines("pids").first().cloned());
    let (command, supervisor) = pids.split_once(' ').expect("two numbers");

    signal(supervisor.parse().expect("a number"), "KILL");

    let job = server.ended(&id);
    assert_eq!(job["state"], "succeeded", "{job}");
    assert_eq!(job["attempt"], 2, "{job}");
    assert!(!alive(command));
}

#[test]
fn commands_are_run_though_the_programs_file_was_replaced() {
    let place = Place::new();
    let binary = place.path("punctual");
    fs::copy(env!("CARGO_BIN_EXE_punctual"), &binary).expect("the folder is writable");
    let server = place.serve_by(&binary, &[]);
    fs::remove_file(&binary).expect("it is ours");
    fs::write(&binary, "the next version").expect("the folder is writable");

    let job = server.ended(&server.enqueue(&once("echo done")));

    assert_eq!(job["result"]["stdout"], "done\n", "{job}");
}

#[test]
fn a_server_that_is_killed_takes_its_commands_and_all_that_came_of_them_with_it() {
    let place = Place::new();
    let mut server = place.serve(&[]);
    let mark = mark(4);
    server.enqueue(&once(&format!(
        "{}; echo $$ > {}; sleep 600",
        runaways(&place, &mark),
        place.path("pid").display()
    )));
    sleeping(&mark);
    let pid = until("the command has started", || place.lines("pid").first().cloned());
    server.kill();

    until("everything is gone", || {
        (sleepers(&mark).is_empty() && !alive(&pid)).then_some(())
    });
}
