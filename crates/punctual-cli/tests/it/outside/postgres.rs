//! Several processes on one PostgreSQL: what one is told, the others know; what is killed or restarted, loses nothing.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::server::{Place, Server, shell, until};

/// A PostgreSQL of a test's own. It is stopped when it is dropped.
struct Postgres {
    place: Place,
    url: String,
}

impl Postgres {
    /// Starts one; none if the run was asked to leave out what needs it.
    fn start() -> Option<Postgres> {
        let without = std::env::var("PUNCTUAL_TEST_WITHOUT").unwrap_or_default();
        if without.split_whitespace().any(|server| server == "postgres") {
            return None;
        }
        let place = Place::new();
        // It runs as another user where the tests run as root.
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(place.path("."), open).expect("the folder is ours");
        let url = control(&place, "start");
        Some(Postgres { place, url })
    }

    /// Stops it as a crash would, and starts it again.
    fn restart(&self) {
        control(&self.place, "restart");
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        control(&self.place, "stop");
    }
}

fn control(place: &Place, action: &str) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/servers/postgres");
    let done = Command::new(script)
        .arg(action)
        .arg(place.path("postgres"))
        .output();
    let done = done.expect("the script runs");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "PostgreSQL does not {action}: {said}");
    String::from_utf8_lossy(&done.stdout).trim().to_owned()
}

fn serve(place: &Place, postgres: &Postgres, arguments: &[&str]) -> Server {
    let arguments = [&["--store", &postgres.url], arguments].concat();
    place.serve(&arguments)
}

#[test]
fn what_one_process_is_told_the_others_on_its_database_know() {
    let Some(postgres) = Postgres::start() else { return };
    let place = Place::new();
    let worker = serve(&place, &postgres, &["--queues", "command"]);
    let other = serve(&place, &postgres, &["--queues", "nobody-uses-this-one"]);
    assert!(
        worker.told().contains("postgres://punctual:***@127.0.0.1"),
        "{}",
        worker.told()
    );

    let answer = other.post("/v1/jobs?wait=30s", &shell("echo done by the worker"));
    assert_eq!(
        (answer.status, &answer.json()["state"]),
        (200, &"succeeded".into()),
        "{}",
        answer.body
    );

    let slow = other.enqueue(&shell(&format!(
        "echo $$ > {}; sleep 600",
        place.path("pid").display()
    )));
    let pid = until("the command runs", || place.lines("pid").pop());
    let cancelled = other.request("POST", &format!("/v1/jobs/{slow}/cancel"), Some("{}"));
    assert_eq!(cancelled.status, 200, "{}", cancelled.body);
    assert_eq!(other.ended(&slow)["state"], "cancelled");
    until("the command is gone", || {
        (!super::server::alive(&pid)).then_some(())
    });
}

#[test]
fn every_job_ends_once_though_a_process_is_killed_and_the_database_restarted() {
    const JOBS: usize = 300;
    let Some(postgres) = Postgres::start() else { return };
    let place = Place::new();
    let mut servers: Vec<Server> = (0..3)
        .map(|_| serve(&place, &postgres, &["--concurrency", "4", "--lease", "10s"]))
        .collect();
    let script = format!(
        "echo $PUNCTUAL_JOB_ID >> {}; sleep 0.1; echo $PUNCTUAL_JOB_ID >> {}",
        place.path("started").display(),
        place.path("ended").display()
    );
    let ids: BTreeSet<String> = (0..JOBS).map(|_| servers[0].enqueue(&shell(&script))).collect();
    let ended = |count: usize| {
        until("some have ended", || {
            (place.lines("ended").len() >= count).then_some(())
        })
    };
    ended(20);
    servers.pop().expect("there are three").kill();
    ended(60);
    postgres.restart();
    for id in &ids {
        let job = until("the job has ended", || {
            let answer = servers[0].get(&format!("/v1/jobs/{id}"));
            let job = (answer.status == 200).then(|| answer.json())?;
            job["state"]
                .as_str()
                .is_some_and(|state| state == "succeeded")
                .then_some(job)
        });
        assert_eq!(
            job["attempt"].as_u64().map(|attempts| attempts <= 3),
            Some(true),
            "{job}"
        );
    }
    let ran: BTreeSet<String> = place.lines("ended").into_iter().collect();
    assert_eq!(ran, ids, "every job ran to its end");
}
