//! One API and runners as processes of their own on one store, and a real nginx that counts their calls.

use std::collections::BTreeMap;

use punctual::JobId;
use serde_json::{Value, json};

use super::nginx::Called;
use super::process::Process;
use super::server::{Place, grown, list, request, until};
use super::stores::Store;

/// As many jobs as go into one request.
const BATCH: usize = 1_000;

/// What every runner here may do.
const ALLOWED: [&str; 4] = ["--allow-command", "sh", "--allow-net", "127.0.0.1/32"];

pub(super) struct Nodes {
    store: Vec<String>,
    _api: Process,
    address: String,
    runners: Vec<Process>,
    begun: usize,
    settings: &'static [&'static str],
    /// The last to go, with what the processes logged.
    pub(super) place: Place,
}

/// What the runs of jobs add up to.
pub(super) struct Ran {
    pub(super) lost: usize,
    pub(super) extra: usize,
}

impl Nodes {
    /// An API and so many runners with these settings.
    pub(super) fn open(store: &Store, runners: usize, settings: &'static [&'static str]) -> Nodes {
        let place = Place::new();
        let api = api(&place, store, "api");
        let mut nodes = Nodes {
            address: api.address(),
            place,
            store: store.arguments().into_iter().map(str::to_owned).collect(),
            _api: api,
            runners: Vec::new(),
            begun: 0,
            settings,
        };
        for _ in 0..runners {
            nodes.begin_runner();
        }
        nodes
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn begin_runner(&mut self) {
        self.begun += 1;
        let store: Vec<&str> = self.store.iter().map(String::as_str).collect();
        let arguments = [&["runner"], &store[..], &ALLOWED, self.settings].concat();
        let runner = Process::start(&self.place, &format!("runner {}", self.begun), &arguments);
        self.runners.push(runner);
    }

    /// Kills the runner that has been there for longest.
    pub(super) fn kill_runner(&mut self) {
        self.runners.remove(0).kill();
    }

    /// Adds these jobs, each a call of a path of its own.
    pub(super) fn enqueue(&self, called: &Called, numbers: std::ops::Range<usize>) {
        let jobs: Vec<Value> = numbers.map(|n| call(called, n)).collect();
        for batch in jobs.chunks(BATCH) {
            let body = Value::from(batch).to_string();
            let reply = request(&self.address, "POST", "/v1/jobs/batch", Some(&body));
            assert_eq!(reply.status, 200, "{}", reply.body);
            let items = reply.json();
            let items = items["items"].as_array().expect("one for each job");
            assert!(items.iter().all(|item| item["status"] == 201), "{}", reply.body);
        }
    }

    /// Waits until so many jobs have succeeded.
    pub(super) fn all_succeeded(&self, count: usize) {
        let none = |state: &str| {
            let path = format!("/v1/jobs?limit=1&state={state}");
            let reply = request(&self.address, "GET", &path, None);
            reply.status == 200 && reply.json()["items"].as_array().is_some_and(Vec::is_empty)
        };
        until("nothing is left to be done", || {
            (none("waiting") && none("running")).then_some(())
        });
        // A run whose lease was lost goes from one to the other and back, perhaps unseen: the last word has the count.
        grown("all have succeeded", count, || {
            list(&self.address, "state=succeeded").len()
        });
    }

    /// Each of these jobs has succeeded, once, was called at least once, and once more at most for each of its leases that
    /// was lost. `calls` is the target's own record.
    pub(super) fn check(&self, numbers: impl Iterator<Item = usize>, calls: &BTreeMap<String, usize>) -> Ran {
        let ended: BTreeMap<String, Value> = list(&self.address, "state=succeeded")
            .into_iter()
            .map(|job| (job["id"].as_str().expect("an id").to_owned(), job))
            .collect();
        let (mut ran, mut count) = (Ran { lost: 0, extra: 0 }, 0);
        for n in numbers {
            let id = id(n);
            let job = ended
                .get(&id)
                .unwrap_or_else(|| panic!("job {n}, {id}, has not succeeded"));
            let lost = match job["attempt"] == 1 {
                true => 0,
                false => self.lost(&id),
            };
            let called = calls.get(&path(n)).copied().unwrap_or(0);
            assert!(called > 0, "job {n} was never called: {job}");
            assert!(called <= 1 + lost, "job {n} was called {called} times: {job}");
            ran.lost += lost;
            ran.extra += called - 1;
            count += 1;
        }
        assert_eq!(ended.len(), count, "no other job has run");
        assert_eq!(calls.len(), count, "nothing else was called");
        ran
    }

    /// How many leases of a job were lost; beside these it has one run, which succeeded.
    fn lost(&self, id: &str) -> usize {
        let attempts = request(&self.address, "GET", &format!("/v1/jobs/{id}/attempts"), None).json();
        let outcomes: Vec<&Value> = attempts["items"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|attempt| &attempt["outcome"])
            .collect();
        let count = |what: &str| outcomes.iter().filter(|outcome| **outcome == what).count();
        assert_eq!(
            (count("succeeded"), count("succeeded") + count("lost")),
            (1, outcomes.len()),
            "{attempts}"
        );
        count("lost")
    }
}

/// An API of this name on a store.
pub(super) fn api(place: &Place, store: &Store, name: &str) -> Process {
    let arguments = [&["api", "--bind", "127.0.0.1:0"], &store.arguments()[..]].concat();
    Process::start(place, name, &arguments)
}

/// The job of this number.
pub(super) fn call(called: &Called, n: usize) -> Value {
    json!({"id": id(n), "kind": "http", "payload": {"method": "GET", "url": called.url(&path(n))}})
}

fn id(n: usize) -> String {
    JobId::named(&n.to_string()).to_string()
}

fn path(n: usize) -> String {
    format!("/{n}")
}
