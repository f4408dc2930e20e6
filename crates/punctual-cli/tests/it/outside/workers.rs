//! Workers in other languages, and far ones: they share the work, and each job ends once whoever is killed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use bytes::Bytes;
use punctual::seconds;
use punctual::worker::{Run, Worker, shutdown_signal};
use punctual_http::Client;
use serde_json::json;

use super::server::{Place, Server, alive, shell, until};
use super::stores::{Sort, on_each_store};

on_each_store!(
    a_worker_that_stops_is_forgotten_at_once_and_one_that_was_killed_is_told_as_silent,
    a_job_that_runs_is_counted_at_once,
    a_python_worker_and_a_far_rust_runner_share_the_work_and_each_job_ends_once_whoever_is_killed,
);

const SERVER: &str = "PUNCTUAL_TEST_SERVER";
const RECORD: &str = "PUNCTUAL_TEST_RECORD";

/// A process that works. It is killed when it is dropped.
struct Far(Child);

impl Far {
    /// The Python worker of the book.
    fn python(place: &Place, server: &Server) -> Far {
        let record = std::fs::File::options()
            .create(true)
            .append(true)
            .open(place.path("python"))
            .expect("a file of its own");
        let child = Command::new("python3")
            .arg(example())
            .args([&format!("http://{}", server.address()), "shared"])
            .env("LEASE", "3")
            .stdout(record)
            .spawn();
        Far(child.expect("python3 is there"))
    }

    /// This binary again, as a runner in Rust.
    fn rust(place: &Place, server: &Server) -> Far {
        let child = Command::new(std::env::current_exe().expect("a test knows its binary"))
            .args([
                "--exact",
                "outside::workers::this_process_is_a_far_runner",
                "--nocapture",
            ])
            .env(SERVER, format!("http://{}", server.address()))
            .env(RECORD, place.path("rust"))
            .stdout(Stdio::null())
            .spawn();
        Far(child.expect("this binary starts"))
    }

    /// Asks it to stop, and waits until it has.
    fn stop(mut self) {
        super::server::signal(self.0.id(), "TERM");
        let status = self.0.wait().expect("it ends");
        assert!(status.success(), "{status}");
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/python/worker.py")
}

/// Does nothing unless it was started by another test.
#[test]
fn this_process_is_a_far_runner() {
    let (Ok(server), Ok(record)) = (std::env::var(SERVER), std::env::var(RECORD)) else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().expect("threads are to be had");
    runtime.block_on(async {
        let client = Client::new(&server).expect("an address");
        let worker = Worker::new(client)
            .queues(["shared"])
            .concurrency(2)
            .lease(seconds(3))
            .handle_kind("share", move |_, run: Run| {
                let record = record.clone();
                async move {
                    append(&record, &run.id().job.to_string());
                    // As long as a run in Python takes, so that both have their share.
                    let pause = run.stop();
                    let _ = tokio::time::timeout(seconds(1) / 50, pause.requested()).await;
                    Ok(Bytes::from_static(br#"{"handled_by": "rust"}"#))
                }
            });
        worker
            .run_until(shutdown_signal())
            .await
            .expect("it stops softly");
    });
}

fn a_worker_that_stops_is_forgotten_at_once_and_one_that_was_killed_is_told_as_silent(sort: Sort) {
    let Some(store) = sort.empty() else { return };
    let place = Place::new();
    let server = place.serve(&["--store", store.url()]);
    let beside = place.serve(&["--store", store.url(), "--lease", "3s"]);
    let (stops, killed) = (Far::rust(&place, &server), Far::rust(&place, &server));
    let told = |pid: u32| workers(&server).into_iter().find(|worker| worker["pid"] == pid);
    for pid in [beside.pid(), stops.0.id(), killed.0.id()] {
        let worker = until("it is listed", || told(pid));
        assert_eq!(worker["state"], "working", "{worker}");
    }
    let (near, far, dead) = (beside.pid(), stops.0.id(), killed.0.id());
    stops.stop();
    assert!(told(far).is_none(), "{:?}", told(far));
    beside.signal("TERM");
    until("the server beside it has ended", || {
        (!alive(&near.to_string())).then_some(())
    });
    assert!(told(near).is_none(), "{:?}", told(near));
    drop(killed);
    until("it is silent", || {
        (told(dead)?["state"] == "silent").then_some(())
    });
    let table = Command::new(env!("CARGO_BIN_EXE_punctual"))
        .args(["worker", "list", "--server"])
        .arg(format!("http://{}", server.address()))
        .output()
        .expect("it starts");
    let table = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(table.contains("silent") && table.contains("working"), "{table}");
}

fn a_job_that_runs_is_counted_at_once(sort: Sort) {
    let Some(store) = sort.empty() else { return };
    let place = Place::new();
    let server = place.serve(&["--store", store.url()]);
    until("the runner is listed", || workers(&server).pop());
    let id = server.enqueue(&shell("exec sleep 600"));
    until("it runs", || {
        let job = server.get(&format!("/v1/jobs/{id}")).json();
        (job["state"] == "running").then_some(())
    });
    assert_eq!(workers(&server)[0]["running"], 1);
}

fn workers(server: &Server) -> Vec<serde_json::Value> {
    let workers = server.get("/v1/workers").json();
    workers["items"].as_array().expect("a list").clone()
}

fn append(record: &str, line: &str) {
    use std::io::Write;
    let file = std::fs::File::options().create(true).append(true).open(record);
    let mut file = file.expect("a file of its own");
    file.write_all(format!("{line}\n").as_bytes()).expect("a line");
}

fn share(server: &Server, jobs: usize) -> Vec<String> {
    let job = json!({"kind": "share", "queue": "shared", "payload": {"n": 1}});
    let callers = 4;
    thread::scope(|scope| {
        let callers: Vec<_> = (0..callers)
            .map(|_| {
                scope.spawn(|| {
                    (0..jobs / callers)
                        .map(|_| server.enqueue(&job))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        callers
            .into_iter()
            .flat_map(|caller| caller.join().expect("it enqueues"))
            .collect()
    })
}

#[test]
fn the_python_worker_of_the_book_is_the_one_that_is_tested() {
    let page = include_str!("../../../../../docs/workers-in-other-languages.md");
    let worker = std::fs::read_to_string(example()).expect("it is text");
    assert!(page.contains(&format!("```python\n{worker}```\n")));
}

fn a_python_worker_and_a_far_rust_runner_share_the_work_and_each_job_ends_once_whoever_is_killed(sort: Sort) {
    let Some(store) = sort.empty() else { return };
    let place = Place::new();
    let server = place.serve(&["--store", store.url()]);
    let ids = share(&server, 400);
    let (first_python, first_rust) = (Far::python(&place, &server), Far::rust(&place, &server));
    let (python, rust) = (Far::python(&place, &server), Far::rust(&place, &server));
    until("both languages have their hands full", || {
        let full = |name| place.lines(name).len() >= 20;
        (full("python") && full("rust")).then_some(())
    });
    drop(first_python);
    drop(first_rust);

    let mut by = BTreeMap::new();
    for id in &ids {
        let job = server.ended(id);
        assert_eq!(job["state"], "succeeded", "{job}");
        *by.entry(job["result"]["handled_by"].to_string()).or_insert(0) += 1;
        let attempts = server.get(&format!("/v1/jobs/{id}/attempts")).json();
        let attempts = attempts["items"].as_array().expect("a list").clone();
        let ends = attempts
            .iter()
            .filter(|attempt| attempt["outcome"] == "succeeded")
            .count();
        assert_eq!(ends, 1, "{attempts:?}");
        // Only a kill makes a job run twice: what else began had not run when it was put back.
        let others = |outcome: &str| ["succeeded", "lost", "released"].contains(&outcome);
        assert!(
            attempts
                .iter()
                .all(|attempt| attempt["outcome"].as_str().is_some_and(others)),
            "{attempts:?}"
        );
    }
    assert_eq!(by.len(), 2, "both languages had their share: {by:?}");
    python.stop();
    rust.stop();
}

#[test]
fn the_python_worker_stops_softly_and_leaves_no_job_behind() {
    let place = Place::new();
    let server = place.serve(&[]);
    let python = Far::python(&place, &server);
    let id = share(&server, 4).swap_remove(0);
    assert_eq!(server.ended(&id)["result"], json!({"handled_by": "python"}));
    until("it is listed", || {
        let workers = server.get("/v1/workers").json();
        workers["items"]
            .as_array()?
            .iter()
            .any(|worker| worker["host"].is_null())
            .then_some(())
    });
    python.stop();
    let told = workers(&server);
    assert!(told.iter().all(|worker| !worker["host"].is_null()), "{told:?}");
    let queue = server.get("/v1/queues/shared").json();
    assert_eq!(queue["counts"]["running"], 0, "{queue}");
}
