//! One API and many runners: no job runs twice, unless a runner that had it was lost, and each ends once.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::nginx::Called;
use super::nodes::{Nodes, api};
use super::process::Process;
use super::server::{Place, alive, grown, list, request, shell, until};
use super::stores::{Sort, alone, jobs, on_each_store, tell};

on_each_store!(
    no_job_of_many_runs_twice_on_four_runners,
    every_job_ends_once_though_runners_are_killed_all_the_while,
    the_job_of_a_killed_runner_runs_elsewhere_within_its_lease_and_two_seconds,
    what_one_api_is_told_the_other_and_the_runners_know_at_once,
    a_run_that_was_deferred_ends_by_its_token_at_any_api_though_its_runner_is_gone,
);

const RUNNERS: usize = 4;
const LEASE: Duration = Duration::from_secs(3);

fn no_job_of_many_runs_twice_on_four_runners(sort: Sort) {
    let _alone = alone();
    let (Some(store), Some(called)) = (sort.empty(), Called::open()) else {
        return;
    };
    let nodes = Nodes::open(&store, RUNNERS, &["--concurrency", "16"]);
    let jobs = jobs();
    nodes.enqueue(&called, 0..jobs);
    grown("the jobs have called", jobs, || called.calls().lines().count());
    nodes.all_succeeded(jobs);
    let ran = nodes.check(0..jobs, &called.counted());
    assert_eq!((ran.lost, ran.extra), (0, 0));
    tell(
        sort.name(),
        &format!("{jobs} jobs, no kills: 0 leases lost, 0 extra runs"),
    );
}

fn every_job_ends_once_though_runners_are_killed_all_the_while(sort: Sort) {
    let _alone = alone();
    let jobs = jobs();
    let kills = (jobs / 500).max(6);
    // Slow enough for every kill to meet runs in their middle.
    let rate = (jobs / 50).max(150);
    let (Some(store), Some(called)) = (sort.empty(), Called::open_at(rate)) else {
        return;
    };
    let mut nodes = Nodes::open(&store, RUNNERS, &["--concurrency", "8", "--lease", "3s"]);
    nodes.enqueue(&called, 0..jobs);
    for kill in 1..=kills {
        let goal = kill * jobs / (kills + 2);
        grown("jobs go on", goal, || called.calls().lines().count());
        nodes.kill_runner();
        nodes.begin_runner();
    }
    grown("every job has called", jobs, || called.counted().len());
    nodes.all_succeeded(jobs);
    let ran = nodes.check(0..jobs, &called.counted());
    assert!(ran.lost > 0, "the kills met no run");
    tell(
        sort.name(),
        &format!(
            "{jobs} jobs, {kills} kills: {} leases lost, {} extra runs",
            ran.lost, ran.extra
        ),
    );
}

fn the_job_of_a_killed_runner_runs_elsewhere_within_its_lease_and_two_seconds(sort: Sort) {
    let Some(store) = sort.empty() else { return };
    let mut nodes = Nodes::open(&store, 1, &["--lease", "3s"]);
    let log = nodes.place.path("log");
    let job = shell(&format!("echo $$ >> {}; exec sleep 600", log.display()));
    let reply = request(nodes.address(), "POST", "/v1/jobs", Some(&job.to_string()));
    assert_eq!(reply.status, 201, "{}", reply.body);
    until("it runs", || (nodes.place.lines("log").len() == 1).then_some(()));
    nodes.begin_runner();
    nodes.kill_runner();
    let killed = Instant::now();
    let deadline = LEASE + Duration::from_secs(2);
    until("it runs elsewhere", || {
        let again = nodes.place.lines("log").len() == 2;
        assert!(again || killed.elapsed() < deadline, "it does not run elsewhere");
        again.then_some(())
    });
    tell(
        sort.name(),
        &format!(
            "killed with a lease of 3 s: ran elsewhere after {:.1} s",
            killed.elapsed().as_secs_f64()
        ),
    );
}

fn what_one_api_is_told_the_other_and_the_runners_know_at_once(sort: Sort) {
    let Some(store) = sort.empty() else { return };
    let place = Place::new();
    let apis = ["first api", "second api"].map(|name| api(&place, &store, name));
    let [first, second] = apis.each_ref().map(Process::address);
    let _runners = ["one", "two", "three"].map(|queue| {
        let arguments = [
            "runner",
            "--store",
            store.url(),
            "--queues",
            queue,
            "--allow-command",
            "sh",
        ];
        Process::start(&place, queue, &arguments)
    });
    let of_the_third = |script: &str| {
        let mut job = shell(script);
        job["queue"] = "three".into();
        job.to_string()
    };
    let answer = request(
        &first,
        "POST",
        "/v1/jobs?wait=30s",
        Some(&of_the_third("echo here")),
    );
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.json()["result"]["stdout"], "here\n", "{}", answer.body);

    let pid = place.path("pid");
    let script = format!("echo $$ > {}.new; mv {0}.new {0}; exec sleep 600", pid.display());
    let answer = request(&first, "POST", "/v1/jobs", Some(&of_the_third(&script)));
    let id = answer.json()["id"].as_str().expect("an id").to_owned();
    let pid = until("the command runs", || place.lines("pid").pop());
    let cancel = format!("/v1/jobs/{id}/cancel");
    let cancelled = request(&second, "POST", &cancel, Some("{}"));
    assert_eq!(cancelled.status, 200, "{}", cancelled.body);
    let told = Instant::now();
    until("the command is gone", || {
        let gone = !alive(&pid);
        assert!(gone || told.elapsed() < Duration::from_secs(1), "it still runs");
        gone.then_some(())
    });
    let result = format!("/v1/jobs/{id}/result?wait=30s");
    let result = request(&first, "GET", &result, None);
    assert_eq!(result.json()["state"], "cancelled", "{}", result.body);
}

fn a_run_that_was_deferred_ends_by_its_token_at_any_api_though_its_runner_is_gone(sort: Sort) {
    let (Some(store), Some(called)) = (sort.empty(), Called::deferring()) else {
        return;
    };
    let mut nodes = Nodes::open(&store, 1, &["--lease", "3s"]);
    nodes.enqueue(&called, 0..1);
    let token = until("the job has called", || {
        called.calls().lines().next().map(str::to_owned)
    });
    until("it is deferred, for longer than a runner's lease", || {
        let running = list(nodes.address(), "state=running");
        let instant = |field: &str| running.first()?[field].as_str()?.parse::<Timestamp>().ok();
        let length = instant("lease_until")?.duration_since(instant("started_at")?);
        (length > SignedDuration::from_mins(5)).then_some(())
    });
    nodes.kill_runner();
    let other = api(&nodes.place, &store, "other api");
    let settle = r#"{"outcome": {"done": {"pages": 7}}}"#;
    let settled = request(
        &other.address(),
        "POST",
        &format!("/v1/runs/{token}"),
        Some(settle),
    );
    assert_eq!(
        (settled.status, settled.json()),
        (200, json!({"verdict": "settled"}))
    );
    nodes.all_succeeded(1);
    let ended = list(nodes.address(), "state=succeeded");
    assert_eq!(ended.len(), 1, "{ended:?}");
}
