//! Commands end with all that they started.

use serde_json::json;

use super::server::{Place, alive, shell, until};

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
