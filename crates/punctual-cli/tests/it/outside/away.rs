//! A store's server that is restarted, or throws out whoever is connected, while jobs are added and run.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use super::nginx::Called;
use super::nodes::{Nodes, call};
use super::server::{grown, request, until};
use super::stores::{Sort, Store, alone, jobs, on_each_server, tell};

on_each_server!(
    a_store_that_is_restarted_under_load_loses_nothing_and_needs_no_hand,
    connections_that_are_ended_under_load_lose_nothing_and_leave_nobody_stuck,
);

const RUNNERS: usize = 2;
const CALLERS: usize = 8;

fn a_store_that_is_restarted_under_load_loses_nothing_and_needs_no_hand(sort: Sort) {
    let times = (jobs() / 2_000).max(2);
    under_load(
        || sort.own(),
        "restarts of the store",
        times,
        |store, _| {
            store.restart();
        },
    );
}

fn connections_that_are_ended_under_load_lose_nothing_and_leave_nobody_stuck(sort: Sort) {
    let times = (jobs() / 500).max(6);
    under_load(
        || sort.own(),
        "times every connection was ended",
        times,
        |store, _| {
            end_connections(store);
        },
    );
}

#[test]
fn jobs_that_are_dispatched_outlast_the_connections_of_postgres_and_the_redis_that_dispatches_them() {
    let own = || Some(Sort::Postgres.own()?.dispatched(Sort::Redis.own()?));
    let times = (jobs() / 500).max(6);
    let what = "times every connection was ended, or the Redis of the dispatch restarted";
    under_load(own, what, times, |store, time| match store.through() {
        Some(through) if time % 2 == 0 => {
            assert_ne!(through.ask(&["keys", "*:dispatch:*"]), "", "there are lines");
            through.restart();
        }
        _ => end_connections(store),
    });
}

/// Ends every connection but the one that does it, and makes Redis forget its scripts.
fn end_connections(store: &Store) {
    const POSTGRES: &str = "select count(pg_terminate_backend(pid)) from pg_stat_activity \
                            where backend_type = 'client backend' and pid <> pg_backend_pid()";
    match store.sort() {
        Sort::Postgres => {
            store.ask(&["-c", POSTGRES]);
        }
        Sort::Redis => {
            store.ask(&["script", "flush"]);
            for kind in ["normal", "pubsub"] {
                store.ask(&["client", "kill", "type", kind, "skipme", "yes"]);
            }
        }
        Sort::Sqlite => {}
    }
}

/// Jobs are added and run, and this happens to their store, so many times. All that were acknowledged end once.
fn under_load(own: impl Fn() -> Option<Store>, what: &str, times: usize, harm: impl Fn(&Store, usize)) {
    let _alone = alone();
    let (Some(store), Some(called)) = (own(), Called::open()) else {
        return;
    };
    let nodes = Nodes::open(&store, RUNNERS, &["--concurrency", "8", "--lease", "10s"]);
    let goal = jobs();
    let load = Load::default();
    thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| load.add(&nodes, &called));
        }
        // Also when the test fails, or its threads would go on for ever.
        let _ends = Ends(&load.over);
        for time in 1..=times {
            let until = time * goal / (times + 1);
            grown("jobs are acknowledged", until, || load.acknowledged());
            harm(&store, time);
        }
        grown("jobs are acknowledged to the end", goal, || load.acknowledged());
    });
    let acknowledged = load.acknowledged.into_inner().expect("nobody panics with it");
    nodes.all_succeeded(acknowledged.len());
    let ran = nodes.check(acknowledged.iter().copied(), &called.counted());
    tell(
        store.sort().name(),
        &format!(
            "{} jobs acknowledged, {times} {what}: none lost, {} leases lost, {} extra runs, {} calls repeated",
            acknowledged.len(),
            ran.lost,
            ran.extra,
            load.repeated.into_inner(),
        ),
    );
}

/// Callers that add one job after another, each again under the same id until it is acknowledged.
#[derive(Default)]
struct Load {
    over: AtomicBool,
    next: AtomicUsize,
    repeated: AtomicUsize,
    acknowledged: Mutex<BTreeSet<usize>>,
}

impl Load {
    fn acknowledged(&self) -> usize {
        self.acknowledged.lock().expect("nobody panics with it").len()
    }

    fn add(&self, nodes: &Nodes, called: &Called) {
        while !self.over.load(Ordering::Relaxed) {
            let n = self.next.fetch_add(1, Ordering::Relaxed);
            let job = call(called, n).to_string();
            until("it is acknowledged", || {
                let reply = request(nodes.address(), "POST", "/v1/jobs", Some(&job));
                match reply.status {
                    200 | 201 => Some(()),
                    // 500 says that it may have been stored: under its id it can be sent again.
                    500 | 503 => {
                        self.repeated.fetch_add(1, Ordering::Relaxed);
                        None
                    }
                    other => panic!("{other}: {}", reply.body),
                }
            });
            self.acknowledged.lock().expect("nobody panics with it").insert(n);
        }
    }
}

struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
